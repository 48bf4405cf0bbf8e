"""Networks ready for a forward pass; those that the next stimulus set needs too are kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from convergent_learning.activations.shown import WEIGHTS_KEPT, ActivationFile, Shown
from convergent_learning.files import sha256_of
from convergent_learning.networks.checkpoints import Checkpoint, load_checkpoint
from convergent_learning.networks.loading import load_pretrained
from convergent_learning.networks.outputs import LayerOutputs
from convergent_learning.networks.pretrained import Pretrained
from convergent_learning.training.device import default_device
from convergent_learning.training.plan import refuse_other_plan


class LoadedNetwork:
    """A network at a training step, in evaluation mode, with its layers' outputs.

    Raises ValueError for a checkpoint of another config, naming the key that differs; for a layer
    that the network lacks, with names that it has.
    """

    def __init__(self, shown: Shown, step: int, about: dict[str, Any]):
        self.shown, self.asked_step = shown, step
        self.device = default_device()
        self.checkpoint = _load(shown, about, self.device)
        described = shown.source if isinstance(shown.source, Pretrained) else None
        self.outputs = LayerOutputs(
            self.checkpoint.network,
            shown.layers,
            self.checkpoint.architecture,
            "graph" if described is None else described.reader,
        )
        self._contiguous = described is not None and described.is_own
        self._mean = torch.tensor(self.checkpoint.mean, device=self.device) * 255
        self._std = torch.tensor(self.checkpoint.std, device=self.device) * 255

    @property
    def identity(self) -> str:
        """Digest of everything about the network that its activations depend on, code apart."""
        source = self.shown.source
        made = {
            "weights": self.checkpoint.weights_digest,
            "architecture": self.checkpoint.architecture,
            "described": asdict(source) if isinstance(source, Pretrained) else None,
            "files": (
                [sha256_of(Path(file)) for file in source.files]
                if isinstance(source, Pretrained)
                else []
            ),
            "mean": self.checkpoint.mean,
            "std": self.checkpoint.std,
        }
        return hashlib.sha256(json.dumps(made, sort_keys=True).encode()).hexdigest()

    @property
    def bytes(self) -> int:
        """Size of the weights."""
        return sum(tensor.nbytes for tensor in self.checkpoint.network.state_dict().values())

    def __call__(self, images: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
        """Activations by layer name, and the logits, for images (n, h, w, 3) uint8."""
        pixels = images.to(self.device).float()
        maps = ((pixels - self._mean) / self._std).permute(0, 3, 1, 2)
        return self.outputs(maps.contiguous() if self._contiguous else maps)


class Loader:
    """Loads networks, and keeps as many as have weights of `WEIGHTS_KEPT` bytes together.

    `about` is the summary of the dataset: its mean and std normalise the pixels of networks that
    have none of their own.
    """

    def __init__(self, about: dict[str, Any]):
        self._about = about
        self.dataset: str = about["dataset"]
        self._kept: list[LoadedNetwork] = []

    def keep_only(self, networks: Collection[Shown], step: int) -> None:
        """Drop the networks that are not among these at `step`."""
        self._kept = [n for n in self._kept if n.shown in networks and n.asked_step == step]

    def load(self, shown: Shown, step: int) -> LoadedNetwork:
        """The network at `step`; errors as `LoadedNetwork`."""
        for network in self._kept:
            if network.shown == shown and network.asked_step == step:
                return network
        network = LoadedNetwork(shown, step, self._about)
        if sum(kept.bytes for kept in self._kept) + network.bytes <= WEIGHTS_KEPT:
            self._kept.append(network)
        return network


def _load(shown: Shown, about: dict[str, Any], device: torch.device) -> Checkpoint:
    if isinstance(shown.source, Pretrained):
        normalisation = (about["mean"], about["std"])
        return load_pretrained(shown.source, about["dataset"], normalisation, device)
    assert not isinstance(shown.source, ActivationFile), "a file is no network"
    path, plan = shown.source
    refuse_other_plan(Path(path), plan)
    return load_checkpoint(Path(path), device)
