"""The embedded dataset: scikit-learn's real 8 x 8 scans of handwritten digits.

Alpaydin & Kaynak (1998), *Optical Recognition of Handwritten Digits*, UCI repository; the test part
that scikit-learn ships. No network is needed, so the smoke experiment and the tests use it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from convergent_learning.datasets.catalogue import DATASETS
from convergent_learning.datasets.records import Splits


def fetch(workdir: Path, source: str | None = None) -> Splits:
    """Digits as 32 x 32 colour images (bicubic, three equal channels), split stratified by class.

    `workdir` and `source` are part of every reader's signature; nothing is downloaded here.
    Returns uint8 images (n, 32, 32, 3) and int64 labels (n,) of both splits.
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    info = DATASETS["digits"]
    scans, labels = load_digits(return_X_y=True)
    grey = np.round(scans.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    size = (info.side, info.side)
    scaled = (Image.fromarray(scan).resize(size, Image.Resampling.BICUBIC) for scan in grey)
    large = np.stack([np.asarray(image) for image in scaled])
    train, test = train_test_split(
        np.arange(len(labels)), test_size=info.test, stratify=labels, random_state=0
    )
    images = np.repeat(large[..., None], 3, axis=3)
    return {
        "train": (images[train], labels[train].astype(np.int64)),
        "test": (images[test], labels[test].astype(np.int64)),
    }
