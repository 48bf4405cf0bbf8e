"""Canonical files: one HDF5 file per recording, made once and shared by every experiment.

`images` (n, h, w, 3) uint8; group `systems` with a float32 dataset for each system, called by its
name, as `recording.System` describes it, with the attributes `kind` and `order` (its place among
the systems). Root attributes: `recording` (its name) and `sha256_recording`.
"""

from __future__ import annotations

import hashlib
import logging
import math
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from convergent_learning.files import damaged_file_named, open_hdf5, replace_when_done
from convergent_learning.recordings.layouts import image_paths, read_layout
from convergent_learning.recordings.objects92 import local_files, read_objects92
from convergent_learning.recordings.recording import Recording, System

_LOG = logging.getLogger(__name__)
_BYTES_PER_CHUNK = 2**20


def prepare_recording(entry: Mapping[str, Any], out: Path) -> None:
    """Write the canonical file `out` of the recording that the config entry describes.

    Parameters
    ----------
    entry : `name` and, if there is one, `source`; for data of the user's own also `layout` and, if
        they are in a folder, `images`.
    out : file to write; the same bytes whenever the data are the same.

    Downloads go to a scratch folder beside `out` that is always removed; `out` appears only when it
    is complete. Raises as `objects92.read_objects92` and `layouts.read_layout` do.
    """
    out = Path(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    if entry.get("layout") is None:
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{entry['name']}-") as scratch:
            images, systems = read_objects92(entry.get("source"), Path(scratch))
    else:
        images, systems = read_layout(entry)
    for system in systems:
        if system.n_missing:
            _LOG.info("%s: %d trials of %s are missing", out, system.n_missing, system.name)
    with replace_when_done(out) as partial, h5py.File(partial, "w") as file:
        _write(file, "images", images, row_axes=3)
        for order, system in enumerate(systems):
            dataset = _write(file, f"systems/{system.name}", system.values, row_axes=1)
            dataset.attrs["kind"], dataset.attrs["order"] = system.kind, order
        file.attrs["recording"] = entry["name"]
        file.attrs["sha256_recording"] = digest_of(images, systems)


def _write(file: h5py.File, name: str, values: np.ndarray, row_axes: int) -> h5py.Dataset:
    """Store an array in chunks of whole rows: its last `row_axes` axes."""
    row = values.shape[-row_axes:]
    rows = max(1, _BYTES_PER_CHUNK // (math.prod(row) * values.itemsize))
    before = values.shape[:-row_axes]
    chunks = (*[1] * (len(before) - 1), min(rows, before[-1]), *row)
    return file.create_dataset(name, data=values, chunks=chunks, fletcher32=True, track_times=False)


def digest_of(images: np.ndarray, systems: Sequence[System]) -> str:
    """Sha256 of the images' shape and bytes and, in order, each system's name, kind, shape, bytes.

    Values count as little-endian float32, so that it is the same on every machine.
    """
    digest = hashlib.sha256(f"{images.shape}\n".encode())
    digest.update(np.ascontiguousarray(images).data)
    for system in systems:
        digest.update(f"{system.name}\n{system.kind}\n{system.values.shape}\n".encode())
        digest.update(np.ascontiguousarray(system.values, dtype="<f4").data)
    return digest.hexdigest()


def read_recording(path: Path) -> Recording:
    """The recording of a canonical file.

    Raises FileNotFoundError if there is none, DamagedFileError if it cannot be read whole.
    """
    with (
        damaged_file_named(path, OSError, KeyError),
        open_hdf5(path, "images", "systems") as file,
    ):
        stored = sorted(file["systems"].items(), key=lambda item: int(item[1].attrs["order"]))
        systems = tuple(System(name, found.attrs["kind"], found[:]) for name, found in stored)
        return Recording(
            name=str(file.attrs["recording"]),
            images=file["images"][:],
            systems=systems,
            digest=str(file.attrs["sha256_recording"]),
        )


def sources(entry: Mapping[str, Any]) -> list[str]:
    """Files that a recording is made from; none if it is downloaded."""
    source = entry.get("source")
    if source is None:
        return []
    if entry.get("layout") is None and Path(source).is_dir():
        return [str(path) for path in local_files(Path(source))] or [source]
    folder = entry.get("images")
    files = sorted(Path(source).rglob("*")) if Path(source).is_dir() else [Path(source)]
    images = [] if folder is None else image_paths(Path(folder))
    return [str(path) for path in (*files, *images) if path.is_file()] or [source]
