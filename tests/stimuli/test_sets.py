"""Stimulus sets on disk."""

from __future__ import annotations

import csv
import hashlib
import json

import h5py
import numpy as np
import pytest
from PIL import Image

from convergent_learning.files import DamagedFileError
from convergent_learning.stimuli import apply, sets
from convergent_learning.stimuli.stimulus_files import read_stimuli, writing_stimuli
from convergent_learning.stimuli.thumbnails import thumbnails


@pytest.fixture
def identity_h5(dataset_h5, tmp_path):
    path = tmp_path / "id.h5"
    sets.write_identity_set(dataset_h5, path, n_images=40, seed=3)
    return path


def write_condition(identity_h5, dataset_h5, family, level, seed=7):
    path = identity_h5.with_name(f"{family}-{level}.h5")
    sets.write_condition_set(identity_h5, dataset_h5, path, family, level, seed)
    return path


def digest(stimuli):
    content = stimuli.images.tobytes() + stimuli.labels.astype("<i8").tobytes()
    return hashlib.sha256(content).hexdigest()


def test_the_identity_set_is_a_balanced_subset_in_order(dataset_h5, identity_h5):
    stimuli = read_stimuli(identity_h5)
    with h5py.File(dataset_h5) as data:
        images, labels = data["test/images"][:], data["test/labels"][:]
    assert (np.diff(stimuli.index) > 0).all()
    assert (stimuli.images == images[stimuli.index]).all()
    assert (stimuli.labels == labels[stimuli.index]).all()
    # 10 is all the third class has; the others share the rest.
    assert np.bincount(stimuli.labels).tolist() == [15, 15, 10]
    assert stimuli.images.dtype == np.uint8
    assert stimuli.labels.dtype == stimuli.index.dtype == np.int64
    assert stimuli.attrs == {
        "dataset": "photographs",
        "classes": json.dumps(["bird", "cat", "dog"]),
        "decision": "classes",
        "paired": True,
        "stimuli": "id",
        "condition": "",
        "seed": 3,
        "digest": digest(stimuli),
        "format_version": 1,
    }


@pytest.mark.parametrize("n_images", [0, 91])
def test_more_images_than_there_are_names_the_key(n_images, dataset_h5, tmp_path):
    with pytest.raises(ValueError, match=r"stimuli\.images.*has 90"):
        sets.write_identity_set(dataset_h5, tmp_path / "id.h5", n_images, seed=0)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("family", "level"),
    [("contrast", "30"), ("uniform_noise", 0.05), ("eidolon_III", 8), ("false_colour", "opponent")],
)
def test_a_condition_is_the_identity_set_transformed(family, level, dataset_h5, identity_h5):
    identity = read_stimuli(identity_h5)
    changed = read_stimuli(write_condition(identity_h5, dataset_h5, family, level))
    assert (changed.labels == identity.labels).all()
    assert (changed.index == identity.index).all()
    want = apply(family, identity.images, level, seed=7, indices=identity.index)
    assert (changed.images == want).all()
    assert changed.attrs["stimuli"] == family
    assert changed.attrs["condition"] == str(level)
    assert changed.attrs["seed"] == 7
    assert changed.attrs["digest"] == digest(changed)
    assert {name: changed.attrs[name] for name in ("dataset", "classes", "paired")} == {
        name: identity.attrs[name] for name in ("dataset", "classes", "paired")
    }


def test_power_equalisation_takes_the_spectrum_of_the_whole_test_set(dataset_h5, identity_h5):
    changed = read_stimuli(write_condition(identity_h5, dataset_h5, "power_equalisation", "pow"))
    with h5py.File(dataset_h5) as data:
        spectrum = data["test/spectrum"][:]
    images = read_stimuli(identity_h5).images
    assert (changed.images == apply("power_equalisation", images, "pow", spectrum=spectrum)).all()


def test_an_image_of_the_set_looks_the_same_in_a_larger_set(dataset_h5, identity_h5, tmp_path):
    larger = tmp_path / "larger.h5"
    sets.write_identity_set(dataset_h5, larger, n_images=80, seed=3)
    few = read_stimuli(write_condition(identity_h5, dataset_h5, "uniform_noise", 0.2))
    sets.write_condition_set(larger, dataset_h5, tmp_path / "many.h5", "uniform_noise", 0.2, 7)
    many = read_stimuli(tmp_path / "many.h5")
    rows = np.searchsorted(many.index, few.index)
    assert (many.index[rows] == few.index).all()
    assert (many.images[rows] == few.images).all()


def test_rebuilding_gives_the_same_bytes(dataset_h5, identity_h5, tmp_path):
    again = tmp_path / "again.h5"
    sets.write_identity_set(dataset_h5, again, n_images=40, seed=3)
    assert again.read_bytes() == identity_h5.read_bytes()
    one = write_condition(identity_h5, dataset_h5, "eidolon_I", 8)
    sets.write_condition_set(again, dataset_h5, tmp_path / "two.h5", "eidolon_I", "8", 7)
    assert (tmp_path / "two.h5").read_bytes() == one.read_bytes()


