"""Recordings of the user's own, from every format into the canonical file and back."""

from __future__ import annotations

import json
import os
import pickle
import re
import sys
import time

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from PIL import Image
from written_arrays import WRITERS

from convergent_learning.array_files import open_arrays
from convergent_learning.files import DamagedFileError
from convergent_learning.recordings.canonical import prepare_recording, read_recording, sources
from convergent_learning.recordings.values import system_of


def prepared(tmp_path, source, layout="responses", **other):
    out = tmp_path / "prepared" / "own.h5"
    prepare_recording({"name": "own", "layout": layout, "source": str(source), **other}, out)
    return read_recording(out)


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("repeats", [None, 3])
def test_responses_come_back(tmp_path, write, generator, images, suffix, repeats):
    shape = (12, 5) if repeats is None else (repeats, 12, 5)
    v4, counts = generator.normal(size=shape), generator.integers(0, 9, (12, 2))
    recording = prepared(tmp_path, write(f"own{suffix}", V4=v4, images=images, MT=counts))
    assert recording.name == "own"
    np.testing.assert_array_equal(recording.images, images)
    assert [system.name for system in recording.systems] == ["MT", "V4"]
    assert all(system.kind == "responses" for system in recording.systems)
    assert all(system.values.dtype == np.float32 for system in recording.systems)
    np.testing.assert_array_equal(recording.systems[0].values, counts[None])
    np.testing.assert_array_equal(
        recording.systems[1].values, v4.reshape(-1, 12, 5).astype(np.float32)
    )


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("leading", [0, 1, 2])
def test_dissimilarities_come_back(tmp_path, write, images, matrices, suffix, leading):
    values = matrices[(0,) * (2 - leading)] if leading < 2 else matrices
    if leading == 1:
        values = matrices[:, 0]
    path = write(f"own{suffix}", images=images, IT=values)
    (system,) = prepared(tmp_path, path, "dissimilarities").systems
    assert (system.name, system.kind) == ("IT", "dissimilarities")
    assert system.values.shape == ((1, 1), (3, 1), (3, 2))[leading] + (12, 12)
    np.testing.assert_array_equal(system.values.ravel(), values.astype(np.float32).ravel())


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_images_of_a_folder_are_in_the_order_of_their_paths(tmp_path, write, images, mode):
    folder = tmp_path / "photos"
    (folder / "b").mkdir(parents=True)
    names = [f"{i:02}.png" for i in range(8)] + [f"b/{i}.PNG" for i in range(4)]
    shown = [Image.fromarray(image).convert(mode) for image in images]
    for i in np.random.default_rng(1).permutation(len(names)):
        shown[i].save(folder / names[i])
    (folder / ".hidden.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no image")
    path = write("own.npz", IT=np.ones((12, 2)))
    recording = prepared(tmp_path, path, images=str(folder))
    for image, picture in zip(recording.images, shown, strict=True):
        np.testing.assert_array_equal(image, np.asarray(picture.convert("RGB")))
    entry = {"name": "own", "layout": "responses", "source": str(path), "images": str(folder)}
    assert sources(entry) == [str(path), *(str(folder / name) for name in names)]


def test_images_of_two_sizes_are_named(tmp_path, write):
    for i, size in enumerate([(9, 8), (9, 8), (8, 9)]):
        Image.new("RGB", size).save(tmp_path / f"{i}.png")
    path = write("own.npz", IT=np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"2\.png has 9×8 pixels, but .*0\.png has 8×9; bring"):
        prepared(tmp_path, path, images=str(tmp_path))


def test_a_broken_image_is_named(tmp_path, write):
    (tmp_path / "0.png").write_bytes(b"no image")
    path = write("own.npz", IT=np.ones((1, 2)))
    with pytest.raises(ValueError, match=r"0\.png cannot be read as an image"):
        prepared(tmp_path, path, images=str(tmp_path))


