"""Recordings of the user's own: one file of arrays, images in it or in a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from convergent_learning.array_files import StoredArray, open_arrays
from convergent_learning.images.arrays import SMALLEST_SIDE
from convergent_learning.images.image_files import (
    SUFFIXES,
    image_size,
    is_image,
    read_image,
    visible_files,
)
from convergent_learning.recordings.recording import System
from convergent_learning.recordings.values import system_of

IMAGES = "images"  # the array that is no system

_SHAPES = {
    "responses": ((2, 3), "(stimuli, units) or (repeats, stimuli, units)"),
    "dissimilarities": (
        (2, 3, 4),
        "(stimuli, stimuli), (subjects, stimuli, stimuli) or (subjects, sessions, stimuli,"
        " stimuli)",
    ),
}


def read_layout(entry: Mapping[str, Any]) -> tuple[np.ndarray, tuple[System, ...]]:
    """Images (n, h, w, 3) uint8 and systems of a config entry with a `layout`.

    Parameters
    ----------
    entry : `name`, `layout` (``responses`` or ``dissimilarities``), `source`, a file as
        `array_files.open_arrays` takes it, and, if they are not in that file, `images`: a folder
        whose image files, sorted by their paths, are the stimuli in their order.

    Every array of the file other than `images` is a system that is called by its name. Systems are
    in alphabetical order.

    Raises ValueError naming file and array for what `shape_problems` and `values.system_of` refuse,
    for images of two sizes and for image files that cannot be read; FileNotFoundError and
    ImportError as `open_arrays`.
    """
    source, folder = Path(entry["source"]), entry.get("images")
    with open_arrays(source) as arrays:
        for key, problem in shape_problems(entry, arrays):
            raise ValueError(f"recording {entry['name']}, {key}: {problem}")
        images = arrays[IMAGES].read() if folder is None else _read_folder(Path(folder))
        systems = (
            system_of(name, entry["layout"], array.read(), str(source))
            for name, array in arrays.items()
            if name != IMAGES
        )
        return images, tuple(systems)


def shape_problems(
    entry: Mapping[str, Any], arrays: Mapping[str, StoredArray]
) -> Iterator[tuple[str, str]]:
    """What names, shapes and dtypes alone show to be wrong: pairs of a key and a message."""
    source, stimuli = entry["source"], None
    try:
        stimuli = count_stimuli(entry, arrays)
    except ValueError as error:
        yield (IMAGES if entry.get("images") is not None else "source"), str(error)
    systems = {name: array for name, array in arrays.items() if name != IMAGES}
    if not systems:
        yield (
            "source",
            f"{source} holds no system: every array at its top level other than `{IMAGES}` is one",
        )
    for name, array in systems.items():
        problem = _system_problem(name, array, entry["layout"], stimuli)
        if problem is not None:
            yield "source", f"{source}: {problem}"


def count_stimuli(entry: Mapping[str, Any], arrays: Mapping[str, StoredArray]) -> int:
    """Number of images of an entry, none of them read.

    Raises ValueError, naming file or folder, if there are none, if they are no RGB images, or if
    both the file and a folder have some.
    """
    source, folder = entry["source"], entry.get("images")
    if folder is not None:
        if IMAGES in arrays:
            raise ValueError(
                f"{source} has an array `{IMAGES}` too; remove it, or the key `images`"
            )
        if not Path(folder).is_dir():
            raise ValueError(f"no folder {folder}")
        return len(image_paths(Path(folder)))
    if IMAGES not in arrays:
        raise ValueError(
            f"{source} has no array `{IMAGES}`; add it, or set the key `images` to a folder of"
            " image files"
        )
    shape, dtype = arrays[IMAGES].shape, arrays[IMAGES].dtype
    if len(shape) != 4 or shape[3] != 3 or dtype != np.uint8:
        raise ValueError(
            f"{source}: `{IMAGES}` is {shape} {dtype}, not (stimuli, height, width, 3) uint8"
        )
    _check_sides(f"{source}: `{IMAGES}`", shape[1:3])
    if not shape[0]:
        raise ValueError(f"{source}: `{IMAGES}` holds no image")
    return shape[0]


def image_paths(folder: Path) -> list[Path]:
    """The image files below a folder, sorted by their paths in it; ValueError if there are none."""
    found = sorted(Path(path) for path in visible_files(folder) if is_image(path))
    if not found:
        raise ValueError(f"{folder} holds no image file ({', '.join(SUFFIXES)})")
    return found


def _system_problem(name: str, array: StoredArray, kind: str, stimuli: int | None) -> str | None:
    shape, dtype = array.shape, array.dtype
    dimensions, wanted = _SHAPES[kind]
    if "/" in name or name in ("", "."):
        return f"{name!r} cannot name a system; store its array under a name without slashes"
    if dtype.kind == "O":
        return (
            f"{name} holds Python objects, which could run code when they are read; store numbers"
        )
    if dtype.kind not in "iuf":
        return f"{name} has dtype {dtype}; {kind} are real numbers"
    if len(shape) not in dimensions or 0 in shape:
        return f"{name} is {shape}, not {wanted}"
    if kind == "dissimilarities" and shape[-1] != shape[-2]:
        return f"{name} is {shape}: its last two axes must be equal, {wanted}"
    if stimuli is not None and shape[-2] != stimuli:
        return f"{name} is {shape}, of {shape[-2]} stimuli, but there are {stimuli} images"
    return None


def _check_sides(what: str, sides: tuple[int, ...]) -> None:
    if min(sides) < SMALLEST_SIDE:
        raise ValueError(
            f"{what}: {sides[0]}×{sides[1]} pixels are too small, a side has at least"
            f" {SMALLEST_SIDE}"
        )


def _read_folder(folder: Path) -> np.ndarray:
    paths = image_paths(folder)
    sizes = [image_size(path)[::-1] for path in paths]
    _check_sides(str(paths[0]), sizes[0])
    for path, (height, width) in zip(paths, sizes, strict=True):
        if (height, width) != sizes[0]:
            raise ValueError(
                f"{path} has {height}×{width} pixels, but {paths[0]} has"
                f" {sizes[0][0]}×{sizes[0][1]}; bring all images to one size"
            )
    images = np.empty((len(paths), *sizes[0], 3), np.uint8)
    for image, path in zip(images, paths, strict=True):
        image[:] = np.asarray(read_image(path))
    return images
