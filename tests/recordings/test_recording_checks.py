"""What is said of bad entries before any work starts."""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest
from PIL import Image
from written_arrays import WRITERS

from convergent_learning import array_files
from convergent_learning.recordings import objects92
from convergent_learning.recordings.canonical import prepare_recording
from convergent_learning.recordings.checks import recording_problems


def problems(*entries, n_folds=5):
    return list(recording_problems(entries, n_folds))


def own(path, layout="responses", **other):
    return {"name": "own", "layout": layout, "source": str(path), **other}


@pytest.mark.parametrize("suffix", WRITERS)
def test_good_entries(write, images, matrices, suffix, monkeypatch):
    responses = write(f"responses{suffix}", images=images, V4=np.ones((2, 12, 3)))
    dissimilarities = write(f"dissimilarities{suffix}", images=images, IT=matrices)

    class Headers(array_files.StoredArray):
        def __init__(self, shape, dtype, read, by_rows=True):
            super().__init__(shape, dtype, None, by_rows)

    monkeypatch.setattr(array_files, "StoredArray", Headers)  # no value can be read
    entries = [
        own(responses),
        own(dissimilarities, "dissimilarities") | {"name": "other"},
        {"name": "objects92", "source": None},
    ]
    assert problems(*entries) == []


BAD_ARRAYS = {
    "no system": ({"V4": None}, "holds no system: every array at its top level other than"),
    "numbers differ": (
        {"V4": np.ones((2, 11, 3))},
        "V4 is (2, 11, 3), of 11 stimuli, but there are 12 images",
    ),
    "shape": (
        {"V4": np.ones(12)},
        "V4 is (12,), not (stimuli, units) or (repeats, stimuli, units)",
    ),
    "no unit": ({"V4": np.ones((12, 0))}, "V4 is (12, 0), not (stimuli, units)"),
    "objects": ({"V4": np.array([[None]] * 12)}, "V4 holds Python objects, which could run code"),
    "text": ({"V4": np.array([["a"]] * 12)}, "V4 has dtype <U1; responses are real numbers"),
    "complex": ({"V4": np.ones((12, 2), complex)}, "V4 has dtype complex128; responses are"),
    "slash": ({"a/b": np.ones((12, 2))}, "'a/b' cannot name a system; store its array under"),
    "no images": ({"images": None}, "has no array `images`; add it, or set the key `images` to"),
    "float images": (
        {"images": np.ones((12, 9, 9, 3))},
        "`images` is (12, 9, 9, 3) float64, not (stimuli, height, width, 3) uint8",
    ),
    "channel first": (
        {"images": np.ones((12, 3, 9, 9), np.uint8)},
        "`images` is (12, 3, 9, 9) uint8",
    ),
    "small images": (
        {"images": np.ones((12, 9, 7, 3), np.uint8)},
        "`images`: 9×7 pixels are too small, a side has at least 8",
    ),
    "empty": ({"images": np.ones((0, 9, 9, 3), np.uint8)}, "`images` holds no image"),
}


@pytest.mark.parametrize("case", BAD_ARRAYS)
def test_bad_arrays_have_one_message_that_names_file_and_key(tmp_path, write, images, case):
    changed, message = BAD_ARRAYS[case]
    arrays = {"images": images, "V4": np.ones((2, 12, 3))}
    arrays |= changed
    path = write("own.npz", **{k: v for k, v in arrays.items() if v is not None})
    (found,) = problems(own(path))
    assert found.startswith(f"recordings[0].source: {path}")
    assert message in found
    with pytest.raises(ValueError, match="recording own, source: "):
        prepare_recording(own(path), tmp_path / "out.h5")


def test_a_shape_whose_values_are_not_in_the_file(write, images):
    path = write("own.h5", V4=np.ones((2, 12, 3)))
    with h5py.File(path, "r+") as file:
        file.create_dataset("images", (10**9, 900, 900, 3), np.uint8)
    (found,) = problems(own(path))
    assert found.startswith(f"recordings[0].source: {path} cannot be read as an HDF5 file")
    assert "images declares the shape (1000000000, 900, 900, 3)" in found

    path = write("own.npz", images=images)
    header = io.BytesIO()
    about = {"descr": "<f8", "fortran_order": False, "shape": (10**12, 12)}
    np.lib.format.write_array_header_1_0(header, about)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("V4.npy", header.getvalue())
    (found,) = problems(own(path))
    assert f"{path} cannot be read as an NPZ file (V4.npy declares the shape" in found
    assert "write the file again" in found


