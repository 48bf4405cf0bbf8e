"""A forward pass of a network over a stimulus set: activations to HDF5.

In the file, group `layers` has one dataset for each layer, (n, c, rows, columns) or (n, c), with
its name. Attributes say exactly what made it (`forward.attributes_of`). `accuracy` is NaN
where the labels of the stimuli are not among the network's decisions.
"""

from __future__ import annotations

import logging
from pathlib import Path

import h5py
import numpy as np

from convergent_learning.activations.decisions import accuracy
from convergent_learning.activations.forward import (
    Extraction,
    attributes_of,
    attributes_of_layers,
    forward,
)
from convergent_learning.activations.loaded import LoadedNetwork
from convergent_learning.activations.shown import BATCH
from convergent_learning.files import replace_when_done
from convergent_learning.stimuli.stimulus_files import Stimuli

_LOG = logging.getLogger(__name__)


def extract(network: LoadedNetwork, stimuli: Stimuli, path: Path, how: Extraction) -> None:
    """Write the activations of a network for `stimuli` to `path`, with checksums.

    A file that holds these very activations is left as it is.

    Raises ValueError for activations that overflow the dtype.
    """
    attributes = attributes_of(network, stimuli, how)
    if _holds(path, attributes["identity"]):
        return
    with (
        replace_when_done(path) as partial,
        h5py.File(partial, "w", libver="latest") as file,  # which has checksums of attributes too
    ):
        file.attrs.update(attributes)
        logits = _fill(file, network, stimuli, how)
        file.attrs["accuracy"] = accuracy(logits, stimuli, how.classes)


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


def _fill(file: h5py.File, network: LoadedNetwork, stimuli: Stimuli, how: Extraction) -> np.ndarray:
    """Write all layers and return the network's output (n, classes) float32."""
    n = len(stimuli.images)
    logits = []
    for start in range(0, n, BATCH):
        batch = slice(start, min(start + BATCH, n))
        activations, output = forward(network, stimuli, batch, network.shown.layer_names, how)
        logits.append(output)
        for layer, kept in activations.items():
            if start == 0:
                _create(file, layer, (n, *kept.shape[1:]), how)
            file[f"layers/{layer}"][batch] = kept.cpu().numpy()
    for layer, attributes in attributes_of_layers(network).items():
        file[f"layers/{layer}"].attrs.update(attributes)
    return np.concatenate(logits)


def _create(file: h5py.File, layer: str, shape: tuple[int, ...], how: Extraction) -> None:
    chunks = (min(shape[0], BATCH), *shape[1:])
    file.create_dataset(f"layers/{layer}", shape, how.dtype, chunks=chunks, fletcher32=True)
