"""Coverage of the delete-one-network jackknife, and of the percentile node bootstrap beside it.

    python benchmarks/coverage.py

Pairs score s_ij = µ + a_i + a_j + e_ij; the network share is the part of the variance of a score
that the networks' effects a make. Counted is how often the 95% interval of the mean over pairs
holds µ, and how wide it is where every network has only some partners, relative to all pairs. The
quick setting simulates fewer experiments and no bootstrap. The last rows estimate the network share
from the reference of the default experiment: of three networks a group, so crudely.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
from scoreboard import FOLDER, Row, parser, show

from convergent_learning.config.partners import graph
from convergent_learning.tables.intervals import Pairs, jackknife

NETWORKS = (3, 4, 6, 10)
SHARES = (0.0, 0.3, 0.7, 1.0)
PARTNERS = (2, 4, 6, 9)  # of the largest number of networks
REFERENCE = FOLDER.parent / "results/reference/cifar10/tables/fig2_pairs.csv.gz"
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
                "jackknife, normal effects": jackknife_interval(normal, *_sides(size)),
                "jackknife, skewed effects": jackknife_interval(skewed, *_sides(size)),
            }
            if not options.quick:
                few = normal[:, :BOOTSTRAPPED]
                intervals["node bootstrap, normal effects"] = node_bootstrap(few, size, rng)
            for name, interval in intervals.items():
                covered.setdefault(name, []).append(coverage(*interval))
        rows += [row(size, name, values) for name, values in covered.items()]
    rows += partner_rows(NETWORKS[-1], experiments, rng)
    show(rows + share_rows(pd.read_csv(REFERENCE)), options)


def row(size: int, interval: str, covered: list[float]) -> Row:
    return _row(f"coverage at network shares {{}}: {size} networks, {interval}", covered, "95%")


def partner_rows(size: int, experiments: int, rng: np.random.Generator) -> list[Row]:
    """Coverage and width of the jackknife where each network has only some partners."""
    x, y = _sides(size)
    covered: dict[int, list[float]] = {partners: [] for partners in PARTNERS}
    widths: dict[int, list[float]] = {partners: [] for partners in PARTNERS}
    for share in SHARES:
        scores = simulate(size, share, rng.standard_normal, experiments, rng)
        low, high = jackknife_interval(scores, x, y)
        full = np.mean(high - low)
        for partners in PARTNERS:
            edges = graph(size, partners)
            kept = [pair in edges for pair in zip(x.tolist(), y.tolist(), strict=True)]
            low, high = jackknife_interval(scores[kept], x[kept], y[kept])
            covered[partners].append(coverage(low, high))
            widths[partners].append(float(np.mean(high - low) / full))
    rows = []
    for partners in PARTNERS:
        case = f"{size} networks, {partners} partners each, jackknife, normal effects"
        rows.append(_row(f"coverage at network shares {{}}: {case}", covered[partners], "95%"))
        rows.append(_row(f"width relative to all pairs at {{}}: {case}", widths[partners], "100%"))
    return rows


def share_rows(scores: pd.DataFrame) -> list[Row]:
    """Network shares of trained scores of `fig2_pairs`, by metric.

    Within a group three pairs of three networks do not tell effects of networks from those of
    pairs; the nine pairs of two groups do.
    """
    scores = scores[
        (scores.group_x < scores.group_y)
        & (scores.step == scores.step.max())
        & (scores.center == "position")
        & (scores.baseline == "learned")
        & (scores.role != "logits")
    ]
    rows = []
    for metric, of_metric in scores[~scores.metric.str.contains("cca|cka")].groupby("metric"):
        by_layer = of_metric.pivot(index=["layer_x", "seed_x"], columns="seed_y", values="score")
        cells = by_layer.to_numpy().reshape(-1, *[of_metric.seed_y.nunique()] * 2)
        shares = f"{network_share(cells):.2f}, {network_share(cells.mean(axis=0)[None]):.2f}"
        rows.append(
            Row(
                f"network share of {metric} in the reference, by layer and mean over layers", shares
            )
        )
    return rows


def network_share(scores: np.ndarray) -> float:
    """Share of the variance of (cells, n, n) scores that rows and columns make, over all cells.

    Components of variance of the two-way layout s_ij = µ + a_i + b_j + e_ij.
    """
    n = scores.shape[-1]
    centred = scores - scores.mean(axis=(1, 2), keepdims=True)
    rows, columns = centred.mean(axis=2, keepdims=True), centred.mean(axis=1, keepdims=True)
    pair = ((centred - rows - columns) ** 2).sum() / (n - 1) ** 2
    network = ((rows**2).sum() + (columns**2).sum()) / (n - 1) - 2 * pair / n
    return float(network / (network + pair))


def _row(what: str, values: list[float], limit: str) -> Row:
    return Row(
        what.format(", ".join(f"{share:g}" for share in SHARES)),
        ", ".join(f"{100 * value:.1f}" for value in values) + "%",
        limit=limit,
    )


def simulate(
    size: int, share: float, effect, experiments: int, rng: np.random.Generator
) -> np.ndarray:
    """(pairs, experiments) scores with µ = 0 and variance 1."""
    networks = np.sqrt(share / 2) * effect((size, experiments))
    x, y = _sides(size)
    noise = np.sqrt(1 - share) * rng.standard_normal((len(x), experiments))
    return networks[x] + networks[y] + noise


def jackknife_interval(
    scores: np.ndarray, x: np.ndarray, y: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The interval that the figures and claims use, one per experiment."""
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
