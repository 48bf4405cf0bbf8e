"""What may be done to the units of a layer without changing a score: declared, and tested."""

from __future__ import annotations

from enum import StrEnum


class Transformation(StrEnum):
    """What is done to responses (rows, units), to all stimuli alike."""

    PERMUTATION = "permutation"  # the units in another order
    SCALING = "scaling"  # one positive factor
    UNIT_SCALING = "unit scaling"  # a positive factor for each unit
    TRANSLATION = "translation"  # a constant for each unit is added
    ROTATION = "rotation"  # an orthogonal matrix
    LINEAR = "invertible linear"  # any invertible matrix


# Of what sees dissimilarities of patterns across units.
PATTERNS = frozenset({Transformation.PERMUTATION, Transformation.SCALING})
# Of what sees the cosines of patterns.
COSINES = PATTERNS | {Transformation.ROTATION}
# Of what sees the units of a target, and how their variances compare.
BASIS = PATTERNS | {Transformation.TRANSLATION}
# Of what sees correlations of units.
CORRELATIONS = BASIS | {Transformation.UNIT_SCALING}
# Of what sees the shape that the patterns of the stimuli form.
SHAPE = BASIS | {Transformation.ROTATION}
# Of what sees the space that the units span.
AFFINE = frozenset(Transformation)
