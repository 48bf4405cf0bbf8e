"""What a training run will do, known before it starts: steps and checkpoints. Imports no torch."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from convergent_learning.files import damaged_file_named

AUTO = "auto"  # the precision that is chosen for the machine
PROBED = 10_000  # images, at most, that a linear probe is fitted on at every checkpoint
PORTABLE = "portable"  # float32 by instructions that all processors have


@dataclass(frozen=True)
class TrainingPlan:
    """One network's training, complete: two runs with equal plans give equal weights.

    `checkpoints` are epochs (``"1/16"`` is inside the first one) or steps (``"100 steps"``), `seed`
    is the network's and `experiment_seed` the experiment's; `train_images` is the size of the
    training subset. `optimizer` is ``sgd`` or ``adamw``, `schedule` a key of `schedule.SCHEDULES`;
    `milestones` (shares of the steps) and `decay` belong to ``step``. `labels` is a name in
    `labels.LABELS`, `images` one in `pixels.IMAGES` or a family and level (``"contrast 10"``),
    `objective` a file of `objectives`, `queue` the keys that ``moco`` keeps.
    """

    dataset: str
    architecture: str
    width: float
    seed: int
    experiment_seed: int
    train_images: int
    epochs: int
    batch_size: int
    learning_rate: float
    momentum: float
    weight_decay: float
    warmup: float
    crop_padding: int
    flip: bool
    precision: str
    checkpoints: tuple[str, ...]
    optimizer: str
    label_smoothing: float
    schedule: str
    milestones: tuple[float, ...]
    decay: float
    labels: str = "true"
    images: str = "natural"
    objective: str = "supervised"
    queue: int = 4096

    @classmethod
    def of(cls, fields: Mapping[str, Any]) -> TrainingPlan:
        """The plan with these fields, which may have been through JSON."""
        lists = {key: tuple(value) for key, value in fields.items() if isinstance(value, list)}
        return cls(**{**fields, **lists})

    @property
    def fields(self) -> dict[str, Any]:
        """All fields but `YOUNGER` ones with the value that older plans have: so digests stay."""
        return {
            key: value
            for key, value in asdict(self).items()
            if key not in YOUNGER or value != YOUNGER[key]
        }

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch; the remainder of the shuffled images waits for the next."""
        return self.train_images // self.batch_size

    @property
    def steps(self) -> int:
        return self.epochs * self.steps_per_epoch

    @property
    def checkpoint_steps(self) -> list[int]:
        return checkpoint_steps(self.checkpoints, self.epochs, self.steps_per_epoch)

    @property
    def products(self) -> list[str]:
        """Names of the files that training ends with: checkpoints and curves."""
        names = [f"step{step}.safetensors" for step in self.checkpoint_steps]
        # The checkpoints last: where they are, the rest is.
        return ["steps.csv", "epochs.csv", *names]

    @property
    def folder(self) -> str:
        """Name of the folder of its products: what a person knows it by, and its digest."""
        return (
            f"{self.architecture}_width{self.width:g}_{self.train_images}images"
            f"_{self.epochs}epochs_seed{self.seed}_{self.digest[:12]}"
        )

    @property
    def digest(self) -> str:
        """Sha256 of everything that determines the weights."""
        return hashlib.sha256(json.dumps(self.fields, sort_keys=True).encode()).hexdigest()


YOUNGER: dict[str, Any] = {
    field.name: field.default
    for field in dataclasses.fields(TrainingPlan)
    if field.default is not dataclasses.MISSING
}
"""Fields that plans, configs and references may be older than, and the value they then have."""


def checkpoint_steps(checkpoints: tuple[str, ...], epochs: int, steps_per_epoch: int) -> list[int]:
    """Optimiser steps of checkpoints, ascending, with 0 and the last step.

    A checkpoint is an epoch (``"2"``, ``"1/16"``, ``"0.5"``) or a step (``"100 steps"``). Raises
    ValueError for other text and for what lies beyond the last epoch.
    """
    steps = {0, epochs * steps_per_epoch}
    for text in map(str, checkpoints):
        as_step = re.fullmatch(r"(\d+) steps?", text)
        try:
            step = Fraction(as_step[1]) if as_step else Fraction(text) * steps_per_epoch
        except (ValueError, ZeroDivisionError):
            raise ValueError(
                f"{text!r} is neither an epoch such as 0, 1/16 or 2 nor a step such as '100 steps'"
            ) from None
        if not 0 <= step <= epochs * steps_per_epoch:
            raise ValueError(
                f"{text!r} is outside the {epochs} epochs ({epochs * steps_per_epoch} steps) of"
                " training"
            )
        steps.add(round(step))
    return sorted(steps)


def refuse_other_plan(checkpoint: Path, plan: TrainingPlan) -> None:
    """Raise ValueError unless the file `checkpoint` was trained by `plan`.

    The message names every key that differs, with both values. Raises DamagedFileError for a
    truncated file.
    """
    from safetensors import SafetensorError, safe_open

    with (
        damaged_file_named(checkpoint, SafetensorError),
        safe_open(checkpoint, framework="numpy") as file,
    ):
        metadata = file.metadata() or {}
    if "plan" not in metadata:
        raise ValueError(f"{checkpoint} does not say how it was trained: delete it to train again")
    differing = differing_keys(YOUNGER | json.loads(metadata["plan"]), asdict(plan))
    if differing:
        listed = "; ".join(
            f"`{key}` is {theirs!r} in the checkpoint and {ours!r} in the config"
            for key, (theirs, ours) in differing.items()
        )
        raise ValueError(f"{checkpoint} belongs to another training: {listed}")


def differing_keys(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Fields whose values differ between two plans, as after JSON; None for a field one lacks."""
    one, other = (json.loads(json.dumps(fields)) for fields in (dict(one), dict(other)))
    return {
        key: (one.get(key), other.get(key))
        for key in {**other, **one}
        if one.get(key) != other.get(key)
    }
