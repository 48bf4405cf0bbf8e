"""Representational similarity analysis of two sets of responses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from .crossvalidation import folds
from .dissimilarities import dissimilarities, spearman, standard_ranks
from .invariances import PATTERNS
from .kernels import read_patterns
from .measurement import register_measure, undefined
from .responses import Responses

if TYPE_CHECKING:
    from .arrays import Device


@register_measure(
    "rsa",
    invariant_to=PATTERNS,
    values="−1 to 1, 1 alike, 0 on average where unrelated",
    source="Kriegeskorte, Mur & Bandettini 2008, Front. Syst. Neurosci. 2",
)
def rsa(
    x: Responses,
    y: Responses,
    device: Device,
    n_folds: int | None = None,
    seed: int = 0,
) -> float:
    """Spearman correlation of the dissimilarities 1 − r of all pairs of stimuli.

    With `n_folds` it is the mean over folds of stimuli (those of `score` with this `seed`), each
    of the pairs within the fold, as scores on held-out folds are.
    """
    patterns = [read_patterns(side, device) for side in (x, y)]
    chosen = [np.arange(x.n)]
    if n_folds is not None:
        fold_of = folds(x.n, n_folds, seed)
        chosen = [np.flatnonzero(fold_of == fold) for fold in range(n_folds)]
    if min(map(len, chosen)) < 3:
        raise ValueError(f"rsa needs 3 stimuli or more in each fold, got {x.n} stimuli in all")
    for side, of_side in zip((x, y), patterns, strict=True):
        alike = torch.nonzero((of_side == of_side[:, :1]).all(1)).flatten()
        if len(alike):
            return undefined(
                f"all units of {side.label} respond alike to {len(alike)} of the stimuli, the "
                f"first of which is stimulus {int(alike[0])}"
            )
    scores = []
    for stimuli in chosen:
        ranks = [
            standard_ranks(dissimilarities(of_side[stimuli], torch.float64)) for of_side in patterns
        ]
        scores.append(spearman(ranks[0][None], ranks[1][None]).item())
    return float(np.mean(scores))