def test_a_level_that_makes_images_constant_is_refused_by_name(dataset_h5, identity_h5, tmp_path):
    faint = tmp_path / "faint.h5"
    faint.write_bytes(identity_h5.read_bytes())
    generator = np.random.default_rng(0)
    with h5py.File(faint, "a") as file:
        file["images"][:] = generator.integers(0, 256, file["images"].shape)
        file["images"][:3] = generator.integers(100, 120, (3, *file["images"].shape[1:]))
    before = set(tmp_path.iterdir())
    with pytest.raises(ValueError, match="family 'contrast', level 1: 3 of 40 images"):
        sets.write_condition_set(faint, dataset_h5, tmp_path / "out.h5", "contrast", 1, 0)
    assert set(tmp_path.iterdir()) == before


def test_unknown_conditions_are_refused(dataset_h5, identity_h5):
    with pytest.raises(ValueError, match="unknown stimulus family"):
        write_condition(identity_h5, dataset_h5, "blur", 1)
    with pytest.raises(ValueError, match="no level '2'"):
        write_condition(identity_h5, dataset_h5, "contrast", "2")


def test_near_duplicates_are_reported(dataset_h5, identity_h5):
    # At 32 pixels the mildest low-pass filter is narrower than a pixel.
    conditions = [("colour", "bw"), ("contrast", 50), ("low_pass", 1), ("contrast", 30)]
    paths = [write_condition(identity_h5, dataset_h5, *condition) for condition in conditions]
    found = sets.duplicate_conditions([identity_h5, *paths])
    assert [pair[:2] for pair in found] == [("colour-bw", "low_pass-1")]
    assert found[0][2] <= 1 / 255
    assert sets.duplicate_conditions([identity_h5, identity_h5]) == [("id", "id", 0.0)]


@pytest.mark.parametrize("keep", [0, 100, 20_000])
def test_a_truncated_file_is_named_with_what_to_do(keep, identity_h5):
    content = identity_h5.read_bytes()
    assert keep < len(content)
    identity_h5.write_bytes(content[:keep])
    with pytest.raises(DamagedFileError, match=r"id\.h5 is damaged.*delete it"):
        read_stimuli(identity_h5)


def test_a_file_of_another_kind_is_named(dataset_h5):
    with pytest.raises(DamagedFileError, match=r"dataset\.h5 is damaged.*no images, labels, index"):
        read_stimuli(dataset_h5)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        read_stimuli(tmp_path / "nothing.h5")


def test_thumbnails_are_a_tile_per_condition(dataset_h5, identity_h5, tmp_path):
    conditions = [("contrast", 50), ("rotation", 90)]
    paths = [write_condition(identity_h5, dataset_h5, *condition) for condition in conditions]
    png, table = tmp_path / "strip.png", tmp_path / "strip.csv"
    thumbnails(identity_h5, paths, png, table, image=5)
    strip = np.asarray(Image.open(png))
    assert strip.shape == (32, 96, 3)
    for tile, path in enumerate([identity_h5, *paths]):
        want = read_stimuli(path).images[5]
        assert (strip[:, 32 * tile : 32 * (tile + 1)] == want).all()
    index = str(read_stimuli(identity_h5).index[5])
    with open(table, newline="") as file:
        assert list(csv.DictReader(file)) == [
            {"tile": "0", "image": index, "stimuli": "id", "condition": ""},
            {"tile": "1", "image": index, "stimuli": "contrast", "condition": "50"},
            {"tile": "2", "image": index, "stimuli": "rotation", "condition": "90"},
        ]
    with pytest.raises(ValueError, match="40 images, no row 40"):
        thumbnails(identity_h5, paths, png, table, image=40)


def test_thumbnails_of_large_images_and_of_sets_of_other_images(tmp_path):
    def write(name, side, n, value):
        path = tmp_path / f"{name}.h5"
        attributes = {"stimuli": name, "condition": ""}
        indices = np.arange(n)
        with writing_stimuli(path, (n, side, side, 3), indices, indices, attributes) as append:
            append(np.full((n, side, side, 3), value, dtype=np.uint8))
        return path

    paths = [write("id", 224, 3, 10), write("sketch", 96, 2, 20)]
    thumbnails(paths[0], paths[1:], tmp_path / "strip.png", tmp_path / "strip.csv", image=2)
    strip = np.asarray(Image.open(tmp_path / "strip.png"))
    assert strip.shape == (64, 128, 3)
    assert (strip[:, :64] == 10).all()
    assert (strip[:, 64:] == 20).all()
    assert (tmp_path / "strip.csv").read_text().splitlines()[1:] == ["0,2,id,", "1,2,sketch,"]


def test_a_set_that_is_not_complete_leaves_no_file(tmp_path):
    labels = np.arange(2)
    with (
        pytest.raises(ValueError, match=r"half\.h5: 1 of 2 images"),
        writing_stimuli(tmp_path / "half.h5", (2, 8, 8, 3), labels, labels, {}) as append,
    ):
        append(np.zeros((1, 8, 8, 3), dtype=np.uint8))
    assert list(tmp_path.iterdir()) == []
