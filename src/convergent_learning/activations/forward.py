"""A forward pass of a network over stimuli, and what identifies its activations."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from convergent_learning import __version__
from convergent_learning.activations.loaded import LoadedNetwork
from convergent_learning.activations.shown import Shown
from convergent_learning.alignment.positions import Positions, sample_positions
from convergent_learning.networks.layers import depths
from convergent_learning.stimuli import condition_slug
from convergent_learning.stimuli.stimulus_files import Stimuli

DTYPES = {"float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True)
class Extraction:
    """How activations are kept.

    positions : positions kept of a spatial layer (see `alignment.positions`).
    dtype : ``float16`` or ``float32``.
    classes : number of classes of the dataset: networks with as many outputs decide among them.
    code : digests of the code that extracts, by the networks' architecture (`Shown.architecture`);
        empty where nothing is stored that they identify.
    """

    positions: Positions
    dtype: str
    classes: int
    code: Mapping[str, str]

    def code_of(self, shown: Shown) -> str:
        """The digest of the code that extracts from a network."""
        return self.code[shown.architecture]


def attributes_of(network: LoadedNetwork, stimuli: Stimuli, how: Extraction) -> dict[str, Any]:
    """What exactly makes the activations of a network for `stimuli`.

    `identity` is the digest of all that they depend on.
    """
    layers = network.shown.layers
    described = {
        "dataset": network.checkpoint.dataset,
        "group": network.shown.group,
        "seed": network.shown.seed,
        "step": network.checkpoint.step,
        "stimuli": stimuli.attrs["stimuli"],
        "condition": stimuli.attrs["condition"],
        "stimulus_digest": stimuli.attrs["digest"],
        "weights_digest": network.checkpoint.weights_digest,
        "dtype": how.dtype,
        "positions": how.positions,
        "code": how.code_of(network.shown),
    }
    depended_on = {
        **described,
        "network": network.identity,
        "layers": list(zip([asdict(layer) for layer in layers], depths(layers), strict=True)),
        "decision": (stimuli.attrs["decision"], how.classes),
    }
    identity = hashlib.sha256(json.dumps(depended_on).encode()).hexdigest()
    return {**described, "identity": identity, "package_version": __version__}


def attributes_of_layers(network: LoadedNetwork) -> dict[str, dict[str, Any]]:
    """Name, order, depth and role of each layer of a network, by its name, in depth order.

    Known after a forward pass.
    """
    layers = network.shown.layers
    return {
        layer.name: {
            "layer": layer.name,
            "order": order,
            "depth": depth,
            "role": network.outputs.role(layer),
        }
        for order, (layer, depth) in enumerate(zip(layers, depths(layers), strict=True))
    }


@torch.inference_mode()
def forward(
    network: LoadedNetwork,
    stimuli: Stimuli,
    chosen: slice | np.ndarray,
    layers: Collection[str],
    how: Extraction,
) -> tuple[dict[str, torch.Tensor], np.ndarray]:
    """Activations of `layers` for the `chosen` stimuli, and what the network returns.

    Returns
    -------
    activations : by layer, (m, c, rows, columns) or (m, c) of the dtype of `how`, on the network's
        device
    logits : (m, outputs) float32

    Raises
    ------
    ValueError
        For activations that overflow the dtype.
    """
    outputs, logits = network(torch.from_numpy(stimuli.images[chosen]))
    activations = {}
    for layer in layers:
        kept = sample_positions(outputs[layer], how.positions).to(DTYPES[how.dtype])
        # One value that is not finite makes the sum so; float32 holds that of any float16.
        if not kept.sum(dtype=torch.float32).isfinite():
            shown = condition_slug(stimuli.attrs["stimuli"], stimuli.attrs["condition"])
            raise ValueError(
                f"layer {layer} of {network.shown.name}, step {network.checkpoint.step}:"
                f" values beyond {how.dtype} on {shown}; set"
                " `activations.dtype: float32`, or see whether training diverged"
            )
        activations[layer] = kept
    return activations, logits.float().cpu().numpy()
