"""A forward pass of a network over a stimulus set: activations to HDF5.

In the file, group `layers` has one dataset for each layer, (n, c, g, g) or (n, c), named by the
layer's graph node. Attributes say exactly what made it; `identity` is
the digest of all that its activations depend on. `accuracy` is NaN where the labels of the stimuli
are not among the network's decisions.
"""

from __future__ import annotations

import hashlib
import json
import logging
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch

from convergent_learning import __version__
from convergent_learning.activations.decisions import accuracy
from convergent_learning.activations.loaded import LoadedNetwork
from convergent_learning.alignment.positions import Positions, sample_positions
from convergent_learning.files import replace_when_done
from convergent_learning.networks.layers import Layer, depths
from convergent_learning.stimuli import condition_slug
from convergent_learning.stimuli.stimulus_files import Stimuli

_LOG = logging.getLogger(__name__)
_BATCH = 125  # on a CPU the maps of more images fall out of the cache
_DTYPES = {"float16": torch.float16, "float32": torch.float32}


@dataclass(frozen=True)
class Extraction:
    """How activations are kept.

    positions : positions kept of a spatial layer (see `alignment.positions`).
    dtype : ``float16`` or ``float32``.
    classes : number of classes of the dataset: networks with as many outputs decide among them.
    code : digest of the code that extracts.
    stays : whether the file outlives the job: then it is whole or absent, and has checksums.
    """

    positions: Positions
    dtype: str
    classes: int
    code: str
    stays: bool


def extract(network: LoadedNetwork, stimuli: Stimuli, path: Path, how: Extraction) -> None:
    """Write the activations of a network for `stimuli` to `path`.

    A file that stays and holds these very activations is left as it is.

    Raises ValueError for activations that overflow the dtype.
    """
    attributes = _attributes(network, stimuli, how)
    if how.stays and _holds(path, attributes["identity"]):
        return
    with (
        replace_when_done(path) if how.stays else nullcontext(path) as target,
        h5py.File(target, "w", libver="latest") as file,  # which has checksums of attributes too
    ):
        file.attrs.update(attributes)
        logits = _forward(file, network, stimuli, how)
        file.attrs["accuracy"] = accuracy(logits, stimuli, how.classes)


def _attributes(network: LoadedNetwork, stimuli: Stimuli, how: Extraction) -> dict[str, Any]:
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
        "code": how.code,
    }
    depended_on = {
        **described,
        "network": network.identity,
        "layers": list(zip([asdict(layer) for layer in layers], depths(layers), strict=True)),
        "decision": (stimuli.attrs["decision"], how.classes),
    }
    identity = hashlib.sha256(json.dumps(depended_on).encode()).hexdigest()
    return {**described, "identity": identity, "package_version": __version__}


def _holds(path: Path, identity: str) -> bool:
    """Whether a file of this identity is there, with checksums that agree all through."""
    try:
        with h5py.File(path) as file:
            if dict(file.attrs)["identity"] != identity:
                return False
            for name in file["layers"]:
                layer = file["layers"][name]
                dict(layer.attrs)
                for chunk in layer.iter_chunks():
                    layer[chunk]
            return True
    except FileNotFoundError:
        return False
    except (OSError, KeyError, RuntimeError) as error:
        _LOG.warning("%s is damaged (%s): it is made again", path, error)
        return False


@torch.inference_mode()
def _forward(
    file: h5py.File, network: LoadedNetwork, stimuli: Stimuli, how: Extraction
) -> np.ndarray:
    """Fill `file` and return the network's output (n, classes) float32."""
    layers = network.shown.layers
    n = len(stimuli.images)
    stored: dict[str, h5py.Dataset] = {}
    logits = []
    for start in range(0, n, _BATCH):
        batch = slice(start, min(start + _BATCH, n))
        activations, output = network(torch.from_numpy(stimuli.images[batch]))
        logits.append(output.float().cpu().numpy())
        for layer in layers:
            kept = sample_positions(activations[layer.name], how.positions).to(_DTYPES[how.dtype])
            # One value that is not finite makes the sum so; float32 holds that of any float16.
            if not kept.sum(dtype=torch.float32).isfinite():
                raise ValueError(
                    f"layer {layer.name} of {network.shown.name}, step {network.checkpoint.step}:"
                    f" values beyond {how.dtype} on {_shown(stimuli)}; set"
                    " `activations.dtype: float32`, or see whether training diverged"
                )
            if start == 0:
                stored[layer.name] = _dataset(file, layer, (n, *kept.shape[1:]), how)
            stored[layer.name][batch] = kept.cpu().numpy()
    for order, (layer, depth) in enumerate(zip(layers, depths(layers), strict=True)):
        role = "logits" if layer.node == network.outputs.output else layer.role
        about = {"layer": layer.name, "order": order, "depth": depth, "role": role}
        stored[layer.name].attrs.update(about)
    return np.concatenate(logits)


def _dataset(
    file: h5py.File, layer: Layer, shape: tuple[int, ...], how: Extraction
) -> h5py.Dataset:
    name = f"layers/{layer.name}"
    if not how.stays:
        return file.create_dataset(name, shape, how.dtype)
    chunks = (min(shape[0], _BATCH), *shape[1:])
    return file.create_dataset(name, shape, how.dtype, chunks=chunks, fletcher32=True)


def _shown(stimuli: Stimuli) -> str:
    return condition_slug(stimuli.attrs["stimuli"], stimuli.attrs["condition"])
