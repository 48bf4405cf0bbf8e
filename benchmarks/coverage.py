"""Coverage of the delete-one-network jackknife, and of the percentile node bootstrap beside it.

Pairs score s_ij = µ + a_i + a_j + e_ij; `network share` is the part of the variance of a score that
the networks' effects a make. Prints a Markdown table: how often each 95% interval of the mean over
pairs holds µ. Run: `python benchmarks/coverage.py`.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np

from convergent_learning.tables.intervals import Pairs, jackknife

NETWORKS = (3, 4, 6, 10)
SHARES = (0.0, 0.3, 0.7, 1.0)
EXPERIMENTS = 20_000
RESAMPLES = 1_000
BOOTSTRAPPED = 2_000  # of the experiments: a resample costs more than a deletion


def main() -> None:
    """Simulate every case and print the table."""
    rng = np.random.default_rng(0)
    print("| networks | network share | jackknife, normal | jackknife, skewed | node bootstrap |")
    print("|---|---|---|---|---|")
    for size in NETWORKS:
        for share in SHARES:
            normal = simulate(size, share, rng.standard_normal, rng)
            skewed = simulate(size, share, lambda shape: rng.exponential(size=shape) - 1, rng)
            cells = [
                coverage(*jackknife_interval(normal, size)),
                coverage(*jackknife_interval(skewed, size)),
                coverage(*node_bootstrap(normal[:, :BOOTSTRAPPED], size, rng)),
            ]
            print(f"| {size} | {share:g} | " + " | ".join(f"{c:.1%}" for c in cells) + " |")


def simulate(size: int, share: float, effect, rng: np.random.Generator) -> np.ndarray:
    """(pairs, experiments) scores with µ = 0 and variance 1."""
    networks = np.sqrt(share / 2) * effect((size, EXPERIMENTS))
    x, y = _sides(size)
    noise = np.sqrt(1 - share) * rng.standard_normal((len(x), EXPERIMENTS))
    return networks[x] + networks[y] + noise


def jackknife_interval(scores: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """The interval that the figures and claims use, one per experiment."""
    x, y = _sides(size)
    name = np.full(len(x), "a")
    interval = jackknife(scores, Pairs(name, x, name, y))
    return interval.low, interval.high


def node_bootstrap(
    scores: np.ndarray, size: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval from networks drawn with replacement; a network pairs not with itself."""
    x, y = _sides(size)
    times = rng.multinomial(size, np.full(size, 1 / size), RESAMPLES)
    weights = (times[:, x] * times[:, y]).astype(float)
    weights = weights[weights.sum(axis=1) > 0]  # one network drawn every time makes no pair
    means = weights @ scores / weights.sum(axis=1, keepdims=True)
    low, high = np.quantile(means, [0.025, 0.975], axis=0)
    return low, high


def coverage(low: np.ndarray, high: np.ndarray) -> float:
    """Share of intervals that hold 0."""
    return float(np.mean((low <= 0) & (high >= 0)))


def _sides(size: int) -> np.ndarray:
    return np.array(list(combinations(range(size), 2))).T


if __name__ == "__main__":
    main()
