"""What the statistics of claims are made of: rows of the tables, and what to say of them.

Each function returns values and notes in words, or raises `NoStatistic` with what is missing.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from convergent_learning.alignment.calibration import ALPHA
from convergent_learning.alignment.crossvalidation import MIN_ROWS_PER_UNIT
from convergent_learning.tables.depth import complete_layers, slope
from convergent_learning.tables.intervals import PAIR
from convergent_learning.tables.matches import chance_within_one, matching_shares
from convergent_learning.tables.recordings import late_scores
from convergent_learning.tables.stages import EPOCH_ONE, TRAINED, UNTRAINED, with_stage
from convergent_learning.tables.storage import Tables
from convergent_learning.tables.summaries import of_groups, spans_of_layers, supervised
from convergent_learning.words import counted

_SEEDS = "a verdict needs groups with three seeds"
_LEVELS = {"b0": UNTRAINED, "b1": EPOCH_ONE, "bF": TRAINED}


class NoStatistic(ValueError):
    """An ingredient of a statistic is missing; the message says which."""


def depth_rows(tables: Tables, metrics: list[str]) -> pd.DataFrame:
    """Own-layer scores at the last step, with the column names of a single group."""
    rows = tables["fig2_pairs"]
    rows = rows[
        (rows.group_x == rows.group_y)
        & (rows.stage == TRAINED)
        & (rows.baseline == "learned")
        & (rows.center == "position")
        & (rows.role != "logits")
        & rows.metric.isin(metrics)
    ]
    missing = [metric for metric in metrics if metric not in set(rows.metric)]
    if missing:
        what = f"{', '.join(missing)} scores within a group at the last step"
        remedy = _SEEDS if rows.empty else "name the metrics in `alignment.metrics`"
        raise NoStatistic(f"no {what}; {remedy}")
    return rows.rename(columns={"group_x": "group", "layer_x": "layer"})


def final_scores(tables: Tables, metrics: list[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """(pair × layer, metric) scores of layers with enough training rows a unit, and the others."""
    rows = depth_rows(tables, metrics)
    few = rows[rows.rows_per_unit < MIN_ROWS_PER_UNIT][["group", "layer"]].drop_duplicates()
    rows = rows[rows.rows_per_unit >= MIN_ROWS_PER_UNIT]
    if rows.empty:
        raise NoStatistic(f"no layer has {MIN_ROWS_PER_UNIT} training rows a unit")
    rows, unknown = complete_layers(rows, ["score"])
    names = [" ".join(row) for row in few.itertuples(index=False)]
    notes = left_out_note(names, f"with fewer than {MIN_ROWS_PER_UNIT} training rows a unit")
    wide = rows.set_index([*PAIR, "layer", "metric"]).score.unstack("metric").dropna()
    return wide, notes + left_out_note(unknown, "without a score")


def left_out_note(layers: list[str], why: str) -> tuple[str, ...]:
    """Say which layers were left out and why; nothing if none were."""
    return (f"layers left out, {why}: {', '.join(layers)}",) if layers else ()


def basis_gaps(tables: Tables, stages: Sequence[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """(pair × layer, stage) learned minus rotated, permutation, of groups with all these stages."""
    rows = tables["fig3_pairs"]
    rows = rows[(rows.metric == "permutation") & (rows.role != "logits")]
    rows, lacking = _with_all(rows, stages, "rotated-basis scores of permutation")
    rows, unknown = complete_layers(rows, ["difference"])
    wide = rows.set_index([*PAIR, "layer", "stage"]).difference.unstack("stage")
    return wide, lacking + left_out_note(unknown, "without a score")


def _with_all(
    rows: pd.DataFrame, stages: Sequence[str], what: str, remedy: str = ""
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Rows at these stages, of the groups that have them all; which others were left out.

    Raises NoStatistic naming the stages that none has.
    """
    rows = rows[rows.stage.isin(stages)]
    missing = [stage for stage in stages if stage not in set(rows.stage)]
    if EPOCH_ONE in missing and rows.epoch.max() == 1:
        raise NoStatistic("training ends with epoch 1, so there is nothing later to compare")
    if missing:
        raise NoStatistic(f"no {what} of networks at the stage {', '.join(missing)}{remedy}")
    counts = rows.groupby("group").stage.nunique()
    whole = counts.index[counts == len(stages)]
    if whole.empty:
        raise NoStatistic(f"no group has {what} at each of the stages {', '.join(stages)}")
    lacking = sorted(set(counts.index) - set(whole))
    said = f"groups left out, without each of the stages {', '.join(stages)}: {', '.join(lacking)}"
    return rows[rows.group.isin(whole)], (said,) if lacking else ()


