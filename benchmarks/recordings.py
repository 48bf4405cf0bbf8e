"""`python benchmarks/recordings.py`: what scores with a recording cost.

A recording of random numbers on CIFAR-10's test images is scored with all layers of the default
experiment's networks, which lie in `results/networks`, at all their checkpoints, on one thread:
dissimilarities, or with `--units` responses, with their maps.
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

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
from convergent_learning.machine import processor
from convergent_learning.recordings import rsa
from convergent_learning.recordings.canonical import prepare_recording


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=92)
    parser.add_argument("--units", type=int, default=0)
    parser.add_argument("--bootstrap", action="store_true", help="beside rsatoolbox's, alone")
    parser.add_argument("--metrics", nargs="*", default=["linear"])
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.bootstrap:
        print(f"{processor()}: {bootstrap(options.images)}")
        return
    with tempfile.TemporaryDirectory() as scratch:
        seconds = measured(Path(scratch), options.images, options.units, tuple(options.metrics))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    what = f"{options.units} units, {', '.join(options.metrics)}" if options.units else "rsa"
    print(f"{processor()}: {options.images} images, {what}: {seconds:.0f} s, {memory:.1f} GB")


def bootstrap(images: int, layers: int = 30, subjects: int = 4, draws: int = 20) -> str:
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
    return (
        f"{draws} draws of {images} images and {subjects} subjects, {layers} layers: {ours:.3f} s,"
        f" rsatoolbox {theirs:.1f} s, {theirs / ours:.0f}×"
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
