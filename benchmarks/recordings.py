"""What scores with a recording cost.

    python benchmarks/recordings.py

A recording of random numbers on CIFAR-10's test images is scored with all layers of the default
experiment's networks, which lie in `results/networks`, at all their checkpoints, on one thread:
dissimilarities, or responses, with their maps. Each case is a process of its own. Resamples of
stimuli and subjects are compared with rsatoolbox's. The quick setting takes the smallest case.
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from scoreboard import Row, parser, show

from convergent_learning.activations.forward import Extraction
from convergent_learning.activations.recorded import (
    Asked,
    write_recorded_stimuli,
    write_recording_scores,
)
from convergent_learning.alignment.dissimilarities import standard_ranks
from convergent_learning.config.checks import checked
from convergent_learning.config.design import Design
from convergent_learning.config.experiment import Experiment
from convergent_learning.config.overlay import resolved_config
from convergent_learning.config.recording_jobs import SCORED
from convergent_learning.datasets.canonical import read_split
from convergent_learning.recordings import rsa
from convergent_learning.recordings.canonical import prepare_recording

# Images, units (none: dissimilarities), metrics of maps.
CASES = {
    "dissimilarities of 92 images": (92, 0, ()),
    "dissimilarities of 1,000 images": (1000, 0, ()),
    "60 units, 200 images": (200, 60, ("linear", "procrustes", "soft_matching")),
}


def main() -> None:
    options_of = parser(__doc__)
    options_of.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    options = options_of.parse_args()
    torch.set_num_threads(1)
    if options.case:
        with tempfile.TemporaryDirectory() as scratch:
            seconds = measured(Path(scratch), *CASES[options.case])
        print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6)
        return
    rows = [bootstrap(92)]
    if not Path("results/networks/cifar10").exists():
        rows.append(Row("scores with recordings", "not measured: run `make reproduce` first"))
    else:
        rows += [of_case(case) for case in (list(CASES)[:1] if options.quick else CASES)]
    show(rows, options)


def of_case(case: str) -> Row:
    """Processor time and memory, in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--case", case], stdout=subprocess.PIPE, text=True, check=True
    )
    seconds, gigabytes = map(float, done.stdout.split())
    return Row(
        f"scores with a recording ({case}), six networks at nine checkpoints",
        f"{seconds:.0f} s of the processor, peak {gigabytes:.1f} GB",
    )


def bootstrap(images: int, layers: int = 30, subjects: int = 4, draws: int = 20) -> Row:
    """Seconds of this package's draws of stimuli and subjects and of rsatoolbox's, side by side."""
    from rsatoolbox.inference import eval_dual_bootstrap
    from rsatoolbox.model import ModelFixed
    from rsatoolbox.rdm import RDMs

    pairs = images * (images - 1) // 2
    rng = np.random.default_rng(0)
    models, data = rng.random((layers, pairs)), rng.random((subjects, pairs))
    start = time.process_time()
    resamples = rsa.Resamples.of(images, subjects, draws, 0, "random")
    known = standard_ranks(data)
    spreads = [resamples.spread(ranks) for ranks in known]
    for ranks in standard_ranks(models):
        resamples.scores(ranks, known, spreads)
    ours = time.process_time() - start
    start = time.process_time()
    named = [ModelFixed(str(index), model) for index, model in enumerate(models)]
    eval_dual_bootstrap(named, RDMs(data), method="spearman", N=draws)
    theirs = time.process_time() - start
    return Row(
        f"{draws} resamples of {images} stimuli and {subjects} subjects, {layers} layers",
        f"{ours:.3f} s of the processor",
        f"{theirs / ours:.0f}× as fast",
        f"rsatoolbox: {theirs:.1f} s",
    )


def measured(folder: Path, images: int, units: int, metrics: tuple[str, ...]) -> float:
    """Seconds of processor time."""
    rng = np.random.default_rng(0)
    if units:
        layout, values = "responses", rng.standard_normal((2, images, units))
        values[1] += 2 * values[0]  # reliable
    else:
        layout, values = "dissimilarities", rng.random((4, images, images))
        values += values.swapaxes(1, 2)
    pixels = read_split(Path("results/datasets/cifar10.h5"), "test").images[:images]
    np.savez(folder / "random.npz", images=pixels, area=values)
    entry = {"name": "random", "layout": layout, "source": str(folder / "random.npz")}
    config = resolved_config("cifar10") | {"recordings": [entry]}
    job = Design(Experiment(checked(config))).job(
        "recording_scores", {"dataset": "cifar10", "recording": "random"}
    )
    prepare_recording(entry, folder / "random.h5")
    shown = folder / "shown.h5"
    write_recorded_stimuli(folder / "random.h5", "cifar10", 32, shown)
    activations = config["activations"]
    start = time.process_time()
    write_recording_scores(
        [dataclasses.replace(sample, stimuli=str(shown)) for sample in job.params["samples"]],
        Path("results/datasets/cifar10.h5"),
        folder / "random.h5",
        {kind: folder / f"{kind}.parquet" for kind in SCORED},
        Extraction(activations["positions"], activations["dtype"], 0, {}),
        Asked(**job.params["asked"] | {"metrics": metrics}),
    )
    return time.process_time() - start


if __name__ == "__main__":
    main()
