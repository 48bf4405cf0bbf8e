"""`python benchmarks/portable_weights.py`: digests that another processor should give as well.

Trains the default experiment's two architectures for 30 steps on the embedded digits with
`precision: portable` and prints the digest of the weights, beside that of `float32`, which depends
on the processor. docs/performance.md has the processors that were tried.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import torch

from convergent_learning.config.experiment import Experiment
from convergent_learning.config.overlay import resolved_config
from convergent_learning.datasets.canonical import prepare
from convergent_learning.machine import processor
from convergent_learning.networks.checkpoints import load_checkpoint
from convergent_learning.training.together import train_together

ROOT = Path(__file__).parents[1]


def main() -> None:
    torch.set_num_threads(1)
    print(f"{processor()}, torch {torch.__version__}")
    with tempfile.TemporaryDirectory() as scratch:
        prepare({"name": "digits"}, Path(scratch) / "digits.h5")
        for precision in ("portable", "float32"):
            for plan in plans(precision):
                folder = Path(scratch) / precision / plan.architecture
                start = time.perf_counter()
                train_together([plan], Path(scratch) / "digits.h5", [folder], folder / "state")
                checkpoint = load_checkpoint(
                    folder / f"step{plan.steps}.safetensors", torch.device("cpu")
                )
                print(
                    f"{precision:<9} {plan.architecture:<9} {checkpoint.weights_digest[:16]}"
                    f" {time.perf_counter() - start:.1f} s"
                )


def plans(precision: str):
    """Of the first network of each group of the default experiment, on the digits."""
    config = resolved_config("cifar10", ROOT)
    config["datasets"] = [{"name": "digits", "source": None, "train_images": 640}]
    config["training"] |= {"precision": precision, "epochs": 3, "checkpoints": []}
    experiment = Experiment.of(config)
    groups = {network.group: network for network in reversed(experiment.trained)}
    return [experiment.plan("digits", network) for network in groups.values()]


if __name__ == "__main__":
    main()
