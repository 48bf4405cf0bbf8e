import dataclasses
import multiprocessing

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from convergent_learning.datasets.canonical import prepare, read_split
from convergent_learning.randomness import derived_seed
from convergent_learning.training.batches import batches
from convergent_learning.training.data import Batches, rows_of_step

CPU = torch.device("cpu")
N, SIZE = 24, 32


@pytest.fixture(scope="module")
def folder_h5(tmp_path_factory):
    """24 training and 10 test images in two classes, of sizes around 50 pixels."""
    source = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for split, n in (("train", N), ("val", 10)):
        for row in range(n):
            folder = source / split / ("cat", "dog")[row % 2]
            folder.mkdir(parents=True, exist_ok=True)
            pixels = generator.integers(0, 256, (40 + row, 60 - row, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{row:02}.png")
    entry = {"name": "photos", "layout": "imagefolder", "source": str(source), "image_size": SIZE}
    out = source / "photos.h5"
    prepare(entry | {"train_images": N}, out)
    return out


@pytest.fixture
def split(folder_h5):
    return read_split(folder_h5, "train")


@pytest.fixture
def plan(plan):
    return dataclasses.replace(plan, train_images=N, batch_size=5)


def test_images_in_memory_are_not_streamed(plan, digits):
    assert isinstance(batches(read_split(digits, "test"), plan, CPU, 2), Batches)


def test_batches_do_not_depend_on_workers_or_on_where_training_resumes(split, plan):
    straight = batches(split, plan, CPU, 0)
    want = [straight.training(step) for step in range(plan.steps)]
    for workers, steps in ((1, (0, 1, 2)), (2, (3, 4, 5, 6, 7)), (0, (7, 2))):
        again = batches(split, plan, CPU, workers)
        for step in steps:
            images, labels = again.training(step)
            assert torch.equal(images, want[step][0])
            assert torch.equal(labels, want[step][1])
    other = batches(split, dataclasses.replace(plan, seed=2), CPU, 0).training(0)
    assert not torch.equal(other[0], want[0][0])


def test_an_epoch_shows_no_image_twice(split, plan):
    shown = torch.cat([rows_of_step(plan, N, step) for step in range(plan.steps_per_epoch)])
    assert len(set(shown.tolist())) == len(shown) == 20
    _, labels = batches(split, plan, CPU, 0).training(1)
    assert torch.equal(labels, torch.from_numpy(split.labels)[rows_of_step(plan, N, 1)])


def test_augmentation_is_torchvisions(split, plan):
    images, _ = batches(split, plan, CPU, 0).training(2)
    transform = v2.Compose([v2.RandomResizedCrop(SIZE), v2.RandomHorizontalFlip()])
    for image, row in zip(images, rows_of_step(plan, N, 2).tolist(), strict=True):
        torch.manual_seed(derived_seed("augmentation", plan.experiment_seed, plan.seed, 2, row))
        want = np.asarray(transform(split.images.read(row)))
        found = image.permute(1, 2, 0).numpy() * split.std * 255 + split.mean * 255
        np.testing.assert_allclose(found, want, atol=1e-3)
    assert images.is_contiguous(memory_format=torch.channels_last)


def test_training_draws_nothing_from_the_global_generator(split, plan):
    before = torch.random.get_rng_state()
    for workers in (0, 1):
        streamed = batches(split, plan, CPU, workers)
        streamed.training(0)
        streamed.evaluation(0, 4)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("workers", [0, 2])
def test_evaluation_shows_the_normalised_centres_in_order(folder_h5, plan, workers):
    test = read_split(folder_h5, "test")
    streamed = batches(test, plan, CPU, workers)
    assert len(streamed) == 10
    for _ in range(2):
        parts = [streamed.evaluation(start, start + 4) for start in range(0, 10, 4)]
        assert torch.equal(
            torch.cat([labels for _, labels in parts]), torch.from_numpy(test.labels)
        )
        images = torch.cat([images for images, _ in parts])
        want = (test.images[:] / 255 - test.mean) / test.std
        np.testing.assert_allclose(images.permute(0, 2, 3, 1), want, atol=1e-5)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_goes_after_the_preparation_is_named(folder_h5, plan, workers):
    split = read_split(folder_h5, "train")
    split.images.names[3] = b"dog/no.png"
    streamed = batches(split, plan, CPU, workers)
    with pytest.raises(FileNotFoundError, match=r"dog/no\.png is gone.*`source`"):
        [streamed.training(step) for step in range(plan.steps)]
    assert not multiprocessing.active_children()


def test_workers_survive_a_signal_long_enough_to_save(split, plan):
    streamed = batches(split, plan, CPU, 1)
    streamed.training(0)
    for worker in multiprocessing.active_children():
        worker.terminate()
    images, _ = streamed.training(1)
    assert len(images) == plan.batch_size
    del streamed
    assert not multiprocessing.active_children()
