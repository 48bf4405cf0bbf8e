"""Writers of named arrays in every format that a recording may have, by suffix."""

from __future__ import annotations

import h5py
import numpy as np
import pytest


def write_npz(path, arrays):
    np.savez(path, **arrays)


def write_hdf5(path, arrays):
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file[name] = values


def write_zarr(path, arrays):
    zarr = pytest.importorskip("zarr")
    store = zarr.storage.LocalStore(path)
    if path.suffix == ".zip":
        store = zarr.storage.ZipStore(path, mode="w")
    group = zarr.create_group(store)
    for name, values in arrays.items():
        group.create_array(name, data=np.asarray(values))
    store.close()


WRITERS = {
    ".npz": write_npz,
    ".h5": write_hdf5,
    ".hdf5": write_hdf5,
    ".zarr": write_zarr,
    ".zip": write_zarr,
}
