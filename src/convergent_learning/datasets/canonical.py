"""Canonical arrays: one HDF5 file a dataset, made once and shared by every experiment.

Groups `train` and `test` hold `images` (n, h, w, 3) uint8 and `labels` (n,) int64; `test/spectrum`
(h, w) is the mean amplitude spectrum that power equalisation needs. Root attributes: dataset,
classes (JSON list of names), sha256_train and sha256_test (digests of the records), mean and std
(3,) of the training images in [0, 1].
"""

from __future__ import annotations

import importlib
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

from convergent_learning.datasets import records
from convergent_learning.datasets.registry import DATASETS
from convergent_learning.files import open_hdf5, replace_when_done
from convergent_learning.randomness import balanced_subset
from convergent_learning.stimuli.fourier import mean_spectrum


@dataclass(frozen=True)
class Split:
    """Images (n, h, w, 3) uint8, labels (n,) int64; mean and std (3,) of the training set."""

    images: np.ndarray
    labels: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    classes: int


def prepare(name: str, out: Path, source: str | None = None) -> None:
    """Fetch dataset `name`, prove it by its digests where it has official ones, write `out`.

    Downloads go to a scratch folder beside `out` that is always removed; `out` appears only when
    it is complete. Raises ValueError for a reader that returns other than the registered sizes.
    """
    info = DATASETS[name]
    module, function = info.reader.split(":")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{name}-download-") as scratch:
        splits = getattr(importlib.import_module(module), function)(Path(scratch), source)
    for split, expected in (("train", info.train), ("test", info.test)):
        if len(splits[split][0]) != expected:
            raise ValueError(f"{name}: {len(splits[split][0])} {split} images, not {expected}")
    with replace_when_done(out) as partial, h5py.File(partial, "w") as file:
        _write(file, name, splits)


def _write(file: h5py.File, name: str, splits: records.Splits) -> None:
    for split, (images, labels) in splits.items():
        group = file.create_group(split)
        group.create_dataset(
            "images", data=images, chunks=(min(len(images), 500), *images.shape[1:])
        )
        group.create_dataset("labels", data=labels.astype(np.int64))
        file.attrs[f"sha256_{split}"] = records.digest(images, labels)
    file["test"].create_dataset("spectrum", data=mean_spectrum(splits["test"][0]))
    pixels = splits["train"][0].reshape(-1, 3)
    file.attrs["dataset"] = name
    file.attrs["classes"] = json.dumps(DATASETS[name].class_names)
    file.attrs["mean"] = pixels.mean(axis=0) / 255
    file.attrs["std"] = pixels.std(axis=0) / 255


def read_split(path: Path, split: str, images: int | None = None, seed: int = 0) -> Split:
    """One split of a canonical file; `images` keeps a class-balanced subset drawn with `seed`."""
    with open_hdf5(path, "train", "test") as file:
        labels = file[split]["labels"][:]
        keep = slice(None) if images is None else balanced_subset(labels, images, seed)
        return Split(
            images=file[split]["images"][:][keep],
            labels=labels[keep],
            mean=file.attrs["mean"],
            std=file.attrs["std"],
            classes=len(json.loads(file.attrs["classes"])),
        )


def read_summary(path: Path) -> dict:
    """Dataset name, class names and record digests of a canonical file."""
    with open_hdf5(path) as file:
        return {
            "dataset": file.attrs["dataset"],
            "classes": json.loads(file.attrs["classes"]),
            "sha256_train": file.attrs["sha256_train"],
            "sha256_test": file.attrs["sha256_test"],
        }
