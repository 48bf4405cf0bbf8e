"""Cost of the alignment engine, as ratios measured side by side in one run.

    OMP_NUM_THREADS=2 python benchmarks/alignment.py

Synthetic responses; a minute or two on 2 cores, the quick setting with fewer stimuli. Row by row is
the definition written out with scikit-learn, SciPy and POT (tests/alignment/literal.py). netrep
(github.com/ahwillia/netrep; Williams et al. 2021) is compared where it is installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import torch
from scoreboard import Row, parser, show

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "alignment"))
import literal

from convergent_learning.alignment import folds, rotated_basis, score, score_table, write_moments
from convergent_learning.alignment.accumulate import accumulate
from convergent_learning.alignment.responses import Responses

METRICS = ("linear", "procrustes", "permutation", "soft_matching")
# Units and map side of a quarter-width CIFAR ResNet-18: stem, eight blocks, pooled, logits.
RESNET18 = [(16, 8)] * 3 + [(32, 8)] * 2 + [(64, 8)] * 2 + [(128, 4)] * 2 + [(128, 0), (10, 0)]
STREAM = """
import sys, time
from convergent_learning.alignment import write_moments
start = time.perf_counter()
write_moments(sys.argv[2:], sys.argv[1], ["net-seed1", "net-seed2"], 5, 0, False)
seconds = time.perf_counter() - start
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, int(peak) / 1024)
"""


def main():
    options = parser(__doc__).parse_args()
    counts = (1_000, 10_000) if options.quick else (1_000, 10_000, 50_000)
    rows = [
        *against_row_by_row(),
        *against_netrep(),
        *against_bare_products(),
        *growth_with_stimuli(counts),
        *layer_by_layer(),
        *rotations(),
    ]
    show(rows, options)


def against_row_by_row():
    n, units = 16_000, 256
    x, y = related(n, units, 2)
    ours, result = timed(lambda: score(x, y, METRICS, ridge=0.01), repeats=3)
    choosing, _ = timed(lambda: score(x, y, METRICS), repeats=1)
    fold_of, worst = folds(len(x)), 0.0
    start = time.perf_counter()
    for metric in METRICS:
        for direction, a, b in (("x->y", x, y), ("y->x", y, x)):
            expected = literal.directed(a, b, metric, fold_of, ridge=0.01)
            worst = max(worst, np.abs(expected - result[metric].directions[direction]).max())
    rows = time.perf_counter() - start
    case = f"scores, {n:,} rows × {units} × {units}, 5 folds, four metrics, both directions"
    return [
        Row(
            f"{case}, fixed ridge",
            f"{ours:.2f} s",
            f"{rows / ours:.0f}× as fast",
            f"row by row: {rows:.1f} s; ≥ 15×",
        ),
        Row("the same, largest difference of a fold score", f"{worst:.0e}", limit="≤ 1e-5"),
        Row(
            "the same, ridge by cross-validation",
            f"{choosing:.2f} s",
            f"{choosing / ours:.1f}× the time",
            "fixed ridge",
        ),
    ]


def against_netrep():
    """The angular Procrustes distance of netrep is the arc cosine of our similarity."""
    n, units = 16_000, 256
    figure = f"Procrustes similarity, {n:,} rows × {units} × {units}, each of 5 held-out splits"
    if importlib.util.find_spec("netrep") is None:
        return [Row(figure, "not measured: netrep is not installed", limit="netrep")]
    metric = importlib.import_module("netrep.metrics").LinearMetric(alpha=1.0)
    x, y = related(n, units, 2)
    fold_of = folds(n)
    splits = [(x[fold_of == k], y[fold_of == k]) for k in range(5)]
    theirs, distances = timed(lambda: [metric.fit_score(*split) for split in splits], repeats=3)
    ours, result = timed(lambda: score(x, y, "procrustes_similarity"), repeats=3)
    directions = result["procrustes_similarity"].directions.values()
    worst = max(np.abs(np.cos(distances) - values).max() for values in directions)
    return [
        Row(
            f"{figure}; largest difference {worst:.0e}",
            f"{ours:.2f} s",
            f"{theirs / ours:.1f}× as fast",
            f"netrep's LinearMetric: {theirs:.2f} s",
        )
    ]


def against_bare_products():
    n = 64_000
    x, y = related(n, 512, 2)
    fold_of = folds(len(x))
    networks = {"x": [Responses(x, "x")], "y": [Responses(y, "y")]}
    a, b = torch.from_numpy(x), torch.from_numpy(y)
    three, _ = timed(lambda: (a.T @ a, a.T @ b, b.T @ b), repeats=5)
    one, _ = timed(lambda: a.T @ b, repeats=5)
    ours, _ = timed(lambda: accumulate(networks, fold_of, [("x", "y")]), repeats=5)
    maps, _ = timed(lambda: score(x, y, METRICS, ridge=0.01), repeats=1)
    measured = f"{ours:.2f} s"
    return [
        Row(
            f"moments, {n:,} rows × 512 × 512 float32",
            measured,
            f"{ours / three:.2f}× the time",
            "the products X'X, X'Y and Y'Y; ≤ 1.2×",
        ),
        Row("the same", measured, f"{ours / one:.2f}× the time", "the product X'Y; 2.5×"),
        Row("the same, maps and scores of four metrics", f"{maps - ours:.2f} s"),
    ]


def growth_with_stimuli(counts):
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for n in counts:
            layers = [(64, 4), (128, 2), (128, 0)]
            paths = [str(network(Path(folder), seed, n, layers)) for seed in (1, 2)]
            command = [sys.executable, "-c", STREAM, f"{folder}/moments.h5", *paths]
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            rows.append((n, *map(float, output.split())))
    _, first_seconds, first_memory = rows[0]
    return [
        Row(
            f"moments streamed from HDF5, {n:,} stimuli × 3 layers × 2 networks",
            f"{seconds:.2f} s, peak {memory:.0f} MiB",
            f"{seconds / first_seconds:.1f}× the time, {memory / first_memory:.2f}× the memory",
            f"{rows[0][0]:,} stimuli: {first_seconds:.2f} s, {first_memory:.0f} MiB; ≤ 1.1× the"
            " memory",
        )
        for n, seconds, memory in rows[1:]
    ]


def layer_by_layer():
    n = 1_000
    with tempfile.TemporaryDirectory() as folder:
        paths = [network(Path(folder), seed, n, RESNET18) for seed in (1, 2)]
        out = Path(folder) / "moments.h5"
        mapped = ["net-seed1", "net-seed2"]
        moments, _ = timed(lambda: write_moments(paths, out, mapped, 5, 0, False), repeats=1)
        fixed, _ = timed(lambda: score_table(out, METRICS, ridge=0.01), repeats=1)
        chosen, _ = timed(lambda: score_table(out, METRICS), repeats=1)
    case = f"layer × layer map, 11 × 11 layers, {n:,} stimuli, 64 positions, four metrics"
    return [
        Row(
            f"{case}, fixed ridge",
            f"{moments + fixed:.1f} s ({moments:.1f} s moments)",
            limit="≤ 5 s",
        ),
        Row("the same, ridge by cross-validation", f"{moments + chosen:.1f} s"),
    ]


def rotations():
    draws = 99
    x, y = related(8_000, 128, 2)
    seconds, _ = timed(lambda: rotated_basis(x, y, n_draws=draws), repeats=1)
    return [
        Row(
            f"{draws} rotations, 128 channels, 8,000 rows, 5 folds, permutation, each direction",
            f"{seconds / 2:.2f} s",
            limit="≤ 1.5 s",
        )
    ]


def related(n, units, count):
    """Float32 responses of `count` layers that read the same 64 latent signals."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((n, 64), dtype=np.float32)
    return [
        latent @ rng.standard_normal((64, units), dtype=np.float32)
        + 4 * rng.standard_normal((n, units), dtype=np.float32)
        for _ in range(count)
    ]


