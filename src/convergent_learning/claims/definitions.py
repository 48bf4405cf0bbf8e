"""The parts of the claims: what each says, computes, compares with, and where its numbers are."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from convergent_learning.claims import contrasts
from convergent_learning.claims.contrasts import Contrast
from convergent_learning.claims.ingredients import Tables


class Part(NamedTuple):
    """A part of a claim; `contrast` computes its statistic from the tables of one dataset."""

    id: str
    text: str
    statistic: str
    contrast: Callable[[Tables], Contrast]
    figure: int
    source: str
    threshold: float = 0.0


_FIG2 = "tables/fig2_pairs.csv: score at step = final_step, baseline = learned, center = position"
_FIG3 = "tables/fig3_pairs.csv: difference of metric = permutation"
_FIG4 = "tables/fig4_pairs.csv: score of metric = procrustes, source_role = target_role = block"
_FIG5 = "tables/fig5_pairs.csv: score of metric = procrustes, at steps 0, 1 epoch and final_step"
_FIG6 = "tables/fig6_pairs.csv: drop (id − ood) of metric = procrustes"
_PAIRS = "mean over pairs"
_BOTH = "mean over pairs and layers"

PARTS = (
    Part(
        "C1a",
        "Procrustes reaches 80% of linear",
        f"{_BOTH} of procrustes − 0.8·linear",
        contrasts.rotations_linear,
        2,
        f"{_FIG2}, rows_per_unit ≥ 10",
    ),
    Part(
        "C1b",
        "Procrustes is nearer to linear than to permutation",
        f"{_BOTH} of procrustes − 0.5·linear − 0.5·permutation",
        contrasts.rotations_permutation,
        2,
        f"{_FIG2}, rows_per_unit ≥ 10",
    ),
    Part(
        "C2a",
        "Permutation scores fall when the basis is rotated",
        f"{_BOTH} of learned − rotated",
        contrasts.basis,
        3,
        f"{_FIG3} at step = final_step",
    ),
    Part(
        "C2b",
        "… by more than in untrained networks",
        f"{_BOTH} of (learned − rotated) minus its value at step 0",
        contrasts.basis_learned,
        3,
        f"{_FIG3} at step 0 and final_step",
    ),
    Part(
        "C3a",
        "Best matches lie within one layer of the counterpart",
        f"{_PAIRS} of the share of target blocks whose best source block (ties to the "
        "counterpart) lies within one layer of the counterpart, both directions averaged",
        contrasts.matches,
        4,
        f"{_FIG4} at step = final_step",
        0.8,
    ),
    Part(
        "C3b",
        "… more often than in untrained networks",
        f"{_PAIRS} of the share of C3a minus its value at step 0",
        contrasts.matches_learned,
        4,
        f"{_FIG4} at step 0 and final_step",
    ),
    Part(
        "C3c",
        "Early layers align more",
        f"{_PAIRS} of −(slope of own-layer procrustes on depth, blocks)",
        contrasts.early_more,
        2,
        f"{_FIG2}, metric = procrustes, role = block, depth",
    ),
    Part(
        "C4a",
        "Epoch 1 brings 90% of the gain in alignment",
        f"{_PAIRS} of (s1 − s0) − 0.9·(sF − s0), s = mean over layers",
        contrasts.epoch_one,
        5,
        _FIG5,
    ),
    Part(
        "C4b",
        "Training adds alignment",
        f"{_PAIRS} of sF − s0, s = mean over layers",
        contrasts.gain,
        5,
        _FIG5,
    ),
    Part(
        "C5a",
        "Epoch 1 brings a larger share of the alignment than of the accuracy",
        f"{_PAIRS} of (s1 − s0) − a·(sF − s0), a = (acc1 − chance)/(accF − chance) of the pair",
        contrasts.before_solved,
        5,
        f"{_FIG5}; accuracy",
    ),
    Part(
        "C6a",
        "The drop grows with depth",
        f"{_PAIRS} of the slope on depth of the drop averaged over conditions, blocks",
        contrasts.later_apart,
        6,
        f"{_FIG6}, role = block, depth",
    ),
    Part(
        "C6b",
        "Early layers lose less than 0.05",
        "0.05 − mean over pairs, conditions and the first third of blocks of the drop",
        contrasts.early_stay,
        6,
        f"{_FIG6}, role = block",
    ),
    Part(
        "C7a",
        "Late layers lose alignment as accuracy is lost",
        f"{_PAIRS} of the slope, over conditions, of the drop of the last third of blocks on "
        "accuracy_drop; conditions within 2 points of chance left out",
        contrasts.proportional,
        6,
        f"{_FIG6}, accuracy_drop, near_chance",
    ),
    Part(
        "C7b",
        "… and more steeply than early layers",
        f"{_PAIRS} of the slope of C7a minus that of the first third of blocks",
        contrasts.proportional_late,
        6,
        f"{_FIG6}, accuracy_drop, near_chance",
    ),
)