def test_an_image_of_too_many_pixels_is_named(tmp_path, write):
    Image.new("1", (20_000, 20_000)).save(tmp_path / "0.png")
    path = write("own.npz", IT=np.ones((1, 2)))
    with pytest.raises(
        ValueError, match=r"0\.png has more pixels than .*: scale it down or remove"
    ):
        prepared(tmp_path, path, images=str(tmp_path))


def test_the_same_data_give_the_same_bytes(tmp_path, write, generator, images):
    path = write(
        "own.npz", V4=generator.normal(size=(2, 12, 5)), V1=np.ones((12, 1)), images=images
    )
    entry = {"name": "own", "layout": "responses", "source": str(path)}
    outs = [tmp_path / "1.h5", tmp_path / "2.h5"]
    prepare_recording(entry, outs[0])
    time.sleep(1.1)  # HDF5 keeps times in seconds
    prepare_recording(entry, outs[1])
    assert outs[0].read_bytes() == outs[1].read_bytes()


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_the_digest_follows_the_data_and_not_their_container(tmp_path, images, data):
    numbers = st.floats(-10, 10, width=32)
    shape = data.draw(st.sampled_from([(12, 3), (2, 12, 3)]))
    values = data.draw(arrays_of.arrays(np.float32, shape, elements=numbers))
    digests = []
    for name in ("a.npz", "a.h5"):
        WRITERS[name[1:]](tmp_path / name, {"images": images, "IT": values.astype(np.float64)})
        digests.append(prepared(tmp_path, tmp_path / name).digest)
    assert digests[0] == digests[1]
    changed = values.copy()
    changed[..., 3, 1] += 1
    WRITERS[".npz"](tmp_path / "a.npz", {"images": images, "IT": changed})
    assert prepared(tmp_path, tmp_path / "a.npz").digest != digests[0]


@given(
    absent=arrays_of.arrays(bool, (3, 6, 4)),
    values=arrays_of.arrays(np.float64, (3, 6, 4), elements=st.floats(-1e3, 1e3)),
)
def test_missing_trials_are_counted_and_one_without_any_repeat_is_refused(absent, values):
    values[absent] = np.nan
    gone = np.argwhere(absent.all(axis=0))
    if len(gone):
        stimulus, unit = gone[0]
        message = f"own.h5: V4 has no finite response to stimulus {stimulus} of unit {unit}; leave"
        with pytest.raises(ValueError, match=message):
            system_of("V4", "responses", values, "own.h5")
    else:
        system = system_of("V4", "responses", values, "own.h5")
        assert system.n_missing == absent.sum()
        np.testing.assert_array_equal(np.isnan(system.values), absent)


def test_missing_trials_without_repeats_are_refused(tmp_path, write, images):
    values = np.ones((12, 3))
    values[4, 2] = np.nan
    path = write("own.h5", images=images, V4=values)
    message = r"own\.h5: V4 has no finite response to stimulus 4 of unit 2; missing trials need"
    with pytest.raises(ValueError, match=message):
        prepared(tmp_path, path)
    assert not (tmp_path / "prepared" / "own.h5").exists()


@pytest.mark.parametrize("value", [np.inf, -np.inf, 1e300])
def test_infinite_responses_are_refused(tmp_path, write, images, value):
    values = np.ones((2, 12, 3))
    values[1, 4, 2] = value
    path = write("own.npz", images=images, V4=values)
    message = r"own\.npz: V4 has an infinite .* at repeat 1, stimulus 4, unit 2;"
    with pytest.raises(ValueError, match=message):
        prepared(tmp_path, path)


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (2, 5, 3.0, "not symmetric, 3 at 2, 5 but .* at 5, 2"),
        (2, 5, np.nan, "the dissimilarity of 2 and 5 is not finite"),
        (5, 2, np.inf, "the dissimilarity of 5 and 2 is not finite"),
    ],
)
def test_bad_dissimilarities_are_refused(
    tmp_path, write, images, matrices, row, column, value, message
):
    matrices[1, 0, row, column] = value
    path = write("own.h5", images=images, IT=matrices)
    with pytest.raises(ValueError, match=rf"own\.h5: IT, subject 1, session 0: {message}"):
        prepared(tmp_path, path, "dissimilarities")


