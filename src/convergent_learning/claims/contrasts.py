"""The statistic of each part of each claim: one value per pair of networks, from the tables.

Rows are within group, position-centred and learned unless said; `layers` are all scored
layers but the logits, `blocks` those without the pooled features. A layer that has no score in some
network is left out of its group and named.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd

from convergent_learning.claims.ingredients import (
    NoStatistic,
    basis_gaps,
    conditions_note,
    converged,
    depth_rows,
    final_scores,
    final_spans,
    left_out_note,
    match_shares,
    noise_ceiling,
    ood_drops,
    parting,
    passing_matches,
    passing_shares,
    resampled_gains,
    system_levels,
    training_levels,
)
from convergent_learning.tables.depth import complete_layers, slope
from convergent_learning.tables.drops import (
    NEAR_CHANCE_IN_WORDS,
    condition_slopes,
    from_colour,
    third_drops,
    usable,
)
from convergent_learning.tables.intervals import PAIR, Interval, Pairs, jackknife
from convergent_learning.tables.printed import in_print
from convergent_learning.tables.stages import TRAINED, UNTRAINED
from convergent_learning.tables.storage import Tables
from convergent_learning.tables.summaries import between, supervised

# What claims ask for, beside CLAIMED_SHARE of the best matches.
LINEAR_SHARE = 0.8  # of the linear score, from Procrustes
EPOCH_ONE_SHARE = 0.9  # of the gain of the whole training, from epoch 1
EARLY_DROP = 0.05  # which early layers stay below
SUPERVISED_SHARE = 0.9  # of the scores of supervised networks among themselves
HALF = 0.5  # of the rise towards a system, from epoch 1


class Contrast(NamedTuple):
    """Values per pair, the same with each family left out, and what to say of them."""

    values: pd.Series  # indexed by group, seed_x, seed_y
    left_out: Sequence[pd.Series] | None = None
    notes: tuple[str, ...] = ()
    moot: str = ""  # why no verdict can be drawn though the numbers exist

    def interval(self) -> Interval:
        """Mean over pairs with its interval."""
        families = None
        if self.left_out is not None:
            families = [each.reindex(self.values.index).to_numpy() for each in self.left_out]
        pairs = Pairs.of(self.values.index.to_frame())
        return jackknife(self.values.to_numpy(), pairs, families)

    def ends(self) -> tuple[float, float]:
        """Both ends of the interval."""
        interval = self.interval()
        return float(interval.low), float(interval.high)


def rotations_linear(tables: Tables) -> Contrast:
    """C1a: how far Procrustes exceeds its share of linear."""
    wide, notes = final_scores(tables, ["procrustes", "linear"])
    notes += (_metric_means(wide),)
    return Contrast(_pair_mean(wide.procrustes - LINEAR_SHARE * wide.linear), notes=notes)


def rotations_permutation(tables: Tables) -> Contrast:
    """C1b: how far Procrustes exceeds the midpoint of linear and permutation."""
    wide, notes = final_scores(tables, ["procrustes", "linear", "permutation"])
    halfway = 0.5 * wide.linear + 0.5 * wide.permutation
    return Contrast(_pair_mean(wide.procrustes - halfway), notes=(*notes, _metric_means(wide)))


def basis(tables: Tables) -> Contrast:
    """C2a: what permutation loses when the basis is rotated."""
    difference, notes = basis_gaps(tables, [TRAINED])
    values = _pair_mean(difference[TRAINED])
    return Contrast(values, notes=(passing_shares(tables), *notes))


def basis_learned(tables: Tables) -> Contrast:
    """C2b: the same, trained minus untrained."""
    difference, notes = basis_gaps(tables, [UNTRAINED, TRAINED])
    gained = difference[TRAINED] - difference[UNTRAINED]
    trained, untrained = _group_mean(difference)[[TRAINED, UNTRAINED]]
    gaps = f"learned minus rotated is {trained:.3f} trained and {untrained:.3f} at step 0"
    return Contrast(_pair_mean(gained), notes=(gaps, passing_shares(tables), *notes))


def matches(tables: Tables) -> Contrast:
    """C3a: share of best matches within one layer."""
    shares, notes = match_shares(tables, [TRAINED])
    return Contrast(shares[TRAINED], notes=(*notes, *passing_matches(tables)))


def matches_learned(tables: Tables) -> Contrast:
    """C3b: that share, trained minus untrained."""
    shares, notes = match_shares(tables, [UNTRAINED, TRAINED])
    both = f"{shares[TRAINED].mean():.3f} trained, {shares[UNTRAINED].mean():.3f} untrained"
    return Contrast(shares[TRAINED] - shares[UNTRAINED], notes=(both, *notes))


def early_more(tables: Tables) -> Contrast:
    """C3c: minus the slope of own-layer scores on depth."""
    rows = depth_rows(tables, ["procrustes"])
    rows, left_out = complete_layers(rows[rows.role == "block"], ["score"])
    return Contrast(-_depth_slope(rows, "score"), notes=left_out_note(left_out, "without a score"))


def epoch_one(tables: Tables) -> Contrast:
    """C4a: gain of epoch 1 beyond its share of the whole gain."""
    levels, notes = training_levels(tables)
    values = (levels.s1 - levels.s0) - EPOCH_ONE_SHARE * (levels.sF - levels.s0)
    return Contrast(values, notes=notes, moot=_no_gain(levels))


def gain(tables: Tables) -> Contrast:
    """C4b: the whole gain."""
    levels, notes = training_levels(tables)
    gained = Contrast(levels.sF - levels.s0, notes=notes)
    low, high = gained.ends()
    return gained._replace(moot=_without_gain(low, high) if low <= 0 <= high else "")


def before_solved(tables: Tables) -> Contrast:
    """C5: gain of epoch 1 beyond the share of accuracy that epoch 1 brings."""
    levels, notes = training_levels(tables)
    chance = float(tables["datasets"].chance.iloc[0])
    if levels[["acc1", "accF"]].isna().any(axis=None):
        raise NoStatistic("no accuracy at the end of epoch 1 or at the last step")
    solved = (levels.acc1 - chance) / (levels.accF - chance)
    values = (levels.s1 - levels.s0) - solved * (levels.sF - levels.s0)
    learned = levels.accF > chance
    values = values.where(learned)
    if not learned.all():
        notes = (*notes, f"{int((~learned).sum())} pairs left out that end at chance")
    accuracy = (
        f"accuracy above chance after epoch 1 is {solved[learned].mean():.3f} of the final one"
    )
    return Contrast(values, notes=(accuracy, *notes), moot=_no_gain(levels))


def later_apart(tables: Tables) -> Contrast:
    """C6a: slope of the drop on depth."""
    rows, notes = ood_drops(tables)
    rows = rows[rows.role == "block"]
    return _over_families(rows, lambda kept: _depth_slope(kept, "drop"), notes)


def early_stay(tables: Tables) -> Contrast:
    """C6b: room below `EARLY_DROP` in the first third."""
    rows, notes = ood_drops(tables)
    drops = third_drops(rows)
    notes = (
        *notes,
        f"mean drop {in_print(drops.early.mean())} of early, {in_print(drops.late.mean())} of late "
        "blocks",
    )
    return _over_families(drops, lambda kept: EARLY_DROP - kept.groupby(PAIR).early.mean(), notes)


def proportional(tables: Tables) -> Contrast:
    """C7a: slope of late alignment drop on accuracy drop."""
    return _slopes(tables, lambda slopes: slopes.late)


def proportional_late(tables: Tables) -> Contrast:
    """C7b: that slope minus the early one."""
    return _slopes(tables, lambda slopes: slopes.late - slopes.early)


def compared_groups(tables: Tables) -> list[str]:
    """Groups that the supervised one is compared with in C8: trained, of its architecture."""
    groups, pairs = tables["groups"], tables["fig7_pairs"]
    reference = supervised(groups)
    alike = {*pairs[pairs.group_x == reference].group_y, *pairs[pairs.group_y == reference].group_x}
    trained = groups.group[groups.objective != "none"]
    return [group for group in trained if group in alike - {reference}]


def beyond_untrained(tables: Tables, group: str) -> Contrast:
    """C8a: alignment with supervised networks beyond that of untrained networks with them."""
    groups = tables["groups"]
    untrained = groups.group[groups.objective == "none"]
    if untrained.empty:
        raise NoStatistic("no group of untrained networks (objective: none)")
    spans, left_out = final_spans(tables)
    reference = supervised(groups)
    everywhere = spans[spans.third == "all"]
    across = between(everywhere, reference, group)
    # The first of them that is compared at all: of the same architecture.
    chances = (between(everywhere, reference, other) for other in untrained)
    chance = next((scores for scores in chances if len(scores)), across[:0])
    both = f"means s_SG {across.mean():.3f}, s_SU {chance.mean():.3f}"
    return _difference(across, chance, (both, *left_out))


def as_supervised(tables: Tables, group: str, third: str) -> Contrast:
    """C8b, c: alignment with supervised networks beyond their share of those among themselves."""
    spans, left_out = final_spans(tables)
    reference = supervised(tables["groups"])
    within, across = (
        between(spans[spans.third == third], reference, other) for other in (reference, group)
    )
    notes = (
        f"means s_SG {across.mean():.3f}, s_SS {within.mean():.3f}",
        *converged(tables, group),
        *parting(tables, group),
        *left_out,
    )
    return _difference(across, SUPERVISED_SHARE * within, notes)


def nearer_to_system(tables: Tables, recording: str, system: str) -> Contrast:
    """C9a: rise of the score of late layers with a system, trained minus untrained."""
    levels, left_out = system_levels(tables, recording, system, ("b0", "bF"))
    notes = (
        f"means trained {levels.bF.mean():.3f}, untrained {levels.b0.mean():.3f}",
        *resampled_gains(tables, recording, system),
        *noise_ceiling(tables, recording, system),
        *left_out,
    )
    return Contrast(levels.bF - levels.b0, notes=notes)


def nearer_in_epoch_one(tables: Tables, recording: str, system: str) -> Contrast:
    """C9b: rise of epoch 1 beyond half of the whole rise."""
    levels, left_out = system_levels(tables, recording, system, ("b0", "b1", "bF"))
    rise = Contrast(levels.bF - levels.b0)
    low, high = rise.ends()
    values = (levels.b1 - levels.b0) - HALF * (levels.bF - levels.b0)
    said = "whether there is a rise is open" if high > 0 else "there is no rise here"
    moot = f"{said}: bF − b0 has the interval {low:.3f} to {high:.3f}" if low <= 0 else ""
    notes = (f"mean after epoch 1 {levels.b1.mean():.3f}", *left_out)
    return Contrast(values, notes=notes, moot=moot)


def _difference(one: pd.Series, other: pd.Series, notes: tuple[str, ...]) -> Contrast:
    """Mean of one kind of pairs minus mean of another, whose networks are deleted together."""
    if one.empty or other.empty:
        raise NoStatistic("no pairs across the two groups")
    # The interval is of the mean over pairs of groups, of which there are two.
    return Contrast(pd.concat([2 * one, -2 * other]), notes=notes)


def _metric_means(wide: pd.DataFrame) -> str:
    return "means " + ", ".join(f"{name} {mean:.3f}" for name, mean in _group_mean(wide).items())


def _group_mean(wide: pd.DataFrame) -> pd.Series:
    """Mean of each column over (pair × layer) rows, weighted as the estimates of claims are."""
    return wide.groupby(PAIR).mean().groupby("group").mean().mean()


def _pair_mean(values: pd.Series) -> pd.Series:
    return values.groupby(PAIR).mean()


def _depth_slope(rows: pd.DataFrame, value: str) -> pd.Series:
    """Slope on depth of `value` averaged over conditions, per pair."""
    wide = rows.groupby([*PAIR, "depth"])[value].mean().unstack("depth")
    return pd.Series(slope(wide.columns.to_numpy(float), wide.to_numpy()), index=wide.index)


def _no_gain(levels: pd.DataFrame) -> str:
    low, high = Contrast(levels.sF - levels.s0).ends()
    said = f"{_without_gain(low, high)}: sF − s0 has the interval {low:.3f} to {high:.3f}"
    return said if low <= 0 else ""


def _without_gain(low: float, high: float) -> str:
    """What the interval of a gain says whose lower end is not above 0."""
    if high > 0:
        return "whether training adds alignment is open"
    return "training adds no alignment here"


def _over_families(
    rows: pd.DataFrame, value: Callable[[pd.DataFrame], pd.Series], notes: tuple[str, ...]
) -> Contrast:
    left_out = [value(rows[rows.family != family]) for family in sorted(rows.family.unique())]
    return Contrast(value(rows), left_out, notes)


def _slopes(tables: Tables, of: Callable[[pd.DataFrame], pd.Series]) -> Contrast:
    rows, _ = ood_drops(tables)
    drops = third_drops(rows)
    kept = usable(drops)
    if kept.empty:
        raise NoStatistic("no condition has an accuracy away from chance")
    notes = [conditions_note(kept)]
    for name, gone in (
        (NEAR_CHANCE_IN_WORDS, drops[drops.near_chance.astype(bool)]),
        ("without an accuracy", drops[drops.accuracy_drop.isna()]),
    ):
        listed = gone[["group", "stimuli", "condition"]].drop_duplicates()
        if len(listed):
            said = ", ".join(" ".join(row).strip() for row in listed.itertuples(index=False))
            notes.append(f"left out, {name}: {said}")
    grey = from_colour(kept)
    if len(grey):
        measured = _over_families(grey, lambda d: of(condition_slopes(d)), ())
        low, high = measured.ends()
        mean = measured.values.groupby("group").mean().mean()
        notes.append(f"with drops measured from colour {mean:.3f} ({low:.3f} to {high:.3f})")
    return _over_families(kept, lambda d: of(condition_slopes(d)), tuple(notes))
