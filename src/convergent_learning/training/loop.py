"""The training loop: bf16 autocast, channels last, batches gathered in memory, resumable.

Resuming needs no generator state: every random draw is derived from its purpose and step.
"""

from __future__ import annotations

import csv
import logging
import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import torch
from torch.nn import functional

from convergent_learning.datasets.canonical import Split, data_digests, read_split
from convergent_learning.networks.architectures import build
from convergent_learning.networks.checkpoints import read_description, save_checkpoint
from convergent_learning.progress import track
from convergent_learning.randomness import derived_seed
from convergent_learning.stimuli.sets import stored_spectrum
from convergent_learning.training.batches import batches
from convergent_learning.training.device import (
    default_device,
    out_of_memory_explained,
    training_arithmetic,
)
from convergent_learning.training.kernels import avoid_faulty_kernels
from convergent_learning.training.labels import LABELS
from convergent_learning.training.objectives import objective
from convergent_learning.training.optimizer import optimizer
from convergent_learning.training.pixels import trained_on
from convergent_learning.training.plan import AUTO, PORTABLE, TrainingPlan, differing_keys
from convergent_learning.training.portable import check_portable
from convergent_learning.training.precision import Precision
from convergent_learning.training.probe import fit_probe
from convergent_learning.training.schedule import learning_rate
from convergent_learning.training.state import TrainingState, exclusive
from convergent_learning.training.stopping import TimeLimitError, reason_to_stop

STEP_COLUMNS = ("step", "epoch", "learning_rate", "loss", "accuracy", "images_per_s")
EPOCH_COLUMNS = ("step", "epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy")
_SECONDS_BETWEEN_STATES = 60
_EVALUATION_BATCH = 125  # on a CPU the maps of more images fall out of the cache
_LOG = logging.getLogger(__name__)


class DivergedError(RuntimeError):
    """The loss or a weight is not finite."""


def train(
    plan: TrainingPlan,
    dataset: Path,
    folder: Path,
    state_folder: Path,
    deadline: float | None = None,
    code: str = "",
    precision: Precision | None = None,
) -> None:
    """Train one network and write its checkpoints and curves into `folder`.

    A network that this code has trained there by the same plan, on the same data and in the same
    precision, is kept.

    Parameters
    ----------
    plan : everything that determines the weights.
    dataset : canonical HDF5 file.
    folder : has the network's name; gets ``step<N>.safetensors`` for each checkpoint,
        ``steps.csv`` and ``epochs.csv``, all at the end.
    state_folder : where states survive a killed job; emptied on success.
    deadline : ``time.monotonic()`` value at which to save and stop, as on SIGTERM.
    code : digest of the code that trains; a state that other code saved is not taken up.
    precision : what ``precision: auto`` of a plan means.

    Raises DivergedError naming step, learning rate and last good checkpoint, MemoryError naming
    the keys to lower, TimeLimitError once the state is saved, and RuntimeError where a portable
    training would not be one.
    """
    targets = [folder / name for name in plan.products]
    portable = plan.precision == PORTABLE
    if portable:
        check_portable(folder.name)
    device = torch.device("cpu") if portable else default_device()
    with exclusive(state_folder / f"{plan.digest[:16]}.lock"):
        state = TrainingState(state_folder / plan.digest[:16], code)
        with (
            reason_to_stop(deadline) as reason,
            out_of_memory_explained(folder.name, plan),
            training_arithmetic(device),
        ):
            run = Run(folder.name, plan, dataset, state, device, reason, code, precision)
            if run.has_made(targets):
                _LOG.info("%s was trained before, and by nothing else: it is kept", folder.name)
                state.remove()
                return
            run.finish()
        state.publish(targets)


