"""What measures and metrics declare that they are invariant to, done to generic responses."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convergent_learning.alignment import measure, measures, metrics, score
from convergent_learning.alignment.__main__ import markdown
from convergent_learning.alignment.invariances import Transformation
from convergent_learning.alignment.measurement import find
from convergent_learning.alignment.registry import metric

UNITS = 7
SAME, OTHER = 1e-7, 1e-4  # differences


def generic(seed):
    rng = np.random.default_rng(seed)
    shared = rng.standard_normal((90, 4))
    return [
        np.maximum(shared @ rng.standard_normal((4, UNITS)), 0) + rng.standard_normal((90, UNITS))
        for _ in range(2)
    ]


def rotation(rng):
    return np.linalg.qr(rng.standard_normal((UNITS, UNITS)))[0]


def done(transformation, rows, rng):
    match transformation:
        case Transformation.PERMUTATION:
            return np.roll(rows, rng.integers(1, UNITS), axis=1)
        case Transformation.SCALING:
            return rows * np.exp(rng.uniform(1, 3))
        case Transformation.UNIT_SCALING:
            return rows * np.exp(rng.uniform(-2, 2, UNITS))
        case Transformation.TRANSLATION:
            return rows + rng.uniform(2, 5, UNITS)
        case Transformation.ROTATION:
            return rows @ rotation(rng)
        case Transformation.LINEAR:
            return rows @ (rotation(rng) * rng.uniform(0.3, 3, UNITS)) @ rotation(rng)


@pytest.mark.parametrize("kind", Transformation)
@pytest.mark.parametrize("name", measures())
@given(seed=st.integers(0, 2**16))
@settings(max_examples=5, deadline=None, derandomize=True)
def test_measures(name, kind, seed):
    x, y = generic(seed)
    rng = np.random.default_rng(seed)
    before = measure(x, y, name)
    # Twice on either side: shares of neighbours can be the same by chance.
    moved = [(done(kind, x, rng), y) for _ in range(2)] + [
        (x, done(kind, y, rng)) for _ in range(2)
    ]
    differences = [abs(measure(*sides, name) - before) for sides in moved]
    assert_declared(kind in find(name).invariant_to, max(differences))


@pytest.mark.parametrize("kind", Transformation)
@pytest.mark.parametrize("name", [*metrics(), *metrics(context=True)])
@given(seed=st.integers(0, 2**16))
@settings(max_examples=5, deadline=None, derandomize=True)
def test_metrics(name, kind, seed):
    """Of the score x->y of folds, with ridge=0."""
    x, y = generic(seed)
    rng = np.random.default_rng(seed)

    def directed(x, y):
        return score(x, y, name, ridge=0, directions=["x->y"])[name].folds

    before = directed(x, y)
    source, target = metric(name).invariant_to
    moved = directed(done(kind, x, rng), y)
    assert_declared(kind in source, np.abs(moved - before).max())
    moved = directed(x, done(kind, y, rng))
    assert_declared(kind in target, np.abs(moved - before).max())


@pytest.mark.parametrize("name", measures())
@given(seed=st.integers(0, 2**16))
@settings(max_examples=5, deadline=None, derandomize=True)
def test_measures_are_symmetric(name, seed):
    x, y = generic(seed)
    assert measure(x, y[:, :4], name) == pytest.approx(measure(y[:, :4], x, name), abs=1e-9)


def test_the_page_is_what_is_declared():
    made = (Path(__file__).parents[2] / "docs/measures.md").read_text(encoding="utf-8")
    assert made == markdown(), "run `make pages`"


def assert_declared(invariant, difference):
    assert difference < SAME if invariant else difference > OTHER