def network(folder, seed, n, layers):
    """An activation file as extraction writes it."""
    path = folder / f"net-seed{seed}.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update(dataset="synthetic", group="net", seed=seed, step=0, stimuli="id")
        file.attrs.update(condition="", stimulus_digest="", weights_digest="", dtype="float16")
        file.attrs["identity"] = ""
        file.attrs.update(positions=64)
        for order, (units, side) in enumerate(layers):
            shape = (n, units, side, side) if side else (n, units)
            dataset = file.create_dataset(
                f"layers/layer{order}", shape, "f2", chunks=(min(n, 128), *shape[1:])
            )
            for start in range(0, n, 1_000):
                rng = np.random.default_rng([order, start])
                shared = rng.standard_normal(shape[1:], dtype=np.float32)
                rng = np.random.default_rng([order, start, seed])
                noise = rng.standard_normal((min(1_000, n - start), *shape[1:]), dtype=np.float32)
                dataset[start : start + 1_000] = np.maximum(shared + noise, 0)
            dataset.attrs.update(
                layer=f"layer{order}", order=order, depth=order / (len(layers) - 1), role="block"
            )
    return path


def timed(function, repeats):
    """Least seconds of several runs, after one to warm up where there are several."""
    if repeats > 1:
        function()
    best = np.inf
    for _ in range(repeats):
        start = time.perf_counter()
        result = function()
        best = min(best, time.perf_counter() - start)
    return best, result


if __name__ == "__main__":
    main()
