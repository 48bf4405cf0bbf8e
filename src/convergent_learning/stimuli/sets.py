"""Stimulus sets on disk: the ID subset of a data set, and its images under each condition."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from pathlib import Path

import h5py
import numpy as np

from convergent_learning.files import open_hdf5
from convergent_learning.images.arrays import batches
from convergent_learning.images.image_files import stored_images
from convergent_learning.randomness import balanced_subset

from .conditions import apply
from .registry import Level, condition_slug, get_family, level_text
from .stimulus_files import open_stimuli, read_attributes, writing_stimuli

# More of them, and the set would measure what networks make of nothing.
_CONSTANT_IMAGES = 0.01


def write_identity_set(dataset_h5: Path, out: Path, n_images: int, seed: int) -> None:
    """Write a class-balanced, seeded subset of a data set's test images as the ID stimulus set.

    Parameters
    ----------
    dataset_h5 : path
        Data set file: ``test/images`` (n, h, w, 3) uint8 or the names of image files, of which only
        the chosen ones are read; ``test/labels`` (n,), attributes ``dataset`` and ``classes``.
    out : path
        HDF5 file to write: ``images``, ``labels``, ``index`` (row in the test set, ascending), and
        the attributes of :func:`~convergent_learning.stimuli.stimulus_files.writing_stimuli`.
    n_images : int
        Number of images; classes differ by one at most, as far as the test set allows.
    seed : int
        Which images; the set of a smaller n is part of that of a larger one.

    Raises
    ------
    ValueError
        If there are not that many test images (naming the key ``stimuli.images``).
    DamagedFileError
        If the data set file cannot be read.
    """
    with open_hdf5(dataset_h5, "test/labels") as data:
        labels = data["test/labels"][:]
        if not 1 <= n_images <= len(labels):
            raise ValueError(
                f"stimuli.images: {n_images} images asked for, the test set of "
                f"{data.attrs['dataset']} has {len(labels)}; choose 1 to {len(labels)}"
            )
        index = balanced_subset(labels, n_images, seed)
        images = stored_images(data, "test")
        attributes = {
            "dataset": data.attrs["dataset"],
            "classes": data.attrs["classes"],
            "decision": "classes",
            "paired": True,
            "stimuli": "id",
            "condition": "",
            "seed": seed,
        }
        shape = (n_images, *images.shape[1:])
        with writing_stimuli(out, shape, labels[index], index, attributes) as append:
            for rows in batches(n_images, images.shape[1] * images.shape[2]):
                append(images[index[rows]])


def write_condition_set(
    identity_h5: Path, dataset_h5: Path, out: Path, family: str, level: Level, seed: int
) -> None:
    """Write the images of an ID set, in the same order, under one condition.

    Parameters
    ----------
    identity_h5 : path
        File of :func:`write_identity_set`.
    dataset_h5 : path
        Its data set file; ``test/spectrum`` is read if the family needs it.
    out : path
        HDF5 file to write, as for the ID set.
    family, level
        Condition, see :func:`~convergent_learning.stimuli.apply`; draws are seeded by ``seed``,
        family and the image's index in the test set.

    Raises
    ------
    ValueError
        For an unknown family or level, or a level at which more than 1% of the images are constant.
    """
    chosen = get_family(family)
    level = chosen.level(level)
    spectrum = stored_spectrum(dataset_h5) if chosen.needs_spectrum else None
    n_constant = 0
    with open_stimuli(identity_h5) as identity:
        images, index = identity["images"], identity["index"][:]
        attributes = read_attributes(identity) | {
            "stimuli": family,
            "condition": level_text(level),
            "seed": seed,
        }
        with writing_stimuli(out, images.shape, identity["labels"][:], index, attributes) as append:
            for rows in batches(len(index), images.shape[1] * images.shape[2]):
                changed = apply(family, images[rows], level, seed, index[rows], spectrum)
                n_constant += int((np.ptp(changed, axis=(1, 2)) == 0).all(axis=-1).sum())
                append(changed)
            if n_constant > _CONSTANT_IMAGES * len(index):
                raise ValueError(
                    f"family {family!r}, level {level_text(level)}: {n_constant} of {len(index)} "
                    f"images of {attributes['dataset']} are constant at this level; leave it out"
                )


def duplicate_conditions(paths: Iterable[Path]) -> list[tuple[str, str, float]]:
    """Conditions whose images are within 1/255 of those of another condition.

    Parameters
    ----------
    paths : iterable of path
        Stimulus sets (the ID set may be among them) of one data set.

    Returns
    -------
    list of (slug, slug, float)
        Pairs of condition slugs, in the order of ``paths``, and the largest absolute difference
        of their images (in [0, 1]).
    """
    found = []
    for one, other in itertools.combinations(paths, 2):
        with open_stimuli(one) as a, open_stimuli(other) as b:
            difference = _largest_difference(a["images"], b["images"])
            if difference <= 1:
                first, second = (
                    condition_slug(file.attrs["stimuli"], file.attrs["condition"])
                    for file in (a, b)
                )
                found.append((first, second, difference / 255))
    return found


def stored_spectrum(dataset_h5: Path) -> np.ndarray:
    """The mean amplitude spectrum (h, w) of a data set's test images."""
    with open_hdf5(dataset_h5, "test/spectrum") as data:
        return data["test/spectrum"][:]


def _largest_difference(a: h5py.Dataset, b: h5py.Dataset) -> int:
    """Largest absolute difference of two uint8 sets; only as much is read as decides on it."""
    if a.shape != b.shape:
        return 255
    largest = 0
    for rows in batches(len(a), a.shape[1] * a.shape[2]):
        difference = np.abs(a[rows].astype(np.int16) - b[rows]).max()
        largest = max(largest, int(difference))
        if largest > 1:
            break
    return largest
