"""Text alternatives of the figures: what a reader would see, with numbers from the tables."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from convergent_learning.figures import style
from convergent_learning.figures.fig8 import ceiling_in_words
from convergent_learning.tables.kinds import of_one_kind
from convergent_learning.tables.stages import TRAINED, UNTRAINED
from convergent_learning.tables.storage import Tables, read_table, read_tables, with_stages


def alternative(number: int, tables: Path) -> str:
    """The text alternative of figure `number`; the caption says how to read it."""
    return _WRITERS[number](tables)


def _stimuli_and_networks(tables: Path) -> str:
    conditions, (kept, whose) = read_table(tables, "conditions"), _of_one_kind(tables, "accuracy")
    accuracy = kept["accuracy"]
    last = accuracy[accuracy.stage == TRAINED]
    means = last.groupby(["stimuli", "condition"], sort=False).accuracy.mean().dropna()
    plain = means[means.index.get_level_values("stimuli") == "id"]
    shifted = means.drop(plain.index)
    text = (
        f"A test image under each of {len(conditions)} conditions; curves of loss and accuracy "
        "over training; accuracy on each condition."
    )
    if plain.empty:
        return text
    text += f" Mean accuracy{whose} is {plain.mean():.2f} on the unaltered images"
    if shifted.empty:
        return text + "."
    best, worst = (style.condition(*shifted.idxmax()), style.condition(*shifted.idxmin()))
    return (
        f"{text}, highest on {best} ({shifted.max():.2f}) and lowest on {worst} "
        f"({shifted.min():.2f})."
    )


def _metrics_across_depth(tables: Path) -> str:
    kept, whose = _of_one_kind(tables, "fig2")
    rows = kept["fig2"]
    own = rows[
        (rows.group_x == rows.group_y)
        & (rows.baseline == "learned")
        & (rows.center == "position")
        & (rows.role == "block")
        & rows.metric.isin(style.METRICS)
    ]
    means = own.groupby(["metric", own.stage == TRAINED])["mean"].mean()
    said = [
        f"{style.metric_label(metric)} {value:.2f} {_when(trained, kept['groups'])}"
        for (metric, trained), value in means.items()
    ]
    return (
        "Curves of the score across depth, a column for each metric and a row for each pair of "
        f"groups. Mean over blocks within groups{whose}: {'; '.join(said)}."
    )


def _privileged_basis(tables: Path) -> str:
    kept, whose = _of_one_kind(tables, "fig3")
    fig3 = kept["fig3"]
    blocks = fig3[fig3.role == "block"]
    means = blocks.groupby(blocks.stage == TRAINED)[["learned", "rotated"]].mean()
    said = [
        f"{_when(trained, kept['groups'])} {row.learned:.2f} with the learned and "
        f"{row.rotated:.2f} with rotated axes"
        for trained, row in means.iterrows()
    ]
    text = "Curves of the permutation score across depth"
    return f"{text}. Mean over blocks{whose}: {'; '.join(said)}."


def _layer_by_layer(tables: Path) -> str:
    matches, groups = with_stages(read_tables(tables, ("fig4_matches", "groups"))).values()
    rows = matches[(matches.metric == "procrustes") & matches["mean"].notna()]
    said = [
        f"{style.group(name)} {share:.2f} {_when(stage == TRAINED, groups[groups.group == name])}"
        for name, stage, share in rows[["group", "stage", "mean"]].itertuples(index=False)
    ]
    return (
        "Heat maps of the Procrustes score of every source layer on every target layer, and the "
        f"share of layers whose best match is at most one layer away: {'; '.join(said)}."
    )


def _over_training(tables: Path) -> str:
    kept, whose = _of_one_kind(tables, "fig5", "fig5_accuracy")
    fig5, accuracy = kept["fig5"], kept["fig5_accuracy"]
    whole = fig5[(fig5.layer == "all") & (fig5.metric == "procrustes")]
    levels = _levels(whole, accuracy)
    said = f" Mean Procrustes score and accuracy{whose}: {'; '.join(levels)}." if levels else ""
    return f"Curves of alignment and accuracy over training.{said}"


def _levels(alignment: pd.DataFrame, accuracy: pd.DataFrame) -> list[str]:
    said = []
    for epoch in (0.0, 1.0, alignment.epoch.max()):
        scores = alignment[(alignment.epoch - epoch).abs() < 1e-6]["mean"]
        right = accuracy[(accuracy.epoch - epoch).abs() < 1e-6]["mean"]
        if len(scores) and len(right):
            said.append(f"{scores.mean():.2f} and {right.mean():.2f} at epoch {epoch:g}")
    return list(dict.fromkeys(said))


def _out_of_distribution(tables: Path) -> str:
    slopes = read_table(tables, "fig6_slopes")
    slopes = slopes[slopes.metric == "procrustes"]
    said = [
        f"{style.group(row.group)} {row.slope:.2f} in the {row.third} third"
        for row in slopes[slopes.slope.notna()].itertuples()
    ]
    text = (
        "Curves of the drop of the Procrustes score along depth for each condition, and points of "
        "that drop against the drop in accuracy"
    )
    return f"{text}. Slopes over conditions: {'; '.join(said)}." if said else f"{text}."


def _drivers(tables: Path) -> str:
    shares = read_table(tables, "fig7_shares")
    rows = shares[(shares.metric == "procrustes") & shares.third.isin(("early", "late"))]
    said = [
        f"{style.group(row.group)} {row.share:.2f} in the {row.third} third"
        for row in rows[rows.share.notna()].itertuples()
    ]
    text = (
        "Curves of the alignment of each group with the supervised one, and within itself, along "
        "depth and over training"
    )
    shown = "; ".join(said)
    return f"{text}. Alignment as a share of that within the supervised group: {shown}."


def _networks_and_brains(tables: Path) -> str:
    rows, recordings = _staged(tables, "fig8"), read_table(tables, "recordings")
    ends = rows.stage.isin((UNTRAINED, TRAINED))
    late = rows[(rows.metric == "rsa") & (rows.layer == "late") & ends & rows["mean"].notna()]
    said = []
    for system in recordings.itertuples():
        own = late[(late.recording == system.recording) & (late.system == system.system)]
        levels = [
            f"{style.group(str(group))} {_before_and_after(scores)}"
            for group, scores in own.groupby("group", sort=False)
        ]
        ceiling = ceiling_in_words(system)
        levels += [f"noise ceiling {ceiling}"] if ceiling else []
        said.append(f"{system.recording}, {system.system}: {', '.join(levels) or 'no scores'}")
    return (
        "Curves of the correlation of dissimilarities of layers with those of recorded systems "
        "along depth, and of its rise over training beside that of the alignment of networks with "
        f"one another. Mean over the last third of the blocks: {'; '.join(said)}."
    )


def _before_and_after(rows: pd.DataFrame) -> str:
    """Scores before and after training, as far as there are both."""
    after = rows.stage == TRAINED
    before, trained = rows[~after]["mean"], rows[after]["mean"]
    said = [
        f"{score.mean():.2f} {when}"
        for score, when in ((before, "before"), (trained, "after"))
        if len(score)
    ]
    return f"{' and '.join(said)} training"


def _when(finished: bool, groups: pd.DataFrame) -> str:
    """The stage of networks of the groups: `finished`, at their last step, or untrained."""
    if (groups.final_step == 0).all():
        return "as given"
    return f"{'after' if finished else 'before'} training"


def _of_one_kind(tables: Path, *names: str) -> tuple[Tables, str]:
    """Tables of the groups that claims are judged on, and which these are if there are others."""
    every = with_stages(read_tables(tables, ("groups", *names)))
    kept = of_one_kind(every)
    groups = kept["groups"].group.unique()
    others = every["groups"].group.nunique() - len(groups)
    return kept, f" of {', '.join(map(style.group, groups))}" if others else ""


def _staged(tables: Path, name: str) -> pd.DataFrame:
    """A table with the stages of its rows."""
    return with_stages(read_tables(tables, (name, "groups")))[name]


_WRITERS = {
    1: _stimuli_and_networks,
    2: _metrics_across_depth,
    3: _privileged_basis,
    4: _layer_by_layer,
    5: _over_training,
    6: _out_of_distribution,
    7: _drivers,
    8: _networks_and_brains,
}
