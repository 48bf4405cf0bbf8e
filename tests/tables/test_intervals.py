"""The jackknife against a literal loop; p-values against their definitions."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from convergent_learning.alignment.calibration import rank_p_values
from convergent_learning.config.partners import graph
from convergent_learning.tables.intervals import (
    Pairs,
    adjust_p_values,
    jackknife,
)


def _within(sizes: dict[str, int]) -> Pairs:
    rows = [(a, i, a, j) for a, n in sizes.items() for i, j in combinations(range(n), 2)]
    return Pairs(*(np.array(column) for column in zip(*rows, strict=True)))


def _literal(values, pairs, families=None):
    """Loops as in the definition."""
    rows = list(zip(*pairs, values, strict=True))

    def mean(kept, position=4):
        groups = {}
        for row in kept:
            groups.setdefault((row[0], row[2]), []).append(row[position])
        return np.mean([np.mean(group) for group in groups.values()])

    networks = sorted({r[:2] for r in rows} | {r[2:4] for r in rows})
    variance, dof = 0.0, 0
    for group in {n[0] for n in networks}:
        mine = [n for n in networks if n[0] == group]
        theta = np.array([mean([r for r in rows if n not in (r[:2], r[2:4])]) for n in mine])
        variance += (len(mine) - 1) / len(mine) * ((theta - theta.mean()) ** 2).sum()
        dof += len(mine) - 1
    if families is not None:
        theta = np.array([mean(list(zip(*pairs, v, strict=True))) for v in families])
        extra = (len(theta) - 1) / len(theta) * ((theta - theta.mean()) ** 2).sum()
        joint = variance + extra
        dof = joint**2 / (variance**2 / dof + extra**2 / (len(theta) - 1))
        variance = joint
    half = stats.t.ppf(0.975, dof) * np.sqrt(variance)
    return mean(rows), mean(rows) - half, mean(rows) + half


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(3, 6), min_size=1, max_size=3),
    st.integers(0, 10_000),
    st.sampled_from([None, 2, 5]),
)
def test_equals_literal_loop(sizes, seed, n_families):
    rng = np.random.default_rng(seed)
    pairs = _within({f"a{k}": n for k, n in enumerate(sizes)})
    values = rng.normal(size=(len(pairs.seed_x), 2))
    families = None if n_families is None else rng.normal(size=(n_families, *values.shape))
    got = jackknife(values, pairs, families)
    for k in range(2):
        chosen = None if families is None else families[:, :, k]
        expected = _literal(values[:, k], pairs, chosen)
        assert np.allclose((got.estimate[k], got.low[k], got.high[k]), expected)
    assert got.n_networks.tolist() == 2 * [sum(sizes)]


def test_across_groups_deletes_networks_of_both_sides():
    rng = np.random.default_rng(0)
    rows = [("a", i, "b", j) for i in range(3) for j in range(4)]
    pairs = Pairs(*(np.array(column) for column in zip(*rows, strict=True)))
    values = rng.normal(size=12)
    got = jackknife(values, pairs)
    assert np.allclose((got.estimate, got.low, got.high), _literal(values, pairs))
    assert got.dof == 2 + 3


def test_one_value_per_network_is_the_t_interval():
    values = np.random.default_rng(1).normal(size=7)
    network = np.arange(7)
    name = np.full(7, "a")
    got = jackknife(values, Pairs(name, network, name, network))
    low, high = stats.t.interval(0.95, 6, values.mean(), stats.sem(values))
    assert np.allclose((got.low, got.high), (low, high))


def test_more_seeds_do_not_weigh_more():
    pairs = _within({"a": 3, "b": 6})
    values = np.where(pairs.group_x == "a", 1.0, 0.0)
    assert jackknife(values, pairs).estimate == pytest.approx(0.5)


@pytest.mark.parametrize("size", [1, 2])
def test_no_interval_with_fewer_than_three_networks(size):
    pairs = _within({"a": size, "b": 4})
    got = jackknife(np.arange(len(pairs.seed_x), dtype=float), pairs)
    assert np.isfinite(got.estimate)
    assert (size == 1) == np.isfinite(got.low)  # one seed makes no pair, so b stands alone


def test_missing_value_is_left_out_of_its_statistic_only():
    pairs = _within({"a": 4})
    values = np.random.default_rng(2).normal(size=(6, 2))
    full = jackknife(values, pairs)
    values[0, 0] = np.nan
    got = jackknife(values, pairs)
    assert got.estimate[0] == pytest.approx(values[1:, 0].mean())
    assert got.low[1] == full.low[1]


def test_a_network_without_a_value_is_left_out_of_its_statistic():
    """As of layer pairs that only some networks have maps of."""
    pairs = _within({"a": 6})
    values = np.random.default_rng(3).normal(size=(15, 2))
    mapped = (pairs.seed_x < 3) & (pairs.seed_y < 3)
    values[~mapped, 1] = np.nan
    got = jackknife(values, pairs)
    alone = jackknife(values[mapped, 1], Pairs(*(side[mapped] for side in pairs)))
    assert (got.low[1], got.high[1], got.dof[1]) == (alone.low, alone.high, alone.dof)
    assert got.n_networks.tolist() == [6, 3]


@given(st.integers(4, 12), st.integers(2, 11), st.booleans())
def test_variance_of_additive_effects_is_unbiased_for_every_number_of_partners(
    size, partners, directed
):
    """Its expectation over independent effects is the sum over one unit effect at a time."""
    assume(partners < size and (partners % 2 == 0 or size % 2 == 0))
    edges = np.array(sorted(graph(size, partners)))
    if directed:
        edges = np.concatenate([edges, edges[:, ::-1]])
    name = np.full(len(edges), "a")
    effects = np.eye(size)
    values = effects[edges[:, 0]] + effects[edges[:, 1]]
    got = jackknife(values, Pairs(name, edges[:, 0], name, edges[:, 1]))
    assert (got.standard_error**2).sum() == pytest.approx(4 / size)


def test_constant_values_have_a_point_interval():
    got = jackknife(np.full(6, 0.8), _within({"a": 4}))
    assert got.low == got.high == pytest.approx(0.8)


def test_lengths_must_agree():
    with pytest.raises(ValueError, match="5 values but 6 pairs"):
        jackknife(np.zeros(5), _within({"a": 4}))


def test_rank_p_values_count_ties_against_the_learned_score():
    learned = np.array([3.0, 2.0, 0.0, np.nan])
    draws = np.array([[1.0, 2.0, 1.0, 0.0], [2.0, 1.0, 2.0, 0.0], [0.0, 3.0, 3.0, 0.0]])
    assert np.allclose(rank_p_values(learned, draws), [1 / 4, 3 / 4, 1, np.nan], equal_nan=True)


def test_rank_p_values_are_uniform_under_the_null():
    scores = np.random.default_rng(3).normal(size=(20, 4000))
    p = rank_p_values(scores[0], scores[1:])
    assert np.mean(p <= 0.05) == pytest.approx(0.05, abs=0.015)


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=12))
def test_benjamini_hochberg_by_its_definition(p):
    p = np.array(p)
    order = np.argsort(p)
    expected = np.empty(len(p))
    for rank, i in enumerate(order):
        later = [p[j] * len(p) / (k + 1) for k, j in enumerate(order) if k >= rank]
        expected[i] = min(1.0, *later, 1.0)
    assert np.allclose(adjust_p_values(p), expected)


def test_benjamini_hochberg_does_not_count_nan():
    got = adjust_p_values(np.array([0.01, np.nan, 0.04]))
    assert np.allclose(got, [0.02, np.nan, 0.04], equal_nan=True)


@pytest.mark.parametrize("networks", [3, 4, 6, 10])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 1.0])
def test_coverage(networks, share):
    """Never below 93% with normal effects; at 10 networks not above 97.5% where networks matter."""
    rng = np.random.default_rng(round(100 * share) + networks)
    pairs = _within({"a": networks})
    x, y = pairs.seed_x, pairs.seed_y
    effects = np.sqrt(share / 2) * rng.standard_normal((networks, 6000))
    noise = np.sqrt(1 - share) * rng.standard_normal((len(x), 6000))
    got = jackknife(effects[x] + effects[y] + noise, pairs)
    covered = np.mean((got.low <= 0) & (got.high >= 0))
    assert covered >= 0.93
    if networks == 10 and share >= 0.3:
        assert covered <= 0.975
