"""A config entry of `stimuli.sets` as a stimulus set."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from convergent_learning.stimuli import sets
from convergent_learning.stimuli.stimulus_files import read_stimuli
from convergent_learning.stimuli.user_sets import UserSet, write_user_set


@pytest.fixture
def identity_h5(dataset_h5, tmp_path):
    path = tmp_path / "id.h5"
    sets.write_identity_set(dataset_h5, path, n_images=20, seed=0)
    return path


def written(entry, condition, identity_h5, tmp_path):
    write_user_set(UserSet.of(entry), condition, identity_h5, tmp_path / "set.h5")
    return read_stimuli(tmp_path / "set.h5")


def test_a_folder_gives_at_most_as_many_images_as_the_id_set(identity_h5, tmp_path):
    identity = read_stimuli(identity_h5)
    name = json.loads(identity.attrs["classes"])[1]
    folder = tmp_path / "photos"
    (folder / name).mkdir(parents=True)
    for i in range(25):
        Image.fromarray(np.full((40, 50, 3), i, np.uint8)).save(folder / name / f"{i:02}.png")
    entry = {"name": "photos", "layout": "imagefolder", "path": str(folder)}
    stimuli = written(entry, "", identity_h5, tmp_path)
    assert stimuli.images.shape == identity.images.shape
    assert (stimuli.images[:, 0, 0, 0] == stimuli.index).all()
    assert (stimuli.labels == 1).all()
    assert stimuli.attrs["dataset"] == identity.attrs["dataset"]
    assert not stimuli.attrs["paired"]
    for i in range(12, 25):
        (folder / name / f"{i:02}.png").unlink()
    assert len(written(entry, "", identity_h5, tmp_path).images) == 12


def test_a_corruption_is_paired_with_the_id_set(identity_h5, dataset_h5, tmp_path):
    whole = tmp_path / "whole.h5"
    sets.write_identity_set(dataset_h5, whole, n_images=90, seed=0)
    test = read_stimuli(whole)
    np.save(tmp_path / "fog.npy", np.concatenate([test.images // s for s in range(1, 6)]))
    np.save(tmp_path / "labels.npy", np.tile(test.labels, 5))
    entry = {"name": "fog", "layout": "cifar-c", "path": str(tmp_path)}
    user_set = UserSet.of(entry)
    assert user_set.conditions == ("1", "2", "3", "4", "5")
    assert user_set.sources == [str(tmp_path / "fog.npy"), str(tmp_path / "labels.npy")]
    stimuli = written(entry, "3", identity_h5, tmp_path)
    assert (stimuli.images == read_stimuli(identity_h5).images // 3).all()
    assert stimuli.attrs["stimuli"] == user_set.stimuli == "corruption_fog"
    assert stimuli.attrs["paired"] == user_set.paired
