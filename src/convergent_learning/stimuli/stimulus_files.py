"""The stimulus file: how it is written (the same bytes every time) and read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from convergent_learning.files import open_hdf5, replace_when_done
from convergent_learning.images.arrays import batches

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Stimuli:
    """A stimulus set in memory.

    Attributes
    ----------
    images : ndarray (n, h, w, 3) uint8
    labels : ndarray (n,) int64
        Class of each image in ``attrs["classes"]``.
    index : ndarray (n,) int64
        Index of the source image.
    attrs : dict
        Attributes of the file, see :func:`writing_stimuli`.
    """

    images: np.ndarray
    labels: np.ndarray
    index: np.ndarray
    attrs: dict


def read_stimuli(path: Path) -> Stimuli:
    """Read a stimulus file.

    Raises
    ------
    FileNotFoundError
        If there is none.
    DamagedFileError
        If it is truncated or no stimulus file; the message says to delete it.
    """
    with open_stimuli(path) as file:
        return Stimuli(
            images=file["images"][:],
            labels=file["labels"][:],
            index=file["index"][:],
            attrs=read_attributes(file),
        )


@contextmanager
def writing_stimuli(
    path: Path,
    shape: tuple[int, ...],
    labels: np.ndarray,
    index: np.ndarray,
    attributes: dict,
) -> Iterator[Callable[[np.ndarray], None]]:
    """Write a stimulus file batch by batch; it appears when it is complete.

    The same content gives the same bytes.

    Parameters
    ----------
    path : path
        File to write; its folder is made.
    shape : (n, h, w, 3)
        Shape of all images together.
    labels, index : ndarray (n,) int
        Label (−1: none) and index of the source image of each image.
    attributes : dict
        ``dataset``; ``classes`` (JSON list: what labels count); ``decision`` ("classes": labels
        are the network's classes; "sixteen": those of :mod:`.geirhos16`; "": neither, there is no
        accuracy); ``paired`` (whether rows correspond with the ID set's); ``stimuli`` ("id", a
        family, or a folder's name); ``condition`` (level text, "" for ID); ``seed``. ``digest``,
        the sha256 of the bytes of images (uint8) and labels (little-endian int64), and
        ``format_version`` are added.

    Yields
    ------
    callable
        Appends the next images, (batch, h, w, 3) uint8.
    """
    labels = np.asarray(labels, dtype="<i8")
    digest = hashlib.sha256()
    n_written = 0
    with replace_when_done(path) as partial, h5py.File(partial, "w") as file:
        options = {"track_times": False, "fletcher32": True}
        chunks = (next(batches(shape[0], shape[1] * shape[2])).stop, *shape[1:])
        stored = file.create_dataset("images", shape, np.uint8, chunks=chunks, **options)

        def append(images: np.ndarray) -> None:
            nonlocal n_written
            stored[n_written : n_written + len(images)] = images
            digest.update(np.ascontiguousarray(images).data)
            n_written += len(images)

        yield append
        if n_written != shape[0]:
            raise ValueError(f"{path}: {n_written} of {shape[0]} images were written")
        file.create_dataset("labels", data=labels, **options)
        file.create_dataset("index", data=np.asarray(index, dtype="<i8"), **options)
        digest.update(labels.data)
        made = {"digest": digest.hexdigest(), "format_version": FORMAT_VERSION}
        for name, value in sorted((attributes | made).items()):
            file.attrs[name] = value


@contextmanager
def open_stimuli(path: Path) -> Iterator[h5py.File]:
    """A stimulus file for reading batch by batch; errors as :func:`open_hdf5`."""
    with open_hdf5(path, "images", "labels", "index") as file:
        yield file


def read_attributes(file: h5py.File) -> dict:
    """Attributes of an HDF5 file as plain Python values."""
    return {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in file.attrs.items()
    }