class Run:
    """A training run in memory: network, optimiser, curves, and the step they stand at."""

    def __init__(
        self,
        name: str,
        plan: TrainingPlan,
        dataset: Path,
        state: TrainingState,
        device: torch.device,
        reason: Callable[[], str],
        code: str = "",
        precision: Precision | None = None,
    ):
        self.name, self.plan, self.state = name, plan, state
        self.device, self.reason = device, reason
        self.precision = plan.precision
        if plan.precision == AUTO:
            if precision is None:
                raise ValueError(f"training {name}: nobody has chosen what `precision: auto` means")
            self.precision = precision.name
            _LOG.info("precision %s: %s", precision.name, precision.reason)
        subset_seed = derived_seed("training subset", plan.experiment_seed)
        natural = read_split(dataset, "train", plan.train_images, subset_seed)
        train_split = _as_planned(natural, plan, dataset)
        workers = torch.get_num_threads()
        self.train_batches = batches(train_split, plan, device, workers)
        self.test_batches = batches(read_split(dataset, "test"), plan, device, workers)
        torch.manual_seed(derived_seed("initialisation", plan.experiment_seed, plan.seed))
        side = train_split.images.shape[1]
        self.network = build(plan.architecture, train_split.classes, plan.width, side)
        self.network.to(device).to(memory_format=torch.channels_last)
        avoid_faulty_kernels(self.network)
        self.objective = objective(plan.objective)(
            self.network, self.train_batches, plan, self._autocast
        )
        trained = [*self.network.parameters(), *self.objective.parameters()]
        self.optimizer = optimizer([each for each in trained if each.requires_grad], plan)
        self.description = {
            "architecture": plan.architecture,
            "width": plan.width,
            "dataset": plan.dataset,
            "classes": train_split.classes,
            "image_size": side,
            "seed": plan.seed,
            "plan": plan.fields,
            "plan_digest": plan.digest,
            "precision": self.precision,
            "code": code,
            "mean": train_split.mean.tolist(),
            "std": train_split.std.tolist(),
            "data": data_digests(dataset),
        }
        self._checkpoint_steps = set(plan.checkpoint_steps)
        self.step = 0
        self.step_rows: list[list] = []
        self.epoch_rows: list[list] = []
        self._probed = -1, math.nan  # step and accuracy of the last linear probe
        self._saved_at = time.monotonic()

    def has_made(self, targets: Sequence[Path]) -> bool:
        """Whether these files are there, and what this run would make."""
        if not all(target.exists() for target in targets):
            return False
        about = [read_description(path) for path in targets if path.suffix == ".safetensors"]
        return not any(differing_keys(a, self.description | {"step": a["step"]}) for a in about)

    def finish(self) -> None:
        """Go on from the last saved state, if any, to the end of the plan."""
        if not self._restore():
            self._checkpoint()
        self._evaluate()
        steps = range(self.step, self.plan.steps)
        purpose = f"training {self.plan.dataset} {self.name}"
        for step in track(steps, purpose, self.step, self.plan.batch_size, "images"):
            self.advance(step)
        _write_csv(self.state.products / "steps.csv", STEP_COLUMNS, self.step_rows)
        _write_csv(self.state.products / "epochs.csv", EPOCH_COLUMNS, self.epoch_rows)

    def advance(self, step: int) -> None:
        """Take optimiser step `step` and do what is due after it."""
        self._stop_if_due()
        self._optimise(step)
        self.step = step + 1
        self._checkpoint()
        self._evaluate()
        if time.monotonic() - self._saved_at > _SECONDS_BETWEEN_STATES:
            self._save()

    def _optimise(self, step: int) -> None:
        start = time.perf_counter()
        self.network.train()
        # For dropout, which draws from torch's own generator.
        torch.manual_seed(derived_seed("step", self.plan.experiment_seed, self.plan.seed, step))
        rate = learning_rate(step, self.plan)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        loss, decided = self.objective(step)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        value = loss.item()
        if not math.isfinite(value):
            self._diverged(f"loss is {value}", step, rate)
        correct = decided.item()
        speed = self.plan.batch_size / (time.perf_counter() - start)
        epoch = (step + 1) / self.plan.steps_per_epoch
        self.step_rows.append([step + 1, epoch, rate, value, correct, speed])

    def _checkpoint(self) -> None:
        """Save a checkpoint, and the state behind it, where the plan wants one."""
        if self.step not in self._checkpoint_steps:
            return
        self._probe()
        if not all(weights.isfinite().all() for weights in self.network.parameters()):
            self._diverged("weights are not finite", self.step - 1, self.step_rows[-1][2])
        path = self.state.products / f"step{self.step}.safetensors"
        save_checkpoint(path, self.network, self.description | {"step": self.step})
        self._save()

    def _diverged(self, what: str, step: int, rate: float) -> NoReturn:
        # The weights that gave this loss are bad, those of earlier steps gave finite ones.
        good = max((s for s in self.plan.checkpoint_steps if s < step), default="none")
        raise DivergedError(
            f"{self.name}: {what} at step {step}, learning rate {rate:.4g}; last good checkpoint:"
            f" step {good}. Lower `training.learning_rate`."
        )

    def _evaluate(self) -> None:
        """Add a row on the test set at the end of an epoch, unless it is there (a resumed run)."""
        epoch, within = divmod(self.step, self.plan.steps_per_epoch)
        if within or len(self.epoch_rows) > epoch:
            return
        probed = self._probe()
        self.network.eval()
        loss = correct = 0.0
        with torch.inference_mode(), self._autocast():
            for start in range(0, len(self.test_batches), _EVALUATION_BATCH):
                self._stop_if_due()
                images, labels = self.test_batches.evaluation(start, start + _EVALUATION_BATCH)
                logits = self.network(images).float()
                loss += functional.cross_entropy(logits, labels, reduction="sum").item()
                correct += (logits.argmax(1) == labels).sum().item()
        recent = self.step_rows[-self.plan.steps_per_epoch :]
        train_loss, train_accuracy = (
            sum(row[column] for row in recent) / len(recent) if recent else math.nan
            for column in (3, 4)
        )
        if not self.objective.decides:
            train_accuracy = probed
        n = len(self.test_batches)
        self.epoch_rows.append(
            [self.step, epoch, train_loss, train_accuracy, loss / n, correct / n]
        )
        _LOG.info("epoch %d: test loss %.3f, accuracy %.3f", epoch, loss / n, correct / n)

    def _probe(self) -> float:
        """Give a network that was taught no classes its classifier, once at this step.

        Returns the classifier's accuracy on training images.
        """
        if self.objective.decides:
            return math.nan
        if self._probed[0] != self.step:
            seed = derived_seed("probe", self.plan.experiment_seed)
            accuracy = fit_probe(self.network, self.train_batches, seed)
            self._probed = self.step, accuracy
        return self._probed[1]

    def _stop_if_due(self) -> None:
        if reason := self.reason():
            self._save()
            raise TimeLimitError(
                f"training {self.name} on {self.plan.dataset} stopped after step {self.step}"
                f" of {self.plan.steps}: {reason}. Its state is saved: run the same command again"
                " and it goes on"
            )

    def _autocast(self):
        if self.precision == "bfloat16":
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def _save(self) -> None:
        self._saved_at = time.monotonic()
        state = {
            "step": self.step,
            "description": self.description,
            "network": self.network.state_dict(),
            "objective": self.objective.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step_rows": torch.tensor(self.step_rows, dtype=torch.float64),
            "epoch_rows": self.epoch_rows,
        }
        self.state.save(self.step, state)

    def _restore(self) -> bool:
        """Take up the last saved state; False if there is none that this run could go on from."""
        saved = self.state.load(self.device)
        if saved is None:
            return False
        # The plan is the same, but the dataset's file or the machine may be another.
        if differing := differing_keys(saved["description"], self.description):
            _LOG.warning("the saved state has another %s: starting anew", ", ".join(differing))
            self.state.discard()
            return False
        self.network.load_state_dict(saved["network"])
        self.objective.load_state_dict(saved["objective"])
        self.optimizer.load_state_dict(saved["optimizer"])
        self.step_rows = [[int(step), *row] for step, *row in saved["step_rows"].tolist()]
        self.epoch_rows = saved["epoch_rows"]
        self.step = saved["step"]
        _LOG.info("resuming after step %d of %d", self.step, self.plan.steps)
        return True


def _as_planned(split: Split, plan: TrainingPlan, dataset: Path) -> Split:
    """The training split with the images and labels that the plan trains on."""
    if plan.images != "natural" and not isinstance(split.images, np.ndarray):
        raise ValueError(
            f"training.images: {plan.images!r} needs images in memory, which those of the data set"
            f" {plan.dataset} are not; use `natural`"
        )
    images = split.images
    if isinstance(images, np.ndarray):
        spectrum = stored_spectrum(dataset)
        images = trained_on(plan.images, images, plan.experiment_seed, spectrum)
    labels = LABELS[plan.labels](split.labels, plan.experiment_seed)
    return replace(split, images=images, labels=labels)


def _write_csv(path: Path, columns: tuple[str, ...], rows: list[list]) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