def test_equal_dissimilarities_are_refused(tmp_path, write, images):
    path = write("own.npz", images=images, IT=1 - np.eye(12))
    with pytest.raises(ValueError, match=r"own\.npz: IT, .* all dissimilarities are the same"):
        prepared(tmp_path, path, "dissimilarities")


def test_rounding_is_symmetric_and_the_diagonal_is_not_looked_at(matrices):
    matrices[0, 0, 2, 5] += 1e-7
    matrices[..., 3, 3] = np.nan
    values = system_of("IT", "dissimilarities", matrices, "own.h5").values
    assert not values[..., range(12), range(12)].any()


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("executed",)


@pytest.mark.parametrize("name", ["V4", "images"])
def test_pickled_arrays_are_refused(tmp_path, write, images, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    arrays = {"V4": np.ones((12, 2)), "images": images, name: np.array([Malicious()] * 12)}
    path = write("own.npz", **arrays)
    with pytest.raises(ValueError, match=rf"own\.npz: `?{name}.*(Python objects|uint8)"):
        prepared(tmp_path, path)
    with open_arrays(path) as found, pytest.raises(ValueError, match=r"own\.npz cannot be read"):
        found[name].read()
    path.write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(ValueError, match=r"own\.npz cannot be read as an NPZ file"):
        prepared(tmp_path, path)
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("dtype", "filters"), [("<f8", None), ("|O", None), ("|O", [{"id": "vlen-utf8"}])]
)
def test_a_zarr_array_that_is_a_pickle_is_refused(
    tmp_path, write, images, monkeypatch, dtype, filters
):
    monkeypatch.chdir(tmp_path)
    path = write("own.zarr", images=images)
    (path / "zarr.json").unlink()
    (path / ".zgroup").write_text('{"zarr_format": 2}')
    header = {"zarr_format": 2, "shape": [1], "chunks": [1], "order": "C", "fill_value": None}
    header |= {"dtype": dtype, "filters": filters, "compressor": {"id": "pickle", "protocol": 5}}
    (path / "V4").mkdir()
    (path / "V4" / ".zarray").write_text(json.dumps(header))
    (path / "V4" / "0").write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(ValueError, match=r"own\.zarr cannot be read as a Zarr group .*pickle"):
        prepared(tmp_path, path)
    assert not (tmp_path / "executed").exists()


def test_without_zarr_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    (tmp_path / "own.zarr").mkdir()
    with pytest.raises(ImportError, match=r"own\.zarr .* pip install zarr"):
        prepared(tmp_path, tmp_path / "own.zarr")


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_damaged_source_is_named(tmp_path, suffix):
    if suffix in (".zarr", ".zip"):
        pytest.importorskip("zarr")
    path = tmp_path / f"own{suffix}"
    path.write_bytes(b"no such file")
    with pytest.raises(ValueError, match=rf"{re.escape(str(path))} cannot be read as an? "):
        prepared(tmp_path, path)


def test_a_damaged_canonical_file_is_to_be_deleted(tmp_path, write, images):
    prepared(tmp_path, write("own.npz", images=images, V4=np.ones((12, 3))))
    out = tmp_path / "prepared" / "own.h5"
    whole = out.read_bytes()
    flipped = bytearray(whole)
    flipped[whole.index(images.tobytes()) + 50] ^= 1
    for damaged in (whole[:3000], bytes(flipped)):
        out.write_bytes(damaged)
        with pytest.raises(DamagedFileError, match=r"own\.h5 .*delete it"):
            read_recording(out)
    with h5py.File(out, "w") as file:
        file["images"] = images
    with pytest.raises(DamagedFileError, match="it has no systems"):
        read_recording(out)
    with pytest.raises(FileNotFoundError):
        read_recording(tmp_path / "nowhere.h5")
