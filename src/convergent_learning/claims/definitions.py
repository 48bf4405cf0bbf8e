"""The claims, once each: what they say, what decides them, and where their numbers are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import NamedTuple

from convergent_learning.alignment.crossvalidation import MIN_ROWS_PER_UNIT
from convergent_learning.claims import contrasts
from convergent_learning.claims.contrasts import (
    EARLY_DROP,
    EPOCH_ONE_SHARE,
    HALF,
    LINEAR_SHARE,
    SUPERVISED_SHARE,
    Contrast,
)
from convergent_learning.tables.drops import NEAR_CHANCE_IN_WORDS
from convergent_learning.tables.matches import CLAIMED_SHARE
from convergent_learning.tables.printed import in_print
from convergent_learning.tables.recordings import systems_of
from convergent_learning.tables.storage import Tables


class Part(NamedTuple):
    """A part of a claim: a statistic that is compared with a threshold.

    `text` says it in a table; `holds` and `fails` say it in a sentence, if the statistic lies above
    the threshold and if it does not. The statistic is `over` of `quantity`, and `contrast` computes
    it from the tables of one dataset. The part is moot where the part `gate` is not supported, and
    one that is not `counted` has no say in the verdict of its claim. `remark` gives the sentence
    that an estimate calls for, if any.
    """

    id: str
    text: str
    over: str
    quantity: str
    contrast: Callable[[Tables], Contrast]
    figure: int
    source: str
    holds: str
    fails: str
    threshold: float = 0.0
    gate: str = ""
    counted: bool = True
    remark: Callable[[float], str] = lambda estimate: ""

    @property
    def across_kinds(self) -> bool:
        """Whether it is about groups of several kinds, or about each group."""
        return self.figure in (7, 8)

    @property
    def letter(self) -> str:
        """What follows the number of its claim."""
        return self.id.lstrip("C0123456789")

    @property
    def statistic(self) -> str:
        """What is computed, and from which columns."""
        return f"{self.over}{self.quantity} [figure {self.figure}; {self.source}]"


class Claim(NamedTuple):
    """A claim of the paper; it has the weakest verdict of its parts."""

    id: str
    text: str
    parts: tuple[Part, ...]


def _rise(estimate: float) -> str:
    """The statistic of C6b is `EARLY_DROP` minus the drop: above `EARLY_DROP` there is a rise."""
    rise = estimate - EARLY_DROP
    if rise <= 0:
        return ""
    return (
        f"Early layers lose nothing: their mean score is {in_print(rise)} higher on these stimuli "
        "than on the unaltered ones."
    )


_FIG2 = "tables/fig2_pairs.csv: score at step = final_step, baseline = learned, center = position"
_FIG3 = "tables/fig3_pairs.csv: difference of metric = permutation"
_FIG4 = "tables/fig4_pairs.csv: score of metric = procrustes, source_role = target_role = block"
_FIG5 = "tables/fig5_pairs.csv: score of metric = procrustes, at steps 0, 1 epoch and final_step"
_FIG6 = "tables/fig6_pairs.csv: drop (id − ood) of metric = procrustes"
_PAIRS = "mean over pairs of "
_BOTH = "mean over pairs and layers of "

CLAIMS = (
    Claim(
        "C1",
        "Rotations align networks nearly as well as linear maps",
        (
            Part(
                "C1a",
                f"Procrustes reaches {LINEAR_SHARE:.0%} of linear",
                _BOTH,
                f"procrustes − {LINEAR_SHARE:g}·linear",
                contrasts.rotations_linear,
                2,
                f"{_FIG2}, rows_per_unit ≥ {MIN_ROWS_PER_UNIT}",
                holds=f"Procrustes reaches {LINEAR_SHARE:.0%} of the linear score",
                fails=f"Procrustes does not reach {LINEAR_SHARE:.0%} of the linear score",
            ),
            Part(
                "C1b",
                "Procrustes is nearer to linear than to permutation",
                _BOTH,
                "procrustes − 0.5·linear − 0.5·permutation",
                contrasts.rotations_permutation,
                2,
                f"{_FIG2}, rows_per_unit ≥ {MIN_ROWS_PER_UNIT}",
                holds="Procrustes is nearer to linear than to permutation",
                fails="Procrustes is no nearer to linear than to permutation",
            ),
        ),
    ),
    Claim(
        "C2",
        "Permutation alignment is far above chance: a privileged basis, and a learned one",
        (
            Part(
                "C2a",
                "Permutation scores fall when the basis is rotated",
                _BOTH,
                "learned − rotated",
                contrasts.basis,
                3,
                f"{_FIG3} at step = final_step",
                holds="permutation scores fall when the basis is rotated",
                fails="permutation scores do not fall when the basis is rotated",
            ),
            Part(
                "C2b",
                "… by more than in untrained networks",
                _BOTH,
                "(learned − rotated) minus its value at step 0",
                contrasts.basis_learned,
                3,
                f"{_FIG3} at step 0 and final_step",
                holds="they fall by more than in untrained networks",
                fails="they fall by no more than in untrained networks, so training need not have "
                "made the basis",
            ),
        ),
    ),
    Claim(
        "C3",
        "Layers match their counterparts, and early layers align more",
        (
            Part(
                "C3a",
                "Best matches lie within one layer of the counterpart",
                _PAIRS,
                "the share of target blocks whose best source block (of equal ones, the "
                "counterpart) lies within one layer of the counterpart, both directions averaged",
                contrasts.matches,
                4,
                f"{_FIG4} at step = final_step",
                holds="best matches lie within one layer of the counterpart",
                fails="best matches lie within one layer of the counterpart too seldom",
                threshold=CLAIMED_SHARE,
            ),
            Part(
                "C3b",
                "… more often than in untrained networks",
                _PAIRS,
                "the share of C3a minus its value at step 0",
                contrasts.matches_learned,
                4,
                f"{_FIG4} at step 0 and final_step",
                holds="they do so more often than in untrained networks",
                fails="they do so no more often than in untrained networks",
            ),
            Part(
                "C3c",
                "Early layers align more",
                _PAIRS,
                "−(slope of own-layer procrustes on depth, blocks)",
                contrasts.early_more,
                2,
                f"{_FIG2}, metric = procrustes, role = block, depth",
                holds="early layers align more than late ones",
                fails="early layers do not align more",
            ),
        ),
    ),
    Claim(
        "C4",
        "Nearly all convergence happens in epoch 1",
        (
            Part(
                "C4a",
                f"Epoch 1 brings {EPOCH_ONE_SHARE:.0%} of the gain in alignment",
                _PAIRS,
                f"(s1 − s0) − {EPOCH_ONE_SHARE:g}·(sF − s0), s = mean over layers",
                contrasts.epoch_one,
                5,
                _FIG5,
                holds=f"epoch 1 brings more than {EPOCH_ONE_SHARE:.0%} of the gain in alignment",
                fails=f"epoch 1 brings less than {EPOCH_ONE_SHARE:.0%} of the gain in alignment",
                gate="C4b",
            ),
            Part(
                "C4b",
                "Training adds alignment",
                _PAIRS,
                "sF − s0, s = mean over layers",
                contrasts.gain,
                5,
                _FIG5,
                holds="training adds alignment",
                fails="training takes alignment away",
            ),
        ),
    ),
    Claim(
        "C5",
        "Convergence happens before the task is solved",
        (
            Part(
                "C5a",
                "Epoch 1 brings a larger share of the alignment than of the accuracy",
                _PAIRS,
                "(s1 − s0) − a·(sF − s0), a = (acc1 − chance)/(accF − chance) of the pair",
                contrasts.before_solved,
                5,
                f"{_FIG5}; accuracy",
                holds="epoch 1 brings a larger share of the final alignment than of the final "
                "accuracy",
                fails="epoch 1 brings no larger share of the final alignment than of the final "
                "accuracy",
                gate="C4b",
            ),
        ),
    ),
    Claim(
        "C6",
        "Out-of-distribution inputs pull later layers apart while early ones stay",
        (
            Part(
                "C6a",
                "The drop grows with depth",
                _PAIRS,
                "the slope on depth of the drop averaged over conditions, blocks",
                contrasts.later_apart,
                6,
                f"{_FIG6}, role = block, depth",
                holds="alignment drops more in later layers",
                fails="alignment does not drop more in later layers",
            ),
            Part(
                "C6b",
                f"Early layers lose less than {EARLY_DROP:g}",
                "",
                f"{EARLY_DROP:g} − mean over pairs, conditions and the first third of blocks of "
                "the drop",
                contrasts.early_stay,
                6,
                f"{_FIG6}, role = block",
                holds=f"early layers lose less than {EARLY_DROP:g}",
                fails=f"early layers lose {EARLY_DROP:g} or more",
                remark=_rise,
            ),
        ),
    ),
    Claim(
        "C7",
        "Late layers come apart in proportion to the shift",
        (
            Part(
                "C7a",
                "Late layers lose alignment as accuracy is lost",
                _PAIRS,
                "the slope, over conditions, of the drop of the last third of blocks on "
                f"accuracy_drop; conditions {NEAR_CHANCE_IN_WORDS} left out",
                contrasts.proportional,
                6,
                f"{_FIG6}, accuracy_drop, near_chance",
                holds="late layers lose alignment as accuracy is lost",
                fails="late layers do not lose alignment as accuracy is lost",
            ),
            Part(
                "C7b",
                "… and more steeply than early layers",
                _PAIRS,
                "the slope of C7a minus that of the first third of blocks",
                contrasts.proportional_late,
                6,
                f"{_FIG6}, accuracy_drop, near_chance",
                holds="they lose it more steeply than early layers",
                fails="they lose it no more steeply than early layers",
            ),
        ),
    ),
)
PARTS = {part.id: part for claim in CLAIMS for part in claim.parts}
_FIG7 = "tables/fig7_pairs.csv: score of metric = procrustes at step = final_step, role ≠ logits"
_EARLY = "mean over pairs and the first third of blocks of "
_FIG8 = "tables/fig8_networks.csv: score of metric = rsa, subject = mean, role = block"
_LATE = "mean over networks and the last third of blocks of "


def claims_of(tables: Tables) -> tuple[Claim, ...]:
    """The claims that can be asked of the tables of a dataset.

    C8 needs groups of figure 7, C9 recordings.
    """
    groups = contrasts.compared_groups(tables) if "fig7_pairs" in tables else []
    systems = systems_of(tables["recordings"]) if "recordings" in tables else []
    claims = driver_claim(groups), brain_claim(systems)
    return (*CLAIMS, *(claim for claim in claims if claim.parts))


def driver_claim(groups: Iterable[str]) -> Claim:
    """C8, asked of each of the groups that are compared with the supervised one."""
    return Claim(
        "C8",
        "What networks converge to is set by inputs and architecture, not by the task",
        tuple(part for group in groups for part in _of_group(group)),
    )


def brain_claim(systems: Iterable[tuple[str, str]]) -> Claim:
    """C9, asked of each (recording, system)."""
    return Claim(
        "C9",
        "Learned networks resemble the ventral stream more than untrained ones, and most of that "
        "is there after epoch 1",
        tuple(part for system in systems for part in _of_system(*system)),
    )


def part_named(name: str) -> Part:
    """The part with an id, those of C8 and C9 among them; KeyError for another."""
    parts = PARTS
    if found := re.fullmatch(r"C8[abc]-(.+)", name):
        parts = {part.id: part for part in _of_group(found[1])}
    elif found := re.fullmatch(r"C9[ab]-(.+?) (.+)", name):
        parts = {part.id: part for part in _of_system(found[1], found[2])}
    return parts[name]


def _of_group(group: str) -> list[Part]:
    """The parts of C8 about one group G; S is the supervised group, U its untrained networks."""
    share = f"{SUPERVISED_SHARE:.0%}"
    return [
        Part(
            f"C8a-{group}",
            f"{group} aligns with supervised networks more than untrained ones do",
            _BOTH,
            f"s_SG − s_SU, G = {group}",
            partial(contrasts.beyond_untrained, group=group),
            7,
            _FIG7,
            holds=f"networks of {group} align with supervised ones more than untrained ones do",
            fails=f"networks of {group} align with supervised ones no more than untrained ones do",
        ),
        Part(
            f"C8b-{group}",
            "… in early layers almost as supervised ones do among themselves",
            _EARLY,
            f"s_SG − {SUPERVISED_SHARE:g}·s_SS, G = {group}",
            partial(contrasts.as_supervised, group=group, third="early"),
            7,
            f"{_FIG7}, role = block",
            holds=f"early layers of {group} align with supervised ones at least {share} as well as "
            "those do among themselves",
            fails=f"early layers of {group} align with supervised ones less than {share} as well "
            "as those do among themselves",
        ),
        Part(
            f"C8c-{group}",
            "… in all layers: the task adds nothing",
            _BOTH,
            f"s_SG − {SUPERVISED_SHARE:g}·s_SS, G = {group}",
            partial(contrasts.as_supervised, group=group, third="all"),
            7,
            _FIG7,
            holds=f"all layers of {group} align with supervised ones at least {share} as well as "
            "those do among themselves",
            fails=f"all layers of {group} align with supervised ones less than {share} as well as "
            "those do among themselves",
            counted=False,
        ),
    ]


def _of_system(recording: str, system: str) -> list[Part]:
    """The parts of C9 about a system of a recording."""
    last = f"C9a-{recording} {system}"
    return [
        Part(
            last,
            f"Late layers resemble {system} more after training",
            _LATE,
            f"bF − b0, b = rsa with {system} of {recording}",
            partial(contrasts.nearer_to_system, recording=recording, system=system),
            8,
            f"{_FIG8}, step 0 and final_step",
            holds=f"late layers of trained networks resemble {system} more than those of untrained "
            "ones",
            fails=f"late layers of trained networks resemble {system} no more than those of "
            "untrained ones",
        ),
        Part(
            f"C9b-{recording} {system}",
            "… most of it after epoch 1",
            _LATE,
            f"(b1 − b0) − {HALF:g}·(bF − b0), b = rsa with {system} of {recording}",
            partial(contrasts.nearer_in_epoch_one, recording=recording, system=system),
            8,
            f"{_FIG8}, steps 0, 1 epoch and final_step",
            holds=f"more than half of the rise towards {system} is there after epoch 1",
            fails=f"less than half of the rise towards {system} is there after epoch 1",
            gate=last,
        ),
    ]
