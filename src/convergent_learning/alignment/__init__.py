"""Alignment of two sets of responses to the same stimuli: arrays or files in, scores out.

Importing this package does not load torch; scores of stored moments do without it altogether.
"""

from __future__ import annotations

from .activation_reader import StoredActivations, read_activations
from .activation_writer import save_activations
from .api import RotatedBasis, Score, rotated_basis, score, shuffled, transfer
from .array_pair import FewRowsWarning
from .calibration import MaxOverLayers, PermutationTest, max_over_layers
from .crossvalidation import MIN_ROWS_PER_UNIT, folds
from .measurement import measure, measures, register_measure
from .permutations import permutation_test
from .positions import grid_size, sample_positions
from .registry import metrics, register
from .score_tables import score_table
from .store import write_moments

__all__ = [
    "MIN_ROWS_PER_UNIT",
    "FewRowsWarning",
    "MaxOverLayers",
    "PermutationTest",
    "RotatedBasis",
    "Score",
    "StoredActivations",
    "folds",
    "grid_size",
    "max_over_layers",
    "measure",
    "measures",
    "metrics",
    "permutation_test",
    "read_activations",
    "register",
    "register_measure",
    "rotated_basis",
    "sample_positions",
    "save_activations",
    "score",
    "score_table",
    "shuffled",
    "transfer",
    "write_moments",
]
