"""Small recordings in every format on disk, and objects92 with made-up numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat
from scipy.spatial.distance import squareform
from written_arrays import WRITERS

from convergent_learning.files import sha256_of
from convergent_learning.recordings import objects92


@pytest.fixture
def write(tmp_path):
    """Function of a file name and arrays: the path of the file that holds them."""

    def written(name, **arrays):
        path = tmp_path / name
        WRITERS[path.suffix](path, arrays)
        return path

    return written


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.fixture
def images(generator):
    return generator.integers(0, 256, (12, 9, 10, 3), np.uint8)


@pytest.fixture
def matrices(generator):
    """Dissimilarities (3 subjects, 2 sessions, 12, 12)."""
    halves = generator.random((3, 2, 12, 12))
    whole = halves + halves.swapaxes(2, 3)
    whole[..., range(12), range(12)] = 0
    return whole


def struct(shape, **fields):
    """A MATLAB struct array; each field is a list with the value of every element."""
    array = np.empty(shape, dtype=[(name, object) for name in fields])
    for name, values in fields.items():
        for index, value in zip(np.ndindex(shape), values, strict=True):
            array[index][name] = value
    return array


@pytest.fixture
def small_objects92(tmp_path, monkeypatch, generator, matrices, images):
    """Folder of two files as objects92's are, of 12 images, 3 people and 2 sessions.

    Their digests stand in the place of those of the published files.
    """
    folder = tmp_path / "published" / "inner"
    folder.mkdir(parents=True)
    human, monkey = objects92.SHA256
    people = [matrices[p, s].astype(np.float32) for p in range(3) for s in range(2)]
    savemat(folder / human, {"RDMs": struct((1, 3, 2), RDM=people, name=["hIT"] * 6)})
    upper = squareform(matrices[0, 0])[None]
    both = struct((1, 2), name=["hITvisStim", "mIT_cells"], RDM=[2 * upper, upper])
    stimuli = struct((1, 12), category=["thing"] * 12, image=list(images))
    savemat(folder / monkey, {"RDMs_mIT_hIT_fig1": both, "stimuli_92objs": stimuli})
    monkeypatch.setattr(
        objects92, "SHA256", {name: sha256_of(folder / name) for name in (human, monkey)}
    )
    return folder.parent
