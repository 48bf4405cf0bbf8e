"""Checkpoints: weights as safetensors, with what is needed to rebuild the network around them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from convergent_learning.files import damaged_file_named, replace_when_done
from convergent_learning.networks.architectures import build


@dataclass(frozen=True)
class Checkpoint:
    """A network at a training step, in evaluation mode, with its input normalisation.

    `weights_digest` is the sha256 of the tensors in the order of their names; `mean` and `std`
    hold three values for pixels in [0, 1].
    """

    network: torch.nn.Module
    architecture: str
    dataset: str
    seed: int
    step: int
    mean: list[float]
    std: list[float]
    weights_digest: str


def save_checkpoint(path: Path, network: torch.nn.Module, description: dict) -> None:
    """Write the weights of `network` with `description` (JSON values) as metadata, atomically."""
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    metadata = {key: json.dumps(value) for key, value in description.items()}
    with replace_when_done(path) as partial:
        save_file(tensors, partial, metadata)


def read_description(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` was given beside the weights.

    Raises DamagedFileError naming the file when it is truncated or not a checkpoint.
    """
    with (
        damaged_file_named(path, SafetensorError, ValueError),
        safe_open(path, framework="numpy") as file,
    ):
        return {key: json.loads(value) for key, value in (file.metadata() or {}).items()}


def load_checkpoint(path: Path, device: torch.device) -> Checkpoint:
    """Rebuild the network of a checkpoint file on `device`.

    Raises DamagedFileError naming the file when it is truncated or not a checkpoint, ValueError
    when its weights are not those of the network that the code builds from its description.
    """
    with (
        damaged_file_named(path, SafetensorError, KeyError, RuntimeError),
        safe_open(path, framework="pt") as file,
    ):
        about = {key: json.loads(value) for key, value in file.metadata().items()}
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        built = {key: about[key] for key in ("architecture", "classes", "width", "image_size")}
        told = {
            key: about[key] for key in ("architecture", "dataset", "seed", "step", "mean", "std")
        }
    network = build(**built)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(
            f"{path}: its weights are not those of the network that this code builds from"
            f" {built}: use the code that made it, or make it again ({error})"
        ) from error
    return Checkpoint(
        network=network.eval().to(device).to(memory_format=torch.channels_last),
        **told,
        weights_digest=weights_digest(weights),
    )


def weights_digest(weights: dict[str, torch.Tensor]) -> str:
    """Sha256 over names and bytes of all tensors."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode())
        digest.update(weights[name].detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()
