"""The training loop: bf16 autocast, channels last, batches gathered in memory, resumable.

Resuming needs no generator state: every random draw is derived from its purpose and step.
"""

from __future__ import annotations

import csv
import logging
import math
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch.nn import functional

from convergent_learning.datasets.canonical import read_split
from convergent_learning.networks.architectures import build
from convergent_learning.networks.checkpoints import save_checkpoint
from convergent_learning.progress import track
from convergent_learning.randomness import derived_seed
from convergent_learning.training.data import Batches
from convergent_learning.training.plan import TrainingPlan
from convergent_learning.training.state import TrainingState, exclusive

STEP_COLUMNS = ("step", "epoch", "learning_rate", "loss", "accuracy", "images_per_s")
EPOCH_COLUMNS = ("step", "epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
_SECONDS_BETWEEN_STATES = 60
_EVALUATION_BATCH = 125  # on a CPU the maps of more images fall out of the cache
_LOG = logging.getLogger(__name__)


class DivergedError(RuntimeError):
    """The loss is not finite."""


def train(plan: TrainingPlan, dataset: Path, folder: Path, state_folder: Path) -> None:
    """Train one network and write its checkpoints and curves into `folder`.

    Parameters
    ----------
    plan : everything that determines the weights.
    dataset : canonical HDF5 file.
    folder : gets ``step<N>.safetensors`` for each checkpoint, ``steps.csv`` and ``epochs.csv``,
        all at the end.
    state_folder : where states survive a killed job; emptied on success.

    Raises DivergedError naming step, learning rate and last good checkpoint, and MemoryError naming
    the keys to lower.
    """
    targets = [folder / name for name in plan.products]
    with exclusive(state_folder / f"{plan.digest[:16]}.lock") as waited:
        if waited and all(target.exists() for target in targets):
            _LOG.info("the other process finished this training")
            return
        state = TrainingState(state_folder / plan.digest[:16])
        try:
            _Run(plan, dataset, state).finish()
        except torch.OutOfMemoryError as error:
            raise MemoryError(
                f"training {plan.architecture} ran out of memory: lower `training.batch_size`"
                f" (now {plan.batch_size}) or the network's `width` (now {plan.width})"
            ) from error
        state.publish(targets)


class _Run:
    """A training run in memory: network, optimiser, curves, and the step they stand at."""

    def __init__(self, plan: TrainingPlan, dataset: Path, state: TrainingState):
        self.plan, self.state = plan, state
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.precision = _resolve(plan.precision, self.device)
        keys = (plan.experiment_seed, plan.seed)
        subset_seed = derived_seed("training subset", plan.experiment_seed)
        train_split = read_split(dataset, "train", plan.train_images, subset_seed)
        self.train_batches = Batches(train_split, plan, self.device)
        self.test_batches = Batches(read_split(dataset, "test"), plan, self.device)
        torch.manual_seed(derived_seed("initialisation", *keys))
        self.network = build(plan.architecture, train_split.classes, plan.width)
        self.network.to(self.device, memory_format=torch.channels_last)
        self.optimizer = torch.optim.SGD(
            self.network.parameters(),
            lr=plan.learning_rate,
            momentum=plan.momentum,
            nesterov=plan.momentum > 0,
            weight_decay=plan.weight_decay,
            fused=True,
        )
        self.description = {
            "architecture": plan.architecture,
            "width": plan.width,
            "dataset": plan.dataset,
            "classes": train_split.classes,
            "seed": plan.seed,
            "plan_digest": plan.digest,
            "precision": self.precision,
            "mean": train_split.mean.tolist(),
            "std": train_split.std.tolist(),
        }
        self.step = 0
        self.step_rows: list[list] = []
        self.epoch_rows: list[list] = []
        self._saved_at = time.monotonic()

    def finish(self) -> None:
        """Go on from the last saved state, if any, to the end of the plan."""
        saved = self.state.load(self.device)
        if saved is None:
            self._reach(0)
        else:
            self._restore(saved)
        name = f"{self.plan.dataset} {self.plan.architecture} seed {self.plan.seed}"
        for step in track(range(self.step, self.plan.steps), f"training {name}", self.step):
            self._optimise(step)
            self._reach(step + 1)
        _write_csv(self.state.products / "steps.csv", STEP_COLUMNS, self.step_rows)
        _write_csv(self.state.products / "epochs.csv", EPOCH_COLUMNS, self.epoch_rows)

    def _optimise(self, step: int) -> None:
        start = time.perf_counter()
        self.network.train()
        rate = learning_rate(step, self.plan)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        images, labels = self.train_batches.training(step)
        with self._autocast():
            logits = self.network(images)
        loss = functional.cross_entropy(logits.float(), labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        value = loss.item()
        if not math.isfinite(value):
            # The weights that gave this loss are bad, those of earlier steps gave finite ones.
            good = max((s for s in self.plan.checkpoint_steps if s < step), default="none")
            raise DivergedError(
                f"{self.plan.architecture} seed {self.plan.seed}: loss is {value} at step {step},"
                f" learning rate {rate:.4g}; last good checkpoint: step {good}. Lower"
                " `training.learning_rate`."
            )
        correct = (logits.argmax(1) == labels).float().mean().item()
        speed = len(labels) / (time.perf_counter() - start)
        epoch = (step + 1) / self.plan.steps_per_epoch
        self.step_rows.append([step + 1, epoch, rate, value, correct, speed])

    def _reach(self, step: int) -> None:
        """Write what is due once `step` optimiser steps are done."""
        self.step = step
        is_checkpoint = step in self.plan.checkpoint_steps
        if is_checkpoint:
            path = self.state.products / f"step{step}.safetensors"
            save_checkpoint(path, self.network, self.description | {"step": step})
        if step % self.plan.steps_per_epoch == 0:
            self._evaluate()
        if is_checkpoint or time.monotonic() - self._saved_at > _SECONDS_BETWEEN_STATES:
            self._save()

    def _evaluate(self) -> None:
        self.network.eval()
        loss = correct = 0.0
        with torch.inference_mode(), self._autocast():
            for start in range(0, len(self.test_batches), _EVALUATION_BATCH):
                images, labels = self.test_batches.evaluation(start, start + _EVALUATION_BATCH)
                logits = self.network(images).float()
                loss += functional.cross_entropy(logits, labels, reduction="sum").item()
                correct += (logits.argmax(1) == labels).sum().item()
        epoch = self.step // self.plan.steps_per_epoch
        recent = self.step_rows[-self.plan.steps_per_epoch :]
        train_loss, train_accuracy = (
            sum(row[column] for row in recent) / len(recent) if recent else math.nan
            for column in (3, 4)
        )
        n = len(self.test_batches)
        self.epoch_rows.append(
            [self.step, epoch, train_loss, train_accuracy, loss / n, correct / n]
        )
        _LOG.info("epoch %d: test loss %.3f, accuracy %.3f", epoch, loss / n, correct / n)

    def _autocast(self):
        if self.precision == "bfloat16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def _save(self) -> None:
        self._saved_at = time.monotonic()
        state = {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step_rows": self.step_rows,
            "epoch_rows": self.epoch_rows,
        }
        self.state.save(self.step, state)

    def _restore(self, saved: dict) -> None:
        self.network.load_state_dict(saved["network"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step_rows, self.epoch_rows = saved["step_rows"], saved["epoch_rows"]
        self.step = saved["step"]
        _LOG.info("resuming after step %d of %d", self.step, self.plan.steps)


def _resolve(precision: str, device: torch.device) -> str:
    """What ``auto`` means here: bfloat16 where the hardware multiplies it faster than float32.

    On a CPU that takes matrix units (AMX): measured without them, bfloat16 trains at 0.7 of
    float32's speed.
    """
    if precision != "auto":
        return precision
    if device.type == "cuda":
        faster = torch.cuda.is_bf16_supported()
    else:
        faster = torch.cpu.get_capabilities().get("amx_bf16", False)
    return "bfloat16" if faster else "float32"


def learning_rate(step: int, plan: TrainingPlan) -> float:
    """Linear warm-up over the first `plan.warmup` of the steps, then linear decay to zero."""
    progress = (step + 1) / plan.steps
    if progress < plan.warmup:
        return plan.learning_rate * progress / plan.warmup
    return plan.learning_rate * (1 - progress) / (1 - plan.warmup) + 1e-12


def _write_csv(path: Path, columns: tuple[str, ...], rows: list[list]) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
