"""Refusal of canonical files that somebody else made, before any work starts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

from convergent_learning.array_files import check_written
from convergent_learning.datasets.catalogue import DatasetInfo
from convergent_learning.files import DamagedFileError, open_hdf5


def file_problems(path: Path, info: DatasetInfo) -> Iterator[str]:
    """What is wrong with the canonical file `path` of a dataset (`datasets.canonical`).

    Parameters
    ----------
    path : HDF5 file, of which labels and attributes are read, and no image.
    info : what the catalogue says of the dataset.

    Yields messages that name the file, what of it is at fault, and the remedy.
    """
    try:
        with open_hdf5(path, "train", "test", "test/spectrum") as file:
            for problem in _problems(file, info):
                yield f"{path}: {problem}; correct the file, or delete it to have it made"
    except DamagedFileError as error:
        yield str(error)


def _problems(file: h5py.File, info: DatasetInfo) -> Iterator[str]:
    needed = ["dataset", "classes", "sha256_train", "sha256_test", "mean", "std"]
    missing = [name for name in needed if name not in file.attrs]
    if missing:
        yield f"it has no attribute {', '.join(missing)}"
        return
    for name in ("mean", "std"):
        values = np.asarray(file.attrs[name])
        if values.shape != (3,) or values.dtype.kind != "f" or not np.isfinite(values).all():
            yield f"the attribute {name} is {values.tolist()}, not three finite numbers"
        elif name == "std" and (values <= 0).any():
            yield f"the attribute std is {values.tolist()}, not three numbers above 0"
    try:
        classes = json.loads(file.attrs["classes"])
    except (TypeError, ValueError):
        classes = None
    if not isinstance(classes, list) or len(classes) < 2:
        yield "the attribute classes is not the names of two classes or more as a JSON list"
    elif info.classes is not None and len(classes) != info.classes:
        yield f"it has {len(classes)} classes, not the {info.classes} of {info.name}"
    else:
        yield from _split_problems(file, "train", info, len(classes), exact=False)
        yield from _split_problems(file, "test", info, len(classes), exact=True)
    spectrum = file["test/spectrum"]
    if spectrum.shape != (info.side, info.side) or not np.isfinite(spectrum[:]).all():
        yield f"test/spectrum is not ({info.side}, {info.side}) finite numbers"


def _split_problems(
    file: h5py.File, split: str, info: DatasetInfo, classes: int, exact: bool
) -> Iterator[str]:
    group = file[split]
    images = group.get("files", group.get("images"))
    labels = group.get("labels")
    if not isinstance(images, h5py.Dataset) or not isinstance(labels, h5py.Dataset):
        yield f"{split} needs `labels`, and `images` or `files`"
        return
    side = info.side
    if "files" not in group and (images.shape[1:] != (side, side, 3) or images.dtype != np.uint8):
        yield f"{split}/images is {images.shape} {images.dtype}, not (n, {side}, {side}, 3) uint8"
        return
    expected = info.test if exact else info.train
    if expected is not None and (len(images) != expected if exact else len(images) < expected):
        yield f"{split} has {len(images)} images; {info.name} has {expected}"
    if labels.shape != images.shape[:1] or labels.dtype.kind not in "iu":
        yield (
            f"{split}/labels is {labels.shape} {labels.dtype}, not ({len(images)},) integers: a"
            " label for each image"
        )
        return
    try:
        for array in (images, labels):
            check_written(array)
    except ValueError as error:
        yield str(error)
        return
    found = labels[:]
    if not len(found) or found.min() < 0 or found.max() >= classes:
        span = f"{found.min()} to {found.max()}" if len(found) else "none"
        yield f"{split}/labels are {span}, not 0 to {classes - 1} for {classes} classes"