def passing_shares(tables: Tables) -> str:
    """In how many layers the learned axes beat the rotated ones, in words."""
    rows = tables["fig3"]
    rows = rows[(rows.metric == "permutation") & (rows.role != "logits")]
    said = []
    for stage in (TRAINED, UNTRAINED):
        p = rows[rows.stage == stage].p_adjusted.dropna()
        said.append(f"{int((p <= ALPHA).sum())} of {len(p)} layers {stage}")
    draws = rows.n_draws.max()
    return f"adjusted p ≤ {ALPHA} ({draws:.0f} draws) in {' and '.join(said)}"


def match_shares(tables: Tables, stages: Sequence[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """(pair, stage) share of best matches within one layer, Procrustes."""
    maps = tables["fig4_pairs"]
    shares = matching_shares(maps[maps.metric == "procrustes"])
    shares = with_stage(shares, tables["groups"])
    shares, lacking = _with_all(
        shares, stages, "layer × layer scores of procrustes within a group", f"; {_SEEDS}"
    )
    chance = shares.groupby("group").n_layers.max().map(chance_within_one)
    said = ", ".join(f"{value:.2f} ({name})" for name, value in chance.items())
    notes = (f"a match at random would be within one layer with probability {said}",)
    return shares.set_index([*PAIR, "stage"]).value.unstack("stage"), notes + lacking


def passing_matches(tables: Tables) -> tuple[str, ...]:
    """How many best matches chance does not reach, in words; nothing if that was not asked."""
    if "fig4_calibrated" not in tables or tables["fig4_calibrated"].empty:
        return ()
    rows = tables["fig4_calibrated"].dropna(subset="p")
    passing, draws = int((rows.p <= ALPHA).sum()), rows.n_draws.max()
    return (
        f"{passing} of {len(rows)} best matches have p ≤ {ALPHA} against the highest of all source "
        f"blocks with permuted stimuli (maxT, {draws:.0f} permutations)",
    )


def training_levels(tables: Tables) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Mean score over layers and accuracy of each pair at step 0, after epoch 1 and at the end."""
    stages = {UNTRAINED: "0", EPOCH_ONE: "1", TRAINED: "F"}
    rows = tables["fig5_pairs"]
    rows = rows[(rows.metric == "procrustes") & (rows.role != "logits")]
    rows, lacking = _with_all(
        rows, [*stages], "procrustes scores within a group", f"; {_SEEDS}, followed over training"
    )
    rows, unknown = complete_layers(rows, ["score"])
    means = rows.groupby([*PAIR, "stage"])[["score", "accuracy"]].mean().unstack("stage")
    means.columns = [f"{'s' if name == 'score' else 'acc'}{stages[stage]}" for name, stage in means]
    s0, s1, last = means.s0.mean(), means.s1.mean(), means.sF.mean()
    gain = f"; epoch 1 brings {(s1 - s0) / (last - s0):.0%} of the gain" if last > s0 else ""
    note = (
        f"s1/sF = {s1 / last:.2f} beside s0/sF = {s0 / last:.2f} (s0 {s0:.3f}, s1 {s1:.3f}, "
        f"sF {last:.3f}{gain})"
    )
    groups = tables["groups"][tables["groups"].group.isin(rows.group)]
    shares = (groups.steps_per_epoch / groups.final_step).drop_duplicates()
    share = f"epoch 1 is {', '.join(f'{each:.0%}' for each in shares)} of the steps"
    return means, (note, share, *lacking, *left_out_note(unknown, "without a score"))


def ood_drops(tables: Tables) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Rows of fig6_pairs, Procrustes, of layers that have a score everywhere."""
    rows = tables["fig6_pairs"]
    rows = rows[(rows.metric == "procrustes") & (rows.role != "logits")]
    if rows.empty:
        what = "procrustes scores within a group on out-of-distribution conditions"
        raise NoStatistic(f"no {what}; {_SEEDS}, and `stimuli.families`")
    rows, unknown = complete_layers(rows, ["drop"])
    if rows.empty:
        raise NoStatistic("no layer has a score on every out-of-distribution condition")
    return rows, (conditions_note(rows), *left_out_note(unknown, "without a score"))


def conditions_note(rows: pd.DataFrame) -> str:
    """How many conditions of how many families the rows are about."""
    conditions = rows[["stimuli", "condition"]].drop_duplicates()
    families = counted(rows.family.nunique(), "family")
    return f"{counted(len(conditions), 'condition')} of {families}"


def final_spans(tables: Tables) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Procrustes rows of fig7_pairs after training, by what a mean over layers is of.

    Which layers were left out is said.
    """
    rows = tables["fig7_pairs"]
    rows = rows[(rows.metric == "procrustes") & (rows.stage == TRAINED)]
    if rows.empty:
        raise NoStatistic("no Procrustes scores across groups of one architecture")
    _, unknown = complete_layers(rows, ["score"], ())
    return spans_of_layers(rows), left_out_note(unknown, "without a score")


def converged(tables: Tables, group: str) -> tuple[str, ...]:
    """Whether networks of a group converge among themselves, in words."""
    rows = tables["fig7_pairs"]
    own = of_groups(rows[rows.metric == "procrustes"], group, group)
    own = own[own.role != "logits"]
    at = [own[own.stage == stage].score.mean() for stage in (TRAINED, UNTRAINED)]
    return (f"s_GG {at[0]:.3f}, {at[1]:.3f} at step 0",)


def parting(tables: Tables, group: str) -> tuple[str, ...]:
    """How the difference to supervised networks grows with depth, in words."""
    rows = tables["fig7_pairs"]
    rows = rows[(rows.metric == "procrustes") & (rows.stage == TRAINED)]
    rows = rows[rows.role == "block"]
    reference = supervised(tables["groups"])
    within, across = (
        of_groups(rows, reference, other).groupby("depth").score.mean()
        for other in (reference, group)
    )
    gap = (within - across).dropna()
    return (f"slope on depth of s_SS − s_SG {slope(gap.index.to_numpy(), gap.to_numpy()):.3f}",)


def system_levels(
    tables: Tables, recording: str, system: str, names: Sequence[str]
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Scores (network, name) of late layers with a system, by `PAIR` of a network twice.

    Of `names`, b0 is at step 0, b1 after epoch 1 and bF at the last step. What was left out is
    said.
    """
    rows = tables["fig8_networks"]
    late, unknown = late_scores(rows[(rows.recording == recording) & (rows.system == system)])
    stages = {name: _LEVELS[name] for name in names}
    late, lacking = _with_all(late, [*stages.values()], f"scores with {system}")
    itself = late.assign(seed_x=late.seed, seed_y=late.seed)
    wide = itself.groupby([*PAIR, "stage"]).score.mean().unstack("stage")
    levels = pd.DataFrame({name: wide[stage] for name, stage in stages.items()}).dropna()
    if levels.empty:
        raise NoStatistic(f"no network was scored with {system} at all these stages")
    return levels, lacking + left_out_note(unknown, "without a score")


def resampled_gains(tables: Tables, recording: str, system: str) -> tuple[str, ...]:
    """The rise of each group with its interval over images and subjects, in words."""
    rows = tables["fig8"]
    rows = rows[(rows.recording == recording) & (rows.system == system) & (rows.layer == "late")]
    rows = rows[(rows.stage == TRAINED) & rows.stimuli_gain_low.notna()]
    said = [
        f"{row.group} {row.gain:.3f} ({row.stimuli_gain_low:.3f} to {row.stimuli_gain_high:.3f})"
        for row in rows.itertuples()
    ]
    return (f"rise with its interval over images and subjects: {', '.join(said)}",) if said else ()


def noise_ceiling(tables: Tables, recording: str, system: str) -> tuple[str, ...]:
    """The noise ceiling of a system, in words; nothing if it has none."""
    rows = tables["recordings"]
    rows = rows[(rows.recording == recording) & (rows.system == system)]
    low, high = float(rows.ceiling_low.iloc[0]), float(rows.ceiling_high.iloc[0])
    return (f"noise ceiling {low:.3f} to {high:.3f}",) if low == low else ()
