"""Cost of the alignment engine, as ratios measured side by side in one run.

    OMP_NUM_THREADS=2 python benchmarks/alignment.py

prints the Markdown table of docs/performance.md. Synthetic responses; a few minutes on 2 cores.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import torch

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
    rows = []
    for measure in (
        against_row_by_row,
        against_bare_products,
        growth_with_stimuli,
        layer_by_layer,
        rotations,
    ):
        print(f"{measure.__name__} …", file=sys.stderr, flush=True)
        rows += measure()
    print(f"torch threads: {torch.get_num_threads()}\n")
    print("| case | measured | target |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")


def against_row_by_row():
    x, y = related(16_000, 256, 2)
    ours, result = timed(lambda: score(x, y, METRICS, ridge=0.01), repeats=3)
    choosing, _ = timed(lambda: score(x, y, METRICS), repeats=1)
    fold_of, worst = folds(len(x)), 0.0
    start = time.perf_counter()
    for metric in METRICS:
        for direction, a, b in (("x->y", x, y), ("y->x", y, x)):
            expected = literal.directed(a, b, metric, fold_of, ridge=0.01)
            worst = max(worst, np.abs(expected - result[metric].directions[direction]).max())
    rows = time.perf_counter() - start
    case = "16,000 rows × 256 × 256, 5 folds, four metrics, both directions"
    return [
        (
            f"{case}, fixed ridge: row by row / ours",
            f"{rows / ours:.0f}× ({rows:.1f} s / {ours:.2f} s)",
            "≥ 15×",
        ),
        ("largest difference of a fold score", f"{worst:.0e}", "≤ 1e-5"),
        (f"{case}, ridge by cross-validation", f"{choosing / ours:.1f}× the fixed ridge", ""),
    ]


def against_bare_products():
    x, y = related(64_000, 512, 2)
    fold_of = folds(len(x))
    networks = {"x": [Responses(x, "x")], "y": [Responses(y, "y")]}
    a, b = torch.from_numpy(x), torch.from_numpy(y)
    three, _ = timed(lambda: (a.T @ a, a.T @ b, b.T @ b), repeats=5)
    one, _ = timed(lambda: a.T @ b, repeats=5)
    ours, _ = timed(lambda: accumulate(networks, fold_of, [("x", "y")]), repeats=5)
    maps, _ = timed(lambda: score(x, y, METRICS, ridge=0.01), repeats=1)
    case = "64,000 rows × 512 × 512 float32, moments"
    return [
        (f"{case} / X'X, X'Y and Y'Y", f"{ours / three:.2f}× ({ours:.2f} s)", "≤ 1.2×"),
        (f"{case} / X'Y alone", f"{ours / one:.2f}×", "2.5×"),
        ("the same, maps and scores of four metrics", f"{maps - ours:.2f} s", ""),
    ]


def growth_with_stimuli():
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for n in (1_000, 10_000, 50_000):
            layers = [(64, 4), (128, 2), (128, 0)]
            paths = [str(network(Path(folder), seed, n, layers)) for seed in (1, 2)]
            command = [sys.executable, "-c", STREAM, f"{folder}/moments.h5", *paths]
            output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            rows.append((n, *map(float, output.split())))
    _, first_seconds, first_memory = rows[0]
    return [
        (
            f"{n:,} stimuli × 3 layers × 2 networks streamed from HDF5, against 1,000",
            f"{seconds / first_seconds:.1f}× the time ({seconds:.2f} s), "
            f"{memory / first_memory:.2f}× the peak memory ({memory:.0f} MiB)",
            "peak within 10%",
        )
        for n, seconds, memory in rows
    ]


def layer_by_layer():
    with tempfile.TemporaryDirectory() as folder:
        paths = [network(Path(folder), seed, 1_000, RESNET18) for seed in (1, 2)]
        out = Path(folder) / "moments.h5"
        mapped = ["net-seed1", "net-seed2"]
        moments, _ = timed(lambda: write_moments(paths, out, mapped, 5, 0, False), repeats=1)
        fixed, _ = timed(lambda: score_table(out, METRICS, ridge=0.01), repeats=1)
        chosen, _ = timed(lambda: score_table(out, METRICS), repeats=1)
    case = "layer × layer map, 11 × 11 layers, 1,000 stimuli, 64 positions, four metrics"
    return [
        (f"{case}, fixed ridge", f"{moments + fixed:.1f} s ({moments:.1f} s moments)", "≤ 5 s"),
        (f"{case}, ridge by cross-validation", f"{moments + chosen:.1f} s", ""),
    ]


def rotations():
    x, y = related(8_000, 128, 2)
    seconds, _ = timed(lambda: rotated_basis(x, y, n_draws=99), repeats=1)
    case = "99 rotations, 128 channels, 8,000 rows, 5 folds, permutation"
    return [
        (f"{case}, both directions", f"{seconds:.2f} s", ""),
        (f"{case}, each direction", f"{seconds / 2:.2f} s", "≤ 1.5 s"),
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
