"""The statistic of each part of each claim: one value per pair of networks, from the tables.

Rows are within architecture, position-centred and learned unless said; `layers` are all scored
layers but the logits, `blocks` those without the pooled features. A layer that has no score in some
network is left out of its architecture and named.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from convergent_learning.statistics.depth import chance_within_one, slope
from convergent_learning.statistics.intervals import Pairs, jackknife
from convergent_learning.statistics.layers import PAIR, complete_layers
from convergent_learning.statistics.ood import condition_slopes, from_colour, third_drops, usable
from convergent_learning.statistics.summaries import matching_shares

MIN_ROWS_PER_UNIT = 10
ALPHA = 0.05
Tables = dict[str, pd.DataFrame]


class NoStatistic(ValueError):
    """An ingredient of a statistic is missing; the message says which."""


class Contrast(NamedTuple):
    """Values per pair, the same with each family left out, and what to say of them."""

    values: pd.Series  # indexed by architecture, seed_x, seed_y
    left_out: list[pd.Series] | None = None
    notes: tuple[str, ...] = ()
    moot: str = ""  # why no verdict can be drawn though the numbers exist


def rotations_linear(tables: Tables) -> Contrast:
    """C1a: how far Procrustes exceeds 80% of linear."""
    wide, notes = _final_scores(tables, ["procrustes", "linear"])
    notes += (_metric_means(wide),)
    return Contrast(_pair_mean(wide.procrustes - 0.8 * wide.linear), notes=notes)


def rotations_permutation(tables: Tables) -> Contrast:
    """C1b: how far Procrustes exceeds the midpoint of linear and permutation."""
    wide, notes = _final_scores(tables, ["procrustes", "linear", "permutation"])
    halfway = 0.5 * wide.linear + 0.5 * wide.permutation
    return Contrast(_pair_mean(wide.procrustes - halfway), notes=(*notes, _metric_means(wide)))


def basis(tables: Tables) -> Contrast:
    """C2a: what permutation loses when the basis is rotated."""
    difference, notes = _basis_gaps(tables, [_final(tables)])
    return Contrast(_pair_mean(difference[_final(tables)]), notes=(_shares(tables), *notes))


def basis_learned(tables: Tables) -> Contrast:
    """C2b: the same, trained minus untrained."""
    difference, notes = _basis_gaps(tables, [0, _final(tables)])
    gained = difference[_final(tables)] - difference[0]
    gaps = f"learned minus rotated is {difference[_final(tables)].mean():.3f} trained"
    gaps += f" and {difference[0].mean():.3f} at step 0"
    return Contrast(_pair_mean(gained), notes=(gaps, _shares(tables), *notes))


def matches(tables: Tables) -> Contrast:
    """C3a: share of best matches within one layer."""
    shares, notes = _match_shares(tables, [_final(tables)])
    return Contrast(shares[_final(tables)], notes=notes)


def matches_learned(tables: Tables) -> Contrast:
    """C3b: that share, trained minus untrained."""
    shares, notes = _match_shares(tables, [0, _final(tables)])
    both = f"{shares[_final(tables)].mean():.3f} trained, {shares[0].mean():.3f} untrained"
    return Contrast(shares[_final(tables)] - shares[0], notes=(both, *notes))


def early_more(tables: Tables) -> Contrast:
    """C3c: minus the slope of own-layer scores on depth."""
    rows = _depth_rows(tables, ["procrustes"])
    rows, left_out = complete_layers(rows[rows.role == "block"], ["score"])
    return Contrast(-_depth_slope(rows, "score"), notes=_left_out(left_out, "without a score"))


def epoch_one(tables: Tables) -> Contrast:
    """C4a: gain of epoch 1 beyond 90% of the whole gain."""
    levels, notes = _levels(tables)
    values = (levels.s1 - levels.s0) - 0.9 * (levels.sF - levels.s0)
    return Contrast(values, notes=notes, moot=_no_gain(levels))


def gain(tables: Tables) -> Contrast:
    """C4b: the whole gain."""
    levels, notes = _levels(tables)
    gain = levels.sF - levels.s0
    low, high = _range(gain)
    moot = "training adds no alignment here" if low <= 0 <= high else ""
    return Contrast(gain, notes=notes, moot=moot)


def before_solved(tables: Tables) -> Contrast:
    """C5: gain of epoch 1 beyond the share of accuracy that epoch 1 brings."""
    levels, notes = _levels(tables)
    chance = float(tables["datasets"].chance.iloc[0])
    if levels[["acc1", "accF"]].isna().any(axis=None):
        raise NoStatistic("no accuracy at the end of epoch 1 or at the last step")
    solved = (levels.acc1 - chance) / (levels.accF - chance)
    values = (levels.s1 - levels.s0) - solved * (levels.sF - levels.s0)
    values = values.where(levels.accF > chance)
    accuracy = f"accuracy above chance after epoch 1 is {solved.mean():.3f} of the final one"
    return Contrast(values, notes=(accuracy, *notes), moot=_no_gain(levels))


def later_apart(tables: Tables) -> Contrast:
    """C6a: slope of the drop on depth."""
    rows, notes = _drops(tables)
    rows = rows[rows.role == "block"]
    return _over_families(rows, lambda kept: _depth_slope(kept, "drop"), notes)


def early_stay(tables: Tables) -> Contrast:
    """C6b: room below a drop of 0.05 in the first third."""
    rows, notes = _drops(tables)
    drops = third_drops(rows)
    notes = (
        *notes,
        f"mean drop {drops.early.mean():.3f} of early, {drops.late.mean():.3f} of late blocks",
    )
    return _over_families(drops, lambda kept: 0.05 - kept.groupby(PAIR).early.mean(), notes)


def proportional(tables: Tables) -> Contrast:
    """C7a: slope of late alignment drop on accuracy drop."""
    return _slopes(tables, lambda slopes: slopes.late)


def proportional_late(tables: Tables) -> Contrast:
    """C7b: that slope minus the early one."""
    return _slopes(tables, lambda slopes: slopes.late - slopes.early)


def _final(tables: Tables) -> int:
    return int(tables["datasets"].final_step.iloc[0])


def _depth_rows(tables: Tables, metrics: list[str]) -> pd.DataFrame:
    """Own-layer scores at the last step, with the column names of a single architecture."""
    rows = tables["fig2_pairs"]
    rows = rows[
        (rows.architecture_x == rows.architecture_y)
        & (rows.step == _final(tables))
        & (rows.baseline == "learned")
        & (rows.center == "position")
        & (rows.role != "logits")
        & rows.metric.isin(metrics)
    ]
    missing = [metric for metric in metrics if metric not in set(rows.metric)]
    if missing:
        raise NoStatistic(f"no {', '.join(missing)} scores within an architecture at the last step")
    return rows.rename(columns={"architecture_x": "architecture", "layer_x": "layer"})


def _final_scores(tables: Tables, metrics: list[str]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """(pair × layer, metric) scores of layers with enough training rows a unit, and the others."""
    rows = _depth_rows(tables, metrics)
    few = rows[rows.rows_per_unit < MIN_ROWS_PER_UNIT][["architecture", "layer"]].drop_duplicates()
    rows = rows[rows.rows_per_unit >= MIN_ROWS_PER_UNIT]
    if rows.empty:
        raise NoStatistic(f"no layer has {MIN_ROWS_PER_UNIT} training rows a unit")
    rows, unknown = complete_layers(rows, ["score"])
    names = [" ".join(row) for row in few.itertuples(index=False)]
    notes = _left_out(names, f"with fewer than {MIN_ROWS_PER_UNIT} training rows a unit")
    wide = rows.set_index([*PAIR, "layer", "metric"]).score.unstack("metric").dropna()
    return wide, notes + _left_out(unknown, "without a score")


def _left_out(layers: list[str], why: str) -> tuple[str, ...]:
    return (f"layers left out, {why}: {', '.join(layers)}",) if layers else ()


def _metric_means(wide: pd.DataFrame) -> str:
    return "means " + ", ".join(f"{metric} {wide[metric].mean():.3f}" for metric in wide)


def _pair_mean(values: pd.Series) -> pd.Series:
    return values.groupby(PAIR).mean()


def _basis_gaps(tables: Tables, steps: list[int]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    rows = tables["fig3_pairs"]
    rows = rows[(rows.metric == "permutation") & (rows.role != "logits") & rows.step.isin(steps)]
    missing = [str(step) for step in steps if step not in set(rows.step)]
    if missing:
        raise NoStatistic(f"no rotated-basis scores of permutation at step {', '.join(missing)}")
    rows, unknown = complete_layers(rows, ["difference"])
    wide = rows.set_index([*PAIR, "layer", "step"]).difference.unstack("step")
    return wide, _left_out(unknown, "without a score")


def _shares(tables: Tables) -> str:
    rows = tables["fig3"]
    rows = rows[(rows.metric == "permutation") & (rows.role != "logits")]
    said = []
    for name, step in (("trained", _final(tables)), ("untrained", 0)):
        p = rows[rows.step == step].p_adjusted.dropna()
        said.append(f"{int((p <= ALPHA).sum())} of {len(p)} layers {name}")
    draws = rows.n_draws.max()
    return f"adjusted p ≤ {ALPHA} ({draws:.0f} draws) in {' and '.join(said)}"


def _match_shares(tables: Tables, steps: list[int]) -> tuple[pd.DataFrame, tuple[str, ...]]:
    maps = tables["fig4_pairs"]
    maps = maps[(maps.metric == "procrustes") & maps.step.isin(steps)]
    shares = matching_shares(maps)
    missing = [str(step) for step in steps if step not in set(shares.step)]
    if missing:
        raise NoStatistic(f"no layer × layer scores of procrustes at step {', '.join(missing)}")
    chance = shares.groupby("architecture").n_layers.max().map(chance_within_one)
    said = ", ".join(f"{value:.2f} ({name})" for name, value in chance.items())
    notes = (f"a match at random would be within one layer with probability {said}",)
    return shares.set_index([*PAIR, "step"]).value.unstack("step"), notes


def _depth_slope(rows: pd.DataFrame, value: str) -> pd.Series:
    """Slope on depth of `value` averaged over conditions, per pair."""
    wide = rows.groupby([*PAIR, "depth"])[value].mean().unstack("depth")
    return pd.Series(slope(wide.columns.to_numpy(float), wide.to_numpy()), index=wide.index)


def _levels(tables: Tables) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Mean score over layers and accuracy of each pair at step 0, after epoch 1 and at the end."""
    final, epoch = _final(tables), int(tables["datasets"].steps_per_epoch.iloc[0])
    if final <= epoch:
        raise NoStatistic("training ends with epoch 1, so there is nothing later to compare")
    steps = {0: "0", epoch: "1", final: "F"}
    rows = tables["fig5_pairs"]
    rows = rows[(rows.metric == "procrustes") & (rows.role != "logits") & rows.step.isin(steps)]
    missing = [str(step) for step in steps if step not in set(rows.step)]
    if missing:
        raise NoStatistic(
            f"no procrustes scores at step {', '.join(missing)} (epoch 1 ends at {epoch})"
        )
    rows, unknown = complete_layers(rows, ["score"])
    means = rows.groupby([*PAIR, "step"])[["score", "accuracy"]].mean().unstack("step")
    means.columns = [f"{'s' if name == 'score' else 'acc'}{steps[step]}" for name, step in means]
    s0, s1, last = means.s0.mean(), means.s1.mean(), means.sF.mean()
    note = (
        f"s1/sF = {s1 / last:.2f} beside s0/sF = {s0 / last:.2f} (s0 {s0:.3f}, s1 {s1:.3f}, "
        f"sF {last:.3f}); epoch 1 is {epoch / final:.0%} of the steps"
    )
    return means, (note, *_left_out(unknown, "without a score"))


