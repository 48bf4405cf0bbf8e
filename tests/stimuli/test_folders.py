"""Stimulus sets from a user's files: class folders, the names of Geirhos et al., corruptions."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from convergent_learning.stimuli import sets
from convergent_learning.stimuli.corruptions import write_corruption_set
from convergent_learning.stimuli.folders import write_folder_set
from convergent_learning.stimuli.geirhos16 import sixteen_categories, sixteen_class_decision
from convergent_learning.stimuli.stimulus_files import read_stimuli

IMAGENET = [f"class {i}" for i in range(1000)]


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def write(folder, out, layout="imagefolder", classes=("bird", "cat", "dog"), size=32, **options):
    options = {"name": "sketch", "dataset": "photographs"} | options
    write_folder_set(folder, layout, out, size, classes, **options)
    return read_stimuli(out)


@pytest.fixture
def class_folders(tmp_path, crops):
    """Two classes of three images of 32 pixels."""
    folder = tmp_path / "pictures"
    for i, image in enumerate(crops(6, 32)):
        save(folder / ("cat" if i % 2 else "bird") / f"{i}.png", image)
    (folder / "notes.txt").write_text("not an image")
    return folder


@pytest.fixture
def geirhos_folder(tmp_path, crops):
    """Four images of two conditions, two of them in a session's folder."""
    folder = tmp_path / "sketch"
    names = [
        "session-1/0001_ske_dnn_0_airplane_00_airplane-0001-sketch-0.png",
        "session-1/0002_ske_dnn_0_bird_00_bird-0001-sketch-0.png",
        "0003_ske_dnn_0_knife_00_n03041632_32377.png",
        "0004_ske_dnn_1_truck_10_a_b_c.png",
    ]
    for name, image in zip(names, crops(4, 32), strict=True):
        save(folder / name, image)
    return folder


