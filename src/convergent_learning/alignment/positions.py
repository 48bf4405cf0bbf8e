"""Which spatial positions of an activation map are kept as samples.

Works on numpy arrays and torch tensors alike, and imports neither torch nor the rest of the engine:
extraction calls it on the fly, a scoring job only asks for shapes.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias, TypeVar, get_args

Mode: TypeAlias = Literal["all", "center", "average", "units"]
Positions: TypeAlias = int | Mode
MODES: tuple[Mode, ...] = get_args(Mode)
_Array = TypeVar("_Array")


def sample_positions(activations: _Array, positions: Positions = "all") -> _Array:
    """Keep the chosen positions of activation maps.

    Parameters
    ----------
    activations : array or tensor (n, c, h, w) or (n, c)
        Of any dtype: stimuli x channels (x rows x columns). ``(n, c)`` is returned unchanged.
    positions : "all", int, "center", "average" or "units"
        ``"all"`` keeps every position; an int P a regular g x g grid,
        g = ``grid_size(h, w, P)``, or, of a single row, the largest power of two <= min(w, P)
        columns; ``"center"`` the one at row h//2, column w//2;
        ``"average"`` the mean over positions;
        ``"units"`` makes a unit of each (channel, row, column).

    Returns
    -------
    array or tensor of the same dtype
        ``(n, c, h, w)`` for "all", ``(n, c, *shape_after(h, w, P))`` for an int, ``(n, c)`` for
        "center" and "average", ``(n, c·h·w)`` for "units".

    Raises
    ------
    ValueError
        If the array has neither 2 nor 4 dimensions, or `positions` is not one of the above.

    Examples
    --------
    >>> import numpy as np
    >>> from convergent_learning.alignment import sample_positions
    >>> maps = np.zeros((10, 16, 7, 7))
    >>> for positions in ("all", 16, "center", "units"):
    ...     print(positions, sample_positions(maps, positions).shape)
    all (10, 16, 7, 7)
    16 (10, 16, 4, 4)
    center (10, 16)
    units (10, 784)
    """
    maps: Any = activations  # numpy and torch share no type
    if maps.ndim not in (2, 4):
        raise ValueError(
            f"activations must be (n, c) or (n, c, h, w), got shape {tuple(maps.shape)}; "
            "arrange token sequences as a (n, c, h, w) grid and the class token as its own layer"
        )
    check_positions(positions)
    if maps.ndim == 2 or positions == "all":
        return activations
    n, c, h, w = maps.shape
    if positions == "units":
        return maps.reshape(n, c * h * w)
    if positions == "average":
        # Through float32: the sum of a float16 map can exceed what float16 holds.
        half = maps.dtype.itemsize == 2
        mean = (_widen(maps) if half else maps).mean((2, 3))
        return _cast(mean, maps.dtype)
    if positions == "center":
        return maps[:, :, h // 2, w // 2]
    rows, columns = shape_after(h, w, positions)
    return maps[:, :, _kept(h, rows)][:, :, :, _kept(w, columns)]


def grid_size(h: int, w: int, P: int) -> int:
    """Side g of the regular grid: the largest power of two <= min(h, w, sqrt(P)).

    Examples
    --------
    >>> from convergent_learning.alignment import grid_size
    >>> grid_size(32, 32, 64), grid_size(7, 7, 64), grid_size(1, 1, 64)
    (8, 4, 1)
    """
    check_positions(P)
    return _power_of_two(min(h, w, math.isqrt(P)))


def shape_after(h: int, w: int, positions: Positions) -> tuple[int, int]:
    """Rows and columns that ``sample_positions`` leaves of an h x w map; (1, 1) for (n, c)."""
    check_positions(positions)
    if positions == "all":
        return h, w
    if isinstance(positions, str):
        return 1, 1
    if h == 1:
        return 1, _power_of_two(min(w, positions))
    g = grid_size(h, w, positions)
    return g, g


def check_positions(positions: object) -> None:
    """Raise ValueError unless `positions` is a mode's name or a positive int."""
    if isinstance(positions, str):
        valid = positions in MODES
    else:
        valid = isinstance(positions, int) and not isinstance(positions, bool) and positions > 0
    if not valid:
        raise ValueError(
            f"positions is {positions!r}: use a positive number of positions or one of "
            + ", ".join(repr(mode) for mode in MODES)
        )


def _power_of_two(limit: int) -> int:
    """The largest one <= `limit`."""
    return 1 << (limit.bit_length() - 1)


def _kept(length: int, g: int) -> slice | list[int]:
    """Indices floor((i + 1/2)·length/g), i = 0 … g-1: the middle of each cell."""
    if length % g == 0:  # a slice is a view: nothing is copied yet
        return slice(length // g // 2, None, length // g)
    return [((2 * i + 1) * length) // (2 * g) for i in range(g)]


def _widen(activations: Any) -> Any:
    return activations.float() if hasattr(activations, "float") else activations.astype("float32")


def _cast(values: Any, dtype: Any) -> Any:
    return values.to(dtype) if hasattr(values, "to") else values.astype(dtype)
