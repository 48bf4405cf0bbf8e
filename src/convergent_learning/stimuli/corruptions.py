"""Stimulus sets from corruption benchmarks in the layout of CIFAR-10-C and CIFAR-100-C."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from convergent_learning.images.arrays import batches

from .stimulus_files import open_stimuli, read_attributes, writing_stimuli

SEVERITIES = (1, 2, 3, 4, 5)


def write_corruption_set(
    folder: Path, corruption: str, severity: int, identity_h5: Path, out: Path
) -> None:
    """Write the images of an ID set under a published corruption.

    Parameters
    ----------
    folder : path
        Holds ``<corruption>.npy``, (5·m, h, w, 3) uint8: the m test images at severities 1 to 5,
        one after the other; and ``labels.npy``, (5·m,). Layout of CIFAR-10-C (Hendrycks &
        Dietterich 2019, *Benchmarking neural network robustness to common corruptions*).
    corruption : str
        Name of the file; ``stimuli`` of the set is :func:`corruption_stimuli` of it.
    severity : int
        1 to 5.
    identity_h5 : path
        ID stimulus set: its source indices choose the rows, so rows correspond with its images.
    out : path
        HDF5 file to write.

    Raises
    ------
    ValueError
        For a missing or unreadable file, another shape, dtype or number of labels, labels that are
        not those of the ID set, or an unknown severity; naming the file.
    """
    if severity not in SEVERITIES:
        raise ValueError(f"corruption {corruption!r}: severity {severity!r} is none of 1 … 5")
    images_path = Path(folder) / f"{corruption}.npy"
    labels_path = Path(folder) / "labels.npy"
    images, all_labels = _load(images_path), _load(labels_path)
    with open_stimuli(identity_h5) as identity:
        attributes = read_attributes(identity)
        shape, labels, index = identity["images"].shape, identity["labels"][:], identity["index"][:]
    if images.dtype != np.uint8:
        raise ValueError(f"{images_path} must hold uint8, not {images.dtype}")
    if images.shape[1:] != shape[1:] or len(images) % len(SEVERITIES):
        raise ValueError(
            f"{images_path} is {images.shape}; expected (5·m, {', '.join(map(str, shape[1:]))})"
        )
    if all_labels.shape != (len(images),):
        raise ValueError(
            f"{labels_path} is {all_labels.shape}, but {images_path.name} has {len(images)} images"
        )
    n_test = len(images) // len(SEVERITIES)
    rows = (severity - 1) * n_test + index
    if index.max() >= n_test or (all_labels[rows] != labels).any():
        raise ValueError(
            f"{labels_path} does not agree with the labels of {attributes['dataset']}: "
            f"{folder} is not made from its test images, or not in their order"
        )
    attributes |= {"stimuli": corruption_stimuli(corruption), "condition": str(severity)}
    with writing_stimuli(out, shape, labels, index, attributes) as append:
        for batch in batches(len(rows), shape[1] * shape[2]):
            append(images[rows[batch]])


def corruption_problems(
    folder: Path, corruption: str, tests: Mapping[str, tuple[int | None, int]]
) -> Iterator[str]:
    """What the headers of the two arrays of a corruption show to be wrong; no pixel is read.

    Parameters
    ----------
    folder, corruption
        As of :func:`write_corruption_set`.
    tests : mapping of str to (int or None, int)
        Number of the test images of each data set, None if it is not known, and their side in
        pixels.
    """
    images_path, labels_path = folder / f"{corruption}.npy", folder / "labels.npy"
    try:
        images, labels = _load(images_path), _load(labels_path)
    except ValueError as error:
        yield str(error)
        return
    for dataset, (number, side) in tests.items():
        rows = len(images) if images.ndim and number is None else len(SEVERITIES) * (number or 0)
        wanted = (rows, side, side, 3)
        if images.shape != wanted or images.dtype != np.uint8 or rows % len(SEVERITIES):
            text = "5·m" if number is None else rows
            yield (
                f"{images_path} is {images.shape} {images.dtype}, not ({text}, {side}, {side}, 3)"
                f" uint8: the test images of {dataset} at five severities, one after the other"
            )
    if images.ndim and (labels.shape != images.shape[:1] or labels.dtype.kind not in "iu"):
        yield (
            f"{labels_path} is {labels.shape} {labels.dtype}, not ({len(images)},) integers: a"
            f" label for each image of {images_path.name}"
        )


def corruption_stimuli(corruption: str) -> str:
    """Name of a corruption among stimuli: ``contrast`` is a parametric family's name too."""
    return f"corruption_{corruption}"


def _load(path: Path) -> np.ndarray:
    """An array on disk, mapped into memory."""
    if not path.is_file():
        raise ValueError(f"no file {path}: check the path of the corruptions in the configuration")
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path} is truncated or no array file ({error})") from error