class TestImageFolder:
    def test_images_come_in_order_with_the_networks_labels(self, class_folders, tmp_path, crops):
        stimuli = write(class_folders, tmp_path / "set.h5")
        assert (stimuli.images == crops(6, 32)[[0, 2, 4, 1, 3, 5]]).all()
        assert stimuli.labels.tolist() == [0, 0, 0, 1, 1, 1]
        assert stimuli.index.tolist() == [0, 1, 2, 3, 4, 5]
        assert stimuli.attrs["decision"] == "classes"
        assert json.loads(stimuli.attrs["classes"]) == ["bird", "cat", "dog"]
        assert stimuli.attrs["stimuli"] == "sketch"
        assert not stimuli.attrs["paired"]

    def test_classes_that_the_network_does_not_have_leave_no_decision(
        self, class_folders, tmp_path
    ):
        stimuli = write(class_folders, tmp_path / "set.h5", classes=("frog", "bird"))
        assert stimuli.attrs["decision"] == ""
        assert json.loads(stimuli.attrs["classes"]) == ["bird", "cat"]
        assert stimuli.labels.tolist() == [0, 0, 0, 1, 1, 1]

    def test_a_subset_is_balanced(self, class_folders, tmp_path):
        stimuli = write(class_folders, tmp_path / "set.h5", n_images=4)
        assert np.bincount(stimuli.labels).tolist() == [2, 2]
        assert len(write(class_folders, tmp_path / "set.h5", n_images=7).images) == 6

    def test_images_are_scaled_and_cropped_to_the_networks_size(self, tmp_path):
        image = np.zeros((40, 80, 3), dtype=np.uint8)
        image[:, 20:60] = 200
        for i in range(2):
            save(tmp_path / "in" / "bird" / f"{i}.png", image)
        # Shorter side 40 to 20, centre of 20 pixels: the bright part alone.
        stimuli = write(tmp_path / "in", tmp_path / "set.h5", size=20)
        assert stimuli.images.shape == (2, 20, 20, 3)
        assert (stimuli.images[:, :, 1:-1] == 200).all()

    def test_grey_and_transparent_images_become_rgb(self, tmp_path):
        grey = np.full((32, 32), 7, dtype=np.uint8)
        save(tmp_path / "in" / "bird" / "grey.png", grey)
        save(tmp_path / "in" / "bird" / "rgba.png", np.full((32, 32, 4), 7, dtype=np.uint8))
        assert (write(tmp_path / "in", tmp_path / "set.h5").images == 7).all()

    def test_mixed_sizes_are_refused_unless_a_size_to_scale_to_is_given(
        self, class_folders, tmp_path, crops
    ):
        save(class_folders / "bird" / "large.png", crops(1, 64)[0])
        with pytest.raises(ValueError, match=r"pictures has images of mixed sizes.*`resize`"):
            write(class_folders, tmp_path / "set.h5")
        assert write(class_folders, tmp_path / "set.h5", resize=36).images.shape == (7, 32, 32, 3)

    def test_a_missing_or_empty_folder_is_named(self, tmp_path):
        with pytest.raises(ValueError, match=r"no folder .*nowhere"):
            write(tmp_path / "nowhere", tmp_path / "set.h5")
        with pytest.raises(ValueError, match="has no images"):
            write(tmp_path, tmp_path / "set.h5")

    def test_an_image_in_no_class_folder_is_named(self, class_folders, tmp_path, crops):
        save(class_folders / "loose.png", crops(1, 32)[0])
        with pytest.raises(ValueError, match=r"loose\.png is in no class folder"):
            write(class_folders, tmp_path / "set.h5")

    @pytest.mark.parametrize("kept", [0, 0.02, 0.5])
    def test_an_unreadable_image_is_named(self, kept, class_folders, tmp_path):
        path = class_folders / "cat" / "3.png"
        content = path.read_bytes()
        path.write_bytes(content[: int(kept * len(content))])
        with pytest.raises(ValueError, match=r"3\.png cannot be read as an image"):
            write(class_folders, tmp_path / "set.h5")
        assert not (tmp_path / "set.h5").exists()

    def test_an_image_of_more_than_8_bits_is_named(self, class_folders, tmp_path):
        save(class_folders / "cat" / "deep.png", np.full((32, 32), 40_000, np.uint16))
        with pytest.raises(ValueError, match=r"deep\.png cannot be read .*more than 8 bits"):
            write(class_folders, tmp_path / "set.h5")

    def test_an_image_of_too_many_pixels_is_named(self, class_folders, tmp_path):
        Image.new("1", (20_000, 20_000)).save(class_folders / "cat" / "bomb.png")
        message = r"bomb\.png has more pixels than can be read safely: scale it down or remove it"
        with pytest.raises(ValueError, match=message):
            write(class_folders, tmp_path / "set.h5", resize=32)
        assert not (tmp_path / "set.h5").exists()

    def test_hidden_files_and_folders_are_left_out(self, class_folders, tmp_path, crops):
        save(class_folders / "cat" / ".thumbnails" / "a.png", crops(1, 32)[0])
        save(class_folders / "cat" / "._0.png", crops(1, 32)[0])
        assert len(write(class_folders, tmp_path / "set.h5").images) == 6

    def test_an_image_under_8_pixels_is_named(self, class_folders, tmp_path, crops):
        save(class_folders / "cat" / "tiny.png", crops(1, 32)[0][:7])
        with pytest.raises(ValueError, match=r"tiny\.png is 32×7 pixels; .* at least 8"):
            write(class_folders, tmp_path / "set.h5")

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"layout": "flat"}, "layout 'flat' is none of imagefolder, geirhos"),
            ({"name": "contrast"}, "'contrast': the name is that of a built-in set"),
            ({"name": "id"}, "'id': the name"),
            ({"resize": 16}, "resize 16 is under the network's 32 pixels"),
            ({"size": 4}, "size 4 is under 8 pixels"),
        ],
    )
    def test_requests_that_make_no_sense(self, options, message, class_folders, tmp_path):
        with pytest.raises(ValueError, match=message):
            write(class_folders, tmp_path / "set.h5", **options)


class TestGeirhosLayout:
    def test_category_and_condition_are_read_from_the_name(self, geirhos_folder, tmp_path):
        out = tmp_path / "set.h5"
        stimuli = write(geirhos_folder, out, "geirhos", IMAGENET, condition="0")
        categories = [sixteen_categories()[label] for label in stimuli.labels]
        assert categories == ["knife", "airplane", "bird"]
        assert stimuli.attrs["decision"] == "sixteen"
        assert json.loads(stimuli.attrs["classes"]) == list(sixteen_categories())
        assert stimuli.attrs["condition"] == "0"
        assert len(write(geirhos_folder, out, "geirhos", IMAGENET).images) == 4

    def test_a_network_with_other_classes_gets_no_decision(self, geirhos_folder, tmp_path):
        stimuli = write(geirhos_folder, tmp_path / "set.h5", "geirhos")
        assert stimuli.attrs["decision"] == ""

    def test_an_unknown_condition_lists_the_known_ones(self, geirhos_folder, tmp_path):
        with pytest.raises(ValueError, match="no images of condition '9'; it has 0, 1"):
            write(geirhos_folder, tmp_path / "set.h5", "geirhos", condition="9")

    @pytest.mark.parametrize("name", ["picture.png", "0001_ske_dnn_0_unicorn_00_x.png"])
    def test_a_name_of_another_form_is_named(self, name, geirhos_folder, tmp_path, crops):
        save(geirhos_folder / name, crops(1, 32)[0])
        with pytest.raises(ValueError, match=rf"{name} is not named number_experiment"):
            write(geirhos_folder, tmp_path / "set.h5", "geirhos")


