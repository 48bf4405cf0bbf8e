import dataclasses

import numpy as np
import pytest
import torch

from convergent_learning.datasets.canonical import Split
from convergent_learning.training.data import Batches

CPU = torch.device("cpu")


@pytest.fixture
def split():
    images = np.random.default_rng(0).integers(0, 256, (320, 32, 32, 3), np.uint8)
    return Split(images, np.arange(320), np.zeros(3), np.full(3, 1 / 255), classes=320)


def test_an_epoch_shows_every_image_once(split, plan):
    batches = Batches(split, plan, CPU)
    shown = torch.cat([batches.training(step)[1] for step in range(plan.steps_per_epoch)])
    assert sorted(shown.tolist()) == list(range(320))


def test_batches_depend_on_step_and_seed_alone(split, plan):
    one, other = Batches(split, plan, CPU), Batches(split, plan, CPU)
    one.training(0)
    images, labels = one.training(3)
    again, same = other.training(3)
    assert torch.equal(images, again)
    assert torch.equal(labels, same)
    another = Batches(split, dataclasses.replace(plan, seed=2), CPU)
    assert not torch.equal(another.training(3)[1], labels)


def test_augmented_images_are_crops_of_the_padded_original_or_its_mirror(split, plan):
    pad = plan.crop_padding
    images, labels = Batches(split, plan, CPU).training(0)
    flipped = 0
    for image, label in zip(images, labels.tolist(), strict=True):
        padded = np.pad(split.images[label], ((pad, pad), (pad, pad), (0, 0)))
        crops = [
            padded[top : top + 32, left : left + 32]
            for top in range(2 * pad + 1)
            for left in range(2 * pad + 1)
        ]
        found = image.permute(1, 2, 0).numpy()
        straight = any((found == crop).all() for crop in crops)
        mirrored = any((found == crop[:, ::-1]).all() for crop in crops)
        assert straight or mirrored
        flipped += mirrored
    assert 0 < flipped < len(labels)


def test_evaluation_batches_are_the_normalised_images(split, plan):
    normalised = dataclasses.replace(split, mean=np.full(3, 0.5), std=np.full(3, 0.25))
    images, labels = Batches(normalised, plan, CPU).evaluation(300, 400)
    assert labels.tolist() == list(range(300, 320))
    expected = (split.images[300:] / 255 - 0.5) / 0.25
    np.testing.assert_allclose(images.permute(0, 2, 3, 1), expected, atol=1e-5)
    assert images.is_contiguous(memory_format=torch.channels_last)
