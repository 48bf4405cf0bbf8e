"""Photographs that come with the dependencies, and small data set files."""

from __future__ import annotations

import json

import h5py
import matplotlib.cbook
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_sample_images

from convergent_learning.images.spectra import mean_spectrum


def _square(image: Image.Image, side: int) -> np.ndarray:
    shorter = min(image.size)
    left, top = ((length - shorter) // 2 for length in image.size)
    image = image.crop((left, top, left + shorter, top + shorter))
    return np.asarray(image.resize((side, side), Image.Resampling.LANCZOS))


@pytest.fixture(scope="session")
def photographs():
    """Function of the side: three whole photographs, (3, side, side, 3) uint8."""
    with matplotlib.cbook.get_sample_data("grace_hopper.jpg") as file:
        portrait = Image.open(file).convert("RGB")
    images = [*map(Image.fromarray, load_sample_images().images), portrait]
    return lambda side: np.stack([_square(image, side) for image in images])


@pytest.fixture(scope="session")
def crops(photographs):
    """Function of number and side: random pieces of the photographs, uint8."""

    def cut(n: int, side: int, seed: int = 0) -> np.ndarray:
        source = photographs(256)
        generator = np.random.default_rng(seed)
        corners = generator.integers(0, 256 - side + 1, (n, 2))
        return np.stack(
            [source[i % 3, y : y + side, x : x + side] for i, (y, x) in enumerate(corners)]
        )

    return cut


@pytest.fixture(scope="session")
def dataset_h5(tmp_path_factory, crops):
    """A data set file with 90 test images of 32 pixels in 3 classes of 50, 30 and 10 images."""
    path = tmp_path_factory.mktemp("data") / "dataset.h5"
    images = crops(90, 32)
    labels = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], [50, 30, 10]))
    with h5py.File(path, "w") as file:
        file["test/images"] = images
        file["test/labels"] = labels
        file["test/spectrum"] = mean_spectrum(images)
        file.attrs["dataset"] = "photographs"
        file.attrs["classes"] = json.dumps(["bird", "cat", "dog"])
    return path