class TestSixteenClassDecision:
    def test_the_mean_over_a_category_decides(self):
        probabilities = np.zeros((3, 1000))
        probabilities[0, 404] = 1  # airliner
        probabilities[1, 151:269] = 0.004  # all dogs, weakly
        probabilities[1, 386] = 0.007  # African elephant: half of its category
        probabilities[2, 0] = 1  # tench, in no category: a tie of zeros
        names = [sixteen_categories()[i] for i in sixteen_class_decision(probabilities)]
        assert names == ["airplane", "dog", "airplane"]

    def test_categories_are_sorted_and_share_no_class(self):
        assert list(sixteen_categories()) == sorted(sixteen_categories())
        assert len(sixteen_categories()) == 16
        decided = sixteen_class_decision(np.eye(1000))
        assert np.bincount(decided).tolist()[1:] == [4, 2, 49, 5, 7, 3, 6, 4, 3, 109, 2, 2, 1, 1, 8]

    @pytest.mark.parametrize("wrong", [np.zeros((2, 10)), np.zeros(1000), np.full((1, 1000), 7.0)])
    def test_what_is_no_probability_is_refused(self, wrong):
        with pytest.raises(ValueError, match="probabilities must"):
            sixteen_class_decision(wrong)


class TestCorruptions:
    @pytest.fixture
    def identity_h5(self, dataset_h5, tmp_path):
        path = tmp_path / "id.h5"
        sets.write_identity_set(dataset_h5, path, n_images=20, seed=0)
        return path

    @pytest.fixture
    def folder(self, tmp_path, dataset_h5):
        """90 test images at five severities, each darker by its number."""
        whole = tmp_path / "whole.h5"
        sets.write_identity_set(dataset_h5, whole, n_images=90, seed=0)
        stimuli = read_stimuli(whole)
        dark = [np.maximum(stimuli.images, severity) - severity for severity in range(1, 6)]
        folder = tmp_path / "corrupted"
        folder.mkdir()
        np.save(folder / "fog.npy", np.concatenate(dark).astype(np.uint8))
        np.save(folder / "labels.npy", np.tile(stimuli.labels, 5))
        return folder

    def test_rows_correspond_with_the_identity_set(self, folder, identity_h5, tmp_path):
        identity = read_stimuli(identity_h5)
        for severity in (1, 5):
            out = tmp_path / f"fog-{severity}.h5"
            write_corruption_set(folder, "fog", severity, identity_h5, out)
            stimuli = read_stimuli(out)
            want = np.maximum(identity.images, severity) - severity
            assert (stimuli.images == want).all()
            assert (stimuli.labels == identity.labels).all()
            assert (stimuli.index == identity.index).all()
            assert stimuli.attrs["stimuli"] == "corruption_fog"
            assert stimuli.attrs["condition"] == str(severity)
            assert stimuli.attrs["paired"]
            assert stimuli.attrs["decision"] == "classes"

    def break_(self, folder, kind):
        images, labels = np.load(folder / "fog.npy"), np.load(folder / "labels.npy")
        if kind == "missing":
            (folder / "fog.npy").unlink()
        elif kind == "truncated":
            content = (folder / "fog.npy").read_bytes()
            (folder / "fog.npy").write_bytes(content[:-100])
        elif kind == "empty":
            (folder / "fog.npy").write_bytes(b"")
        elif kind == "size":
            np.save(folder / "fog.npy", images[:, ::2, ::2])
        elif kind == "count":
            np.save(folder / "fog.npy", images[:-1])
        elif kind == "float":
            np.save(folder / "fog.npy", images / 255)
        elif kind == "labels":
            np.save(folder / "labels.npy", labels[:90])
        elif kind == "order":
            np.save(folder / "labels.npy", labels[::-1])

    @pytest.mark.parametrize(
        ("kind", "message"),
        [
            ("missing", r"no file .*fog\.npy"),
            ("truncated", r"fog\.npy is truncated or no array file"),
            ("empty", r"fog\.npy is truncated or no array file"),
            ("size", r"fog\.npy is \(450, 16, 16, 3\); expected \(5·m, 32, 32, 3\)"),
            ("count", r"fog\.npy is \(449, 32, 32, 3\)"),
            ("float", r"fog\.npy must hold uint8"),
            ("labels", r"labels\.npy is \(90,\), but fog\.npy has 450 images"),
            ("order", r"labels\.npy does not agree with the labels of photographs"),
        ],
    )
    def test_files_that_do_not_fit_are_named(self, kind, message, folder, identity_h5, tmp_path):
        self.break_(folder, kind)
        with pytest.raises(ValueError, match=message):
            write_corruption_set(folder, "fog", 1, identity_h5, tmp_path / "out.h5")
        assert not (tmp_path / "out.h5").exists()

    def test_an_unknown_severity(self, folder, identity_h5, tmp_path):
        with pytest.raises(ValueError, match="'fog': severity 6 is none of 1 … 5"):
            write_corruption_set(folder, "fog", 6, identity_h5, tmp_path / "out.h5")
