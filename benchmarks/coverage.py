"""Coverage of the delete-one-network jackknife, and of the percentile node bootstrap beside it.

    python benchmarks/coverage.py

Pairs score s_ij = µ + a_i + a_j + e_ij; the network share is the part of the variance of a score
that the networks' effects a make. Counted is how often the 95% interval of the mean over pairs
holds µ. The quick setting simulates fewer experiments and no bootstrap.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from scoreboard import Row, parser, show

from convergent_learning.tables.intervals import Pairs, jackknife

NETWORKS = (3, 4, 6, 10)
SHARES = (0.0, 0.3, 0.7, 1.0)
RESAMPLES = 1_000
BOOTSTRAPPED = 2_000  # of the experiments: a resample costs more than a deletion


def main() -> None:
    """Simulate every case; one row for a number of networks and an interval."""
    options = parser(__doc__).parse_args()
    experiments = 4_000 if options.quick else 20_000
    rng = np.random.default_rng(0)
    rows = []
    for size in NETWORKS:
        covered: dict[str, list[float]] = {}
        for share in SHARES:
            normal = simulate(size, share, rng.standard_normal, experiments, rng)
            skewed = simulate(
                size, share, lambda shape: rng.exponential(size=shape) - 1, experiments, rng
            )
            intervals = {
                "jackknife, normal effects": jackknife_interval(normal, size),
                "jackknife, skewed effects": jackknife_interval(skewed, size),
            }
            if not options.quick:
                few = normal[:, :BOOTSTRAPPED]
                intervals["node bootstrap, normal effects"] = node_bootstrap(few, size, rng)
            for name, interval in intervals.items():
                covered.setdefault(name, []).append(coverage(*interval))
        rows += [row(size, name, values) for name, values in covered.items()]
    show(rows, options)


def row(size: int, interval: str, covered: list[float]) -> Row:
    shares = ", ".join(f"{share:g}" for share in SHARES)
    return Row(
        f"coverage at network shares {shares}: {size} networks, {interval}",
        ", ".join(f"{100 * value:.1f}" for value in covered) + "%",
        limit="95%",
    )


def simulate(
    size: int, share: float, effect, experiments: int, rng: np.random.Generator
) -> np.ndarray:
    """(pairs, experiments) scores with µ = 0 and variance 1."""
    networks = np.sqrt(share / 2) * effect((size, experiments))
    x, y = _sides(size)
    noise = np.sqrt(1 - share) * rng.standard_normal((len(x), experiments))
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
