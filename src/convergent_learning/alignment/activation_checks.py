"""What activations in a file must be: names, roles, shapes, dtypes, values that can be scored."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

ROLES = ("block", "pooled", "logits")
_SHA256 = re.compile("[0-9a-f]{64}")


class Header(Protocol):
    """What is known of an array before its values are read."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def dtype(self) -> np.dtype: ...


def check_arrays(
    path: Path,
    layers: Mapping[str, Header],
    logits: Header | None,
    labels: Header | None,
) -> None:
    """Raise ValueError, naming file, array and remedy, for what cannot be scored."""
    first = next(iter(layers))
    for name, layer in layers.items():
        if not isinstance(name, str) or "/" in name or name in ("", ".", ".."):
            raise ValueError(f"{path}: {name!r} cannot name a layer; use text without slashes")
        label = f"{path}: layer {name!r}"
        if layer.dtype.kind != "f" or layer.dtype.itemsize > 8:
            raise ValueError(
                f"{label} has dtype {layer.dtype}; store float16, float32 or float64 responses"
            )
        if len(layer.shape) not in (2, 4) or 0 in layer.shape:
            raise ValueError(
                f"{label} has shape {tuple(layer.shape)}; store (n, units) or (n, channels, "
                "height, width), tokens as a grid and a class token as a layer of its own"
            )
        if layer.shape[0] != layers[first].shape[0]:
            raise ValueError(
                f"{label} has {layer.shape[0]} stimuli and layer {first!r} has "
                f"{layers[first].shape[0]}; store the responses to the same stimuli in one order"
            )
    n = layers[first].shape[0]
    if logits is not None and (
        logits.dtype.kind != "f" or len(logits.shape) != 2 or logits.shape[0] != n
    ):
        raise ValueError(
            f"{path}: `logits` is {tuple(logits.shape)} {logits.dtype}; store ({n}, classes) "
            "floating point numbers"
        )
    if labels is not None and (labels.dtype.kind not in "iu" or tuple(labels.shape) != (n,)):
        raise ValueError(
            f"{path}: `labels` is {tuple(labels.shape)} {labels.dtype}; store ({n},) integers"
        )


def check_labels(path: Path, labels: np.ndarray, classes: int) -> None:
    """Raise ValueError naming the first label that is neither a class of the logits nor −1."""
    wrong = np.flatnonzero((labels < -1) | (labels >= classes))
    if len(wrong):
        raise ValueError(
            f"{path}: `labels` has {labels[wrong[0]]} at stimulus {wrong[0]} (counted from 0), but"
            f" the logits have {classes} classes; use 0 to {classes - 1}, or -1 for no class"
        )


def checked_roles(path: Path, names: Sequence[str], roles: Sequence[str] | None) -> dict[str, str]:
    """Role of each layer, "block" for all if none are given; ValueError for an unknown one."""
    if roles is None:
        return dict.fromkeys(names, ROLES[0])
    if len(roles) != len(names):
        raise ValueError(
            f"{path}: `roles` has {len(roles)} entries for {len(names)} layers; give one for each "
            "name of `depth_order`"
        )
    for name, role in zip(names, roles, strict=True):
        if role not in ROLES:
            raise ValueError(
                f"{path}: layer {name!r} has the role {role!r}; use {', '.join(ROLES)}"
            )
    return dict(zip(names, roles, strict=True))


def checked_digest(path: Path, digest: str) -> str:
    """The digest; ValueError unless it is a sha256 in hexadecimal digits."""
    if not _SHA256.fullmatch(digest):
        raise ValueError(
            f"{path}: the stimulus digest {digest!r} is no sha256 in 64 lower-case hexadecimal "
            "digits; copy the attribute `digest` of the stimulus file"
        )
    return digest


def check_finite(values: np.ndarray, stimuli: np.ndarray, label: str) -> None:
    """Raise ValueError naming the first response that is not finite.

    stimuli : index of the stimulus of each row
    """
    if math.isfinite(float(values.sum(dtype=np.float64))):
        return
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        row, unit, *place = (int(index) for index in wrong[0])
        position = f", row {place[0]}, column {place[1]}" if place else ""
        raise ValueError(
            f"{label} is {values[tuple(wrong[0])]} at stimulus {int(stimuli[row])}, unit "
            f"{unit}{position} (counted from 0); check the network and the images, or store "
            "float32 if float16 overflowed"
        )