@pytest.mark.parametrize("shape", [(12, 11), (2, 12, 3), (2, 2, 2, 12, 12)])
def test_dissimilarities_that_are_not_square(write, images, shape):
    path = write("own.h5", images=images, IT=np.ones(shape))
    (found,) = problems(own(path, "dissimilarities"))
    assert found.startswith(f"recordings[0].source: {path}: IT is {shape}")
    assert "(subjects, sessions, stimuli, stimuli)" in found


def test_few_stimuli(write, images):
    path = write("own.npz", images=images[:9], V4=np.ones((9, 3)))
    assert problems(own(path), n_folds=4) == []
    assert problems(own(path)) == [
        f"recordings[0].source: {path} has 9 stimuli; alignment.folds: 5 needs 10, two per fold"
    ]
    path = write("own.npz", images=images[:3], V4=np.ones((3, 3)))
    assert len(problems(own(path), n_folds=2)) == 1
    for n in (3, 4):
        path = write("own.npz", images=images[:n], IT=np.ones((n, n)))
        found = problems(own(path, "dissimilarities"))
        few = [f"recordings[0].source: {path} has 3 stimuli; dissimilarities need 4"]
        assert found == (few if n == 3 else [])


def test_folders_of_images(tmp_path, write, images):
    folder = tmp_path / "photos"
    alone = write("alone.npz", V4=np.ones((12, 3)))
    both = write("both.npz", V4=np.ones((12, 3)), images=images)
    assert problems(own(alone, images=str(folder))) == [f"recordings[0].images: no folder {folder}"]
    folder.mkdir()
    (found,) = problems(own(alone, images=str(folder)))
    assert found.startswith(f"recordings[0].images: {folder} holds no image file (.jpg, ")
    for i in range(12):
        Image.new("RGB", (8, 8)).save(folder / f"{i:02}.png")
    assert problems(own(alone, images=str(folder))) == []
    (found,) = problems(own(both, images=str(folder)))
    assert found.startswith(f"recordings[0].images: {both} has an array `images` too; remove it")


def test_files(tmp_path, images):
    assert problems(own(tmp_path / "no.h5")) == [
        f"recordings[0].source: {tmp_path}/no.h5 does not exist"
    ]
    (found,) = problems(own(tmp_path / "own.mat"))
    assert "own.mat has none of the known suffixes: .h5, .hdf5, .npz, .zarr, .zip" in found
    (tmp_path / "own.h5").write_bytes(b"nothing")
    (found,) = problems(own(tmp_path / "own.h5"))
    assert found.startswith(f"recordings[0].source: {tmp_path}/own.h5 cannot be read as an HDF5")


def test_names_and_keys(tmp_path, write, images):
    path = write("own.npz", images=images, V4=np.ones((12, 3)))
    entry, published = own(path), {"name": "objects92", "source": None}
    assert problems(entry, published, entry) == [
        "recordings[2].name: 'own' is the name of another recording; choose another"
    ]
    (found,) = problems(entry | {"name": "objects92"})
    assert found.startswith("recordings[0].name: 'objects92' is the published recording; call")
    (found,) = problems({"name": "objects93", "source": None})
    assert found.startswith("recordings[0].name: unknown 'objects93'; allowed: objects92, or")
    assert problems(published | {"images": "photos"}) == [
        "recordings[0].images: objects92 has its own images; remove it"
    ]
    assert problems(entry | {"source": None}) == [
        "recordings[0].source: a recording with a `layout` needs it"
    ]
    (found,) = problems(entry | {"layout": "spikes"})
    assert found == "recordings[0].layout: unknown 'spikes'; allowed: responses, dissimilarities"


def test_sources_of_objects92(tmp_path, small_objects92):
    entry = {"name": "objects92", "source": str(small_objects92)}
    human, monkey = objects92.SHA256
    assert problems(entry) == []
    (small_objects92 / "inner" / human).unlink()
    assert problems(entry) == [f"recordings[0].source: {small_objects92} has no {human}"]
    (small_objects92 / "inner" / monkey).unlink()
    assert problems(entry)[0].endswith(f"has no {human} and no {monkey}")
    entry["source"] = str(tmp_path / "objects92.zip")
    (found,) = problems(entry)
    assert found == f"recordings[0].source: no folder or archive {tmp_path}/objects92.zip"
    (tmp_path / "objects92.zip").touch()
    assert problems(entry) == []


def test_checks_import_nothing_heavy():
    code = (
        "import sys; from convergent_learning.recordings import canonical, checks;"
        "print([m for m in ('torch', 'scipy', 'zarr', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
