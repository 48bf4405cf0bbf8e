"""Weights after a short portable training, which should be the same on every processor.

    python benchmarks/portable_weights.py

Trains the default experiment's two architectures for 30 steps on the embedded digits with
`precision: portable`. The quick setting is the whole.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from scoreboard import FOLDER, Row, parser, show

from convergent_learning.config.experiment import Experiment
from convergent_learning.config.overlay import resolved_config
from convergent_learning.datasets.canonical import prepare
from convergent_learning.networks.checkpoints import load_checkpoint
from convergent_learning.training.plan import TrainingPlan
from convergent_learning.training.together import train_together

SEEN = "Intel Xeon (family 6, model 207, AVX-512 without AMX and bf16), torch 2.15.0"
WEIGHTS = {"resnet18": "fef2472af73e5374", "vgg11": "5bd59c60df053a68"}  # there


def main() -> None:
    options = parser(__doc__).parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        prepare({"name": "digits"}, Path(scratch) / "digits.h5")
        rows = [of_architecture(Path(scratch), plan) for plan in plans()]
    show(rows, options)


def of_architecture(scratch: Path, plan: TrainingPlan) -> Row:
    """The digest of the weights, beside the one that another processor gave."""
    folder = scratch / plan.architecture
    train_together([plan], scratch / "digits.h5", [folder], folder / "state")
    checkpoint = load_checkpoint(folder / f"step{plan.steps}.safetensors", torch.device("cpu"))
    return Row(
        f"weights of {plan.architecture} after {plan.steps} portable steps on digits",
        checkpoint.weights_digest[:16],
        limit=f"{WEIGHTS[plan.architecture]}: {SEEN}",
    )


def plans() -> list[TrainingPlan]:
    """Of the first network of each group of the default experiment, on the digits."""
    config = resolved_config("cifar10", FOLDER.parent)
    config["datasets"] = [{"name": "digits", "source": None, "train_images": 640}]
    config["training"] |= {"precision": "portable", "epochs": 3, "checkpoints": []}
    experiment = Experiment.of(config)
    groups = {network.group: network for network in reversed(experiment.trained)}
    return [experiment.plan("digits", network) for network in groups.values()]


if __name__ == "__main__":
    main()