def _no_gain(levels: pd.DataFrame) -> str:
    low, high = _range(levels.sF - levels.s0)
    gain = f"sF − s0 has the interval {low:.3f} to {high:.3f}"
    return f"training adds no alignment here: {gain}" if low <= 0 else ""


def _range(values: pd.Series, left_out: list[pd.Series] | None = None) -> tuple[float, float]:
    families = None
    if left_out is not None:
        families = [each.reindex(values.index).to_numpy() for each in left_out]
    interval = jackknife(values.to_numpy(), Pairs.of(values.index.to_frame()), families)
    return float(interval.low), float(interval.high)


def _drops(tables: Tables) -> tuple[pd.DataFrame, tuple[str, ...]]:
    rows = tables["fig6_pairs"]
    rows = rows[(rows.metric == "procrustes") & (rows.role != "logits")]
    if rows.empty:
        raise NoStatistic("no procrustes scores on out-of-distribution conditions")
    rows, unknown = complete_layers(rows, ["drop"])
    if rows.empty:
        raise NoStatistic("no layer has a score on every out-of-distribution condition")
    count = len(rows[["stimuli", "condition"]].drop_duplicates())
    notes = (f"{count} conditions of {rows.group.nunique()} families",)
    return rows, notes + _left_out(unknown, "without a score")


