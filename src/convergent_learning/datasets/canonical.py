"""Canonical files: one HDF5 file a dataset, made once and shared by every experiment.

Groups `train` and `test` hold `images` (n, h, w, 3) uint8 and `labels` (n,) int64; `test/spectrum`
(h, w) is the mean amplitude spectrum that power equalisation needs. Root attributes: dataset,
classes (JSON list of names), sha256_train and sha256_test (digests of the records), mean and std
(3,) of the training images in [0, 1].

Of an `imagefolder`, the images stay where they are: `files` (n,), their names, stands in the place
of `images`, relative to the group's attribute `folder` in the folder `root`; `image_size` is the
side they are scaled to, and the digests are those of names and sizes.
"""

from __future__ import annotations

import importlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from convergent_learning.datasets import records
from convergent_learning.datasets.catalogue import official_dataset
from convergent_learning.datasets.cifar_files import read_cifar
from convergent_learning.datasets.fashion_mnist import read_idx_set
from convergent_learning.datasets.imagefolder import list_folders, write_listings
from convergent_learning.datasets.records import Splits
from convergent_learning.files import open_hdf5, replace_when_done
from convergent_learning.images.image_files import ImageFiles, stored_images
from convergent_learning.images.spectra import mean_spectrum
from convergent_learning.randomness import balanced_subset


@dataclass(frozen=True)
class Split:
    """Images (n, h, w, 3) uint8, labels (n,) int64; mean and std (3,) of the training set.

    Images of an `imagefolder` are read from their files whenever they are indexed.
    """

    images: np.ndarray | ImageFiles
    labels: np.ndarray
    mean: np.ndarray
    std: np.ndarray
    classes: int


def prepare(entry: Mapping[str, Any], out: Path, threads: int = 1) -> None:
    """Write the canonical file `out` of the dataset that the config entry describes.

    Parameters
    ----------
    entry : `name` and, if there is one, `source`; for data of the user's own also `layout`,
        `train_images` to be checked and, of an `imagefolder`, `image_size` and `classes`.
    out : file to write.
    threads : images of an `imagefolder` that are decoded at once.

    An official dataset is fetched and proved by its digests. Downloads go to a scratch folder
    beside `out` that is always removed; `out` appears only when it is complete.

    Raises ValueError naming file, folder or key for data that are not of the layout, for fewer
    training images than `train_images`, and for official data of another size.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    if entry.get("layout") == "imagefolder":
        class_names, listings = list_folders(Path(entry["source"]), entry.get("classes"))
        _check_enough(entry, len(listings["train"].labels))
        with replace_when_done(out) as partial, h5py.File(partial, "w") as file:
            _describe(file, entry, class_names)
            write_listings(file, entry, listings, threads)
        return
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{entry['name']}-") as scratch:
        read = _official if entry.get("layout") is None else _own
        splits, class_names = read(entry, Path(scratch))
    with replace_when_done(out) as partial, h5py.File(partial, "w") as file:
        _write_arrays(file, splits)
        _describe(file, entry, class_names)


def _official(entry: Mapping[str, Any], scratch: Path) -> tuple[Splits, list[str]]:
    info = official_dataset(entry["name"])
    module, function = info.reader.split(":")
    splits = getattr(importlib.import_module(module), function)(scratch, entry.get("source"))
    for split, expected in (("train", info.train), ("test", info.test)):
        if len(splits[split][0]) != expected:
            raise ValueError(f"{info.name}: {len(splits[split][0])} {split} images, not {expected}")
    return splits, list(info.class_names)


def _own(entry: Mapping[str, Any], scratch: Path) -> tuple[Splits, list[str]]:
    source, layout = Path(entry["source"]), entry["layout"]
    if layout == "fashion_mnist":
        splits, class_names = read_idx_set(source, scratch), None
    else:
        splits, class_names = read_cifar(source, layout, scratch)
    largest = max(int(labels.max()) for _, labels in splits.values())
    if class_names is None:
        class_names = [str(label) for label in range(largest + 1)]
    if largest >= len(class_names):
        raise ValueError(f"{source}: an image has label {largest}, of {len(class_names)} classes")
    _check_enough(entry, len(splits["train"][1]))
    return splits, class_names


def _check_enough(entry: Mapping[str, Any], available: int) -> None:
    if (entry.get("train_images") or 0) > available:
        raise ValueError(
            f"datasets[].train_images: {entry['train_images']} asked for, but {entry['name']} has"
            f" {available} training images in {entry['source']}; lower it"
        )


def _write_arrays(file: h5py.File, splits: Splits) -> None:
    for split, (images, labels) in splits.items():
        group = file.create_group(split)
        chunks = (min(len(images), 500), *images.shape[1:])
        group.create_dataset("images", data=images, chunks=chunks, fletcher32=True)
        group.create_dataset("labels", data=labels.astype(np.int64), fletcher32=True)
        file.attrs[f"sha256_{split}"] = records.digest(images, labels)
    spectrum = mean_spectrum(splits["test"][0])
    file["test"].create_dataset("spectrum", data=spectrum, fletcher32=True)
    file.attrs["mean"], file.attrs["std"] = _pixel_moments(splits["train"][0])


def _pixel_moments(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation (3,) of the pixels in [0, 1], from exact sums of integers.

    The deviations themselves would be eight times as large as the images.
    """
    pixels, axes = images[..., 0].size, (0, 1, 2)
    mean = images.sum(axes, dtype=np.int64) / pixels
    squares = np.square(images, dtype=np.uint16).sum(axes, dtype=np.int64) / pixels
    return mean / 255, np.sqrt(squares - mean**2) / 255


def _describe(file: h5py.File, entry: Mapping[str, Any], class_names: list[str]) -> None:
    file.attrs["dataset"] = entry["name"]
    file.attrs["classes"] = json.dumps(class_names)


def read_split(path: Path, split: str, images: int | None = None, seed: int = 0) -> Split:
    """One split of a canonical file; `images` keeps a class-balanced subset drawn with `seed`.

    Raises ValueError naming the config key when there are fewer images than that.
    """
    with open_hdf5(path, "train", "test") as file:
        labels = file[split]["labels"][:]
        if images is not None and images > len(labels):
            raise ValueError(
                f"datasets[].train_images: {images} asked for, but {path} has {len(labels)} {split}"
                " images; lower it"
            )
        keep = slice(None) if images is None else balanced_subset(labels, images, seed)
        stored = stored_images(file, split)
        return Split(
            images=stored.chosen(keep) if isinstance(stored, ImageFiles) else stored[:][keep],
            labels=labels[keep],
            mean=file.attrs["mean"],
            std=file.attrs["std"],
            classes=len(json.loads(file.attrs["classes"])),
        )


def data_digests(path: Path) -> dict[str, str]:
    """The digest of the records of each split."""
    with open_hdf5(path) as file:
        return {split: str(file.attrs[f"sha256_{split}"]) for split in ("train", "test")}


def read_summary(path: Path) -> dict:
    """Dataset name, class names, digests, and mean and std of the training images."""
    with open_hdf5(path) as file:
        return {
            "dataset": file.attrs["dataset"],
            "classes": json.loads(file.attrs["classes"]),
            "sha256_train": file.attrs["sha256_train"],
            "sha256_test": file.attrs["sha256_test"],
            "mean": file.attrs["mean"].tolist(),
            "std": file.attrs["std"].tolist(),
        }
