"""Activations that a file of the user's holds, in place of a network that is shown stimuli."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from convergent_learning import __version__
from convergent_learning.activations.decisions import accuracy
from convergent_learning.activations.forward import DTYPES, Extraction
from convergent_learning.activations.shown import Shown
from convergent_learning.alignment.activation_reader import LayerResponses, read_activations
from convergent_learning.alignment.positions import sample_positions
from convergent_learning.alignment.responses import Array
from convergent_learning.files import sha256_of
from convergent_learning.networks.layers import Layer, depths
from convergent_learning.stimuli.stimulus_files import Stimuli


class GivenActivations:
    """A network's activations for a stimulus set, from its file (`alignment.store.Activations`).

    Positions and dtype are those of the experiment. Raises ValueError for a file of other stimuli
    or without a layer, and for activations that overflow the dtype.
    """

    together = False

    def __init__(
        self, shown: Shown, path: Path, step: int, dataset: str, stimuli: Stimuli, how: Extraction
    ):
        self.name, self._path, self._how = shown.name, path, how
        self._given = read_activations(path)
        _refuse_other_stimuli(path, self._given.stimulus_digest, stimuli)
        missing = [layer.name for layer in shown.layers if layer.name not in self._given]
        if missing:
            raise ValueError(
                f"{path} has no layer {missing[0]!r}, which other files of {shown.group} have:"
                " write the same layers into all of them"
            )
        self.layers: Mapping[str, Mapping[str, Any]] = {
            layer.name: self._about(layer, order, depth)
            for order, (layer, depth) in enumerate(
                zip(shown.layers, depths(shown.layers), strict=True)
            )
        }
        self.shapes: Mapping[str, tuple[int, ...]] = {
            name: (self._given.n, *self._read(name, slice(0, 1)).shape[1:]) for name in self.layers
        }
        self.attrs: Mapping[str, Any] = self._attributes(shown, step, dataset, stimuli)
        logits = self._given.logits
        self.accuracy = math.nan
        if logits is not None:
            self.accuracy = accuracy(np.asarray(logits[:], np.float32), stimuli, how.classes)

    def read(self, layers: Sequence[str]) -> list[Array]:
        """Responses of some layers."""
        return [_Layer(self, layer) for layer in layers]

    def __str__(self) -> str:
        return str(self._path)

    def _about(self, layer: Layer, order: int, depth: float) -> dict[str, Any]:
        role = layer.role or self._given.roles[layer.name]
        return {"layer": layer.name, "order": order, "depth": depth, "role": role}

    def _attributes(
        self, shown: Shown, step: int, dataset: str, stimuli: Stimuli
    ) -> dict[str, Any]:
        described = {
            "dataset": dataset,
            "group": shown.group,
            "seed": shown.seed,
            "step": step,
            "stimuli": stimuli.attrs["stimuli"],
            "condition": stimuli.attrs["condition"],
            "stimulus_digest": stimuli.attrs["digest"],
            "weights_digest": sha256_of(self._path),
            "dtype": self._how.dtype,
            "positions": self._how.positions,
            "code": self._how.code_of(shown),
        }
        depended_on = {**described, "layers": [asdict(layer) for layer in shown.layers]}
        identity = hashlib.sha256(json.dumps(depended_on).encode()).hexdigest()
        return {**described, "identity": identity, "package_version": __version__}

    def _read(self, layer: str, stimuli: slice | np.ndarray) -> torch.Tensor:
        responses: LayerResponses = self._given[layer]
        kept = sample_positions(torch.from_numpy(responses[stimuli]), self._how.positions)
        kept = kept.to(DTYPES[self._how.dtype])
        if not kept.isfinite().all():
            raise ValueError(
                f"{self._path}: layer {layer!r} has values beyond {self._how.dtype}; set"
                " `activations.dtype: float32`"
            )
        return kept


class _Layer:
    """A layer that is read (`alignment.responses.MadeWhenRead`)."""

    def __init__(self, network: GivenActivations, layer: str):
        self._network, self._layer = network, layer
        self.shape = network.shapes[layer]

    def __getitem__(self, stimuli: slice | np.ndarray) -> torch.Tensor:
        return self._network._read(self._layer, stimuli)


def _refuse_other_stimuli(path: Path, digest: str | None, stimuli: Stimuli) -> None:
    shown = f"{stimuli.attrs['stimuli']} {stimuli.attrs['condition']}".strip()
    if digest is None:
        raise ValueError(
            f"{path} does not say which stimuli it is of: write it with `stimulus_digest`, the"
            f" attribute `digest` of the file of the stimulus set {shown}"
        )
    if digest != stimuli.attrs["digest"]:
        raise ValueError(
            f"{path} is of stimuli with the digest {digest}, not of the stimulus set {shown} with"
            f" {stimuli.attrs['digest']}: write activations for the images of that set"
        )
