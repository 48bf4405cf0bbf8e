"""Arrays of NumPy or of torch: scores are written once, for processors and GPUs.

What NumPy and torch share is called by the names of the array API standard. NumPy starts at once;
torch is faster for wide layers, and runs on CUDA.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from array_api_compat import array_namespace, is_torch_array

if TYPE_CHECKING:
    import torch

Device: TypeAlias = "str | torch.device"
Array: TypeAlias = Any  # NumPy array or torch tensor, which share no type

# Units of a layer from which torch is worth its start: below, NumPy is as fast.
WIDE = 512


def placed(array: np.ndarray, device: Device | None) -> Array:
    """A NumPy array as it is, or as a torch tensor on a device."""
    if device is None:
        return array
    import torch

    return torch.from_numpy(array).to(device)


def default_device(widest: int) -> Device | None:
    """Where layers of at most `widest` units are scored: CUDA, torch's processor, None for NumPy.

    A GPU serves only programs that use it already, or layers that are wide.
    """
    if widest < WIDE and "torch" not in sys.modules:
        return None
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "cpu" if widest >= WIDE else None


def on_gpu(array: Array) -> bool:
    """Whether an array lies on a GPU."""
    return is_torch_array(array) and array.device.type != "cpu"


def to_numpy(array: Array) -> np.ndarray:
    """The array for what only NumPy and SciPy can do."""
    return array.cpu().numpy() if is_torch_array(array) else np.asarray(array)


def like(array: Any, other: Array) -> Array:
    """What NumPy made, with the namespace, device and dtype of `other`."""
    xp = array_namespace(other)
    return xp.asarray(array, dtype=other.dtype, device=other.device)


def masked(array: Array, rows: Array, columns: Array) -> Array:
    """(..., p, q) with zeros where one of two masks (..., p) and (..., q) is False."""
    if rows.all() and columns.all():
        return array
    xp = array_namespace(array)
    kept = rows[..., :, None] & columns[..., None, :]
    return xp.where(kept, array, xp.zeros_like(array))


def ratio(value: Array, scale: Array, otherwise: float) -> Array:
    """value/scale where scale > 0."""
    xp = array_namespace(scale)
    positive = scale > 0
    quotient = value / xp.where(positive, scale, xp.ones_like(scale))
    return xp.where(positive, quotient, xp.full_like(quotient, otherwise))
