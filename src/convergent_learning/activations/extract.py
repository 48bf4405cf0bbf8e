"""One forward pass of networks over a stimulus set: activations to HDF5, accuracy to CSV.

A file a network; in it group `layers` with one dataset a layer, (n, c, g, g) or (n, c), chunked
along the stimuli and named by the layer's graph node. Attributes say exactly what made it.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from scipy.special import softmax

from convergent_learning import __version__
from convergent_learning.activations.accuracy import ACCURACY_COLUMNS
from convergent_learning.activations.shown import Shown
from convergent_learning.alignment.positions import Positions, sample_positions
from convergent_learning.datasets.canonical import read_summary
from convergent_learning.files import replace_when_done
from convergent_learning.networks.checkpoints import Checkpoint, load_checkpoint
from convergent_learning.networks.layers import Layer, depths
from convergent_learning.networks.loading import load_pretrained
from convergent_learning.networks.outputs import LayerOutputs
from convergent_learning.networks.pretrained import Pretrained
from convergent_learning.progress import track
from convergent_learning.stimuli import condition_slug
from convergent_learning.stimuli.geirhos16 import sixteen_class_decision
from convergent_learning.stimuli.stimulus_files import Stimuli, read_stimuli
from convergent_learning.training.device import default_device
from convergent_learning.training.plan import refuse_other_plan

_IMAGENET_CLASSES = 1000
_BATCH = 125  # on a CPU the maps of more images fall out of the cache
_DTYPES = {"float16": torch.float16, "float32": torch.float32}


def extract(
    networks: Sequence[Shown],
    step: int,
    dataset: Path,
    stimuli: Path,
    out: Path,
    accuracy: Path,
    positions: Positions,
    dtype: str,
) -> None:
    """Write ``<network>.h5`` into folder `out` for each network.

    Parameters
    ----------
    networks : all at training step `step`; those not trained here count as being there.
    dataset : canonical HDF5 file; its classes say which networks' decisions have an accuracy.
    stimuli : stimulus set shown to all of them, so that rows correspond.
    out, accuracy : folder of the activation files; CSV with one row a network, accuracy empty
        where the labels of the stimuli are not among the network's decisions.
    positions : positions kept of a spatial layer (see `alignment.positions`).
    dtype : ``float16`` or ``float32``.

    Raises ValueError for a checkpoint of another config, naming the key that differs; for a layer
    that the network's graph lacks, with the names it has; for activations that overflow `dtype`.
    """
    device = default_device()
    stimulus_set = read_stimuli(stimuli)
    about = read_summary(dataset)
    out.mkdir(parents=True, exist_ok=True)
    rows = []
    for network in track(networks, f"activations {stimuli.stem}"):
        checkpoint = _load(network, step, about, device)
        path = out / f"{network.name}.h5"
        with replace_when_done(path) as partial, h5py.File(partial, "w") as file:
            _describe(file, network, checkpoint, stimulus_set, positions, dtype)
            logits = _forward(
                *(file, network.name, checkpoint, stimulus_set, network.layers, positions, dtype),
                device,
            )
        decisions = _decide(logits, stimulus_set.attrs["decision"], len(about["classes"]))
        rows.append(_accuracy_row(network, checkpoint, stimulus_set, decisions))
    with replace_when_done(accuracy) as partial, open(partial, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(ACCURACY_COLUMNS)
        writer.writerows(rows)


def _load(network: Shown, step: int, about: dict[str, Any], device: torch.device) -> Checkpoint:
    if isinstance(network.source, Pretrained):
        normalisation = (about["mean"], about["std"])
        return load_pretrained(network.source, about["dataset"], step, normalisation, device)
    path, plan = network.source
    refuse_other_plan(Path(path), plan)
    return load_checkpoint(Path(path), device)


def _describe(
    file: h5py.File,
    network: Shown,
    checkpoint: Checkpoint,
    stimulus_set: Stimuli,
    positions: Positions,
    dtype: str,
) -> None:
    file.attrs.update(
        {
            "dataset": checkpoint.dataset,
            "group": network.group,
            "seed": network.seed,
            "step": checkpoint.step,
            "stimuli": stimulus_set.attrs["stimuli"],
            "condition": stimulus_set.attrs["condition"],
            "stimulus_digest": stimulus_set.attrs["digest"],
            "weights_digest": checkpoint.weights_digest,
            "dtype": dtype,
            "positions": positions,
            "package_version": __version__,
        }
    )


@torch.inference_mode()
def _forward(
    file: h5py.File,
    name: str,
    checkpoint: Checkpoint,
    stimulus_set: Stimuli,
    layers: tuple[Layer, ...],
    positions: Positions,
    dtype: str,
    device: torch.device,
) -> np.ndarray:
    """Fill `file` and return the network's output (n, classes) float32."""
    outputs = LayerOutputs(checkpoint.network, layers, checkpoint.architecture)
    mean = torch.tensor(checkpoint.mean, device=device) * 255
    std = torch.tensor(checkpoint.std, device=device) * 255
    group = file.create_group("layers")
    n = len(stimulus_set.images)
    logits = []
    for start in range(0, n, _BATCH):
        batch = slice(start, min(start + _BATCH, n))
        pixels = torch.from_numpy(stimulus_set.images[batch]).to(device)
        activations, output = outputs(((pixels.float() - mean) / std).permute(0, 3, 1, 2))
        logits.append(output.float().cpu().numpy())
        for order, (layer, depth) in enumerate(zip(layers, depths(layers), strict=True)):
            kept = sample_positions(activations[layer.name], positions).to(_DTYPES[dtype])
            if not kept.isfinite().all():
                raise ValueError(
                    f"layer {layer.name} of {name}, step {checkpoint.step}: values beyond {dtype}"
                    f" on {_shown(stimulus_set)}; set `activations.dtype: float32`, or see whether"
                    " training diverged"
                )
            if start == 0:
                dataset = group.create_dataset(
                    layer.name,
                    shape=(n, *kept.shape[1:]),
                    dtype=dtype,
                    chunks=(min(n, _BATCH), *kept.shape[1:]),
                    fletcher32=True,
                )
                dataset.attrs.update(
                    {
                        "layer": layer.name,
                        "order": order,
                        "depth": depth,
                        "role": "logits" if layer.node == outputs.output else layer.role,
                    }
                )
            group[layer.name][batch] = kept.cpu().numpy()
    return np.concatenate(logits)


def _decide(logits: np.ndarray, decision: str, classes: int) -> np.ndarray:
    """What the network says in terms of the labels (n,); −1 where it has no word for them."""
    if decision == "classes" and logits.shape[1:] == (classes,):
        return logits.argmax(1)
    if decision == "sixteen" and logits.shape[1:] == (_IMAGENET_CLASSES,):
        return sixteen_class_decision(softmax(logits.astype(np.float64), axis=1))
    return np.full(len(logits), -1)


def _shown(stimulus_set: Stimuli) -> str:
    return condition_slug(stimulus_set.attrs["stimuli"], stimulus_set.attrs["condition"])


def _accuracy_row(
    network: Shown, checkpoint: Checkpoint, stimulus_set: Stimuli, decisions: np.ndarray
) -> list[object]:
    known = (stimulus_set.labels >= 0) & (decisions >= 0)
    accuracy = (decisions == stimulus_set.labels)[known].mean() if known.any() else ""
    return [
        checkpoint.dataset,
        network.group,
        network.seed,
        checkpoint.step,
        stimulus_set.attrs["stimuli"],
        stimulus_set.attrs["condition"],
        accuracy,
        len(decisions),
    ]