def _over_families(
    rows: pd.DataFrame, value: Callable[[pd.DataFrame], pd.Series], notes: tuple[str, ...]
) -> Contrast:
    left_out = [value(rows[rows.group != family]) for family in sorted(rows.group.unique())]
    return Contrast(value(rows), left_out, notes)


def _slopes(tables: Tables, of: Callable[[pd.DataFrame], pd.Series]) -> Contrast:
    rows, _ = _drops(tables)
    drops = third_drops(rows)
    kept = usable(drops)
    if kept.empty:
        raise NoStatistic("no condition has an accuracy away from chance")
    count = len(kept[["stimuli", "condition"]].drop_duplicates())
    notes = [f"{count} conditions of {kept.group.nunique()} families"]
    for name, gone in (
        ("within 2 points of chance", drops[drops.near_chance.astype(bool)]),
        ("without an accuracy", drops[drops.accuracy_drop.isna()]),
    ):
        listed = gone[["architecture", "stimuli", "condition"]].drop_duplicates()
        if len(listed):
            said = ", ".join(" ".join(row).strip() for row in listed.itertuples(index=False))
            notes.append(f"left out, {name}: {said}")
    grey = from_colour(kept)
    if len(grey):
        measured = _over_families(grey, lambda d: of(condition_slopes(d)), ())
        low, high = _range(measured.values, measured.left_out)
        mean = measured.values.groupby("architecture").mean().mean()
        notes.append(f"with drops measured from colour {mean:.3f} ({low:.3f} to {high:.3f})")
    return _over_families(kept, lambda d: of(condition_slopes(d)), tuple(notes))
