"""ImageNet's layout, ``train/<class>/`` and ``val/<class>/``: what the canonical file holds of it.

The images stay where they are. Listing the folders finds what is wrong with them before the long
work: one pass over all images for the normalisation and the mean spectrum.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from convergent_learning.datasets.catalogue import image_size
from convergent_learning.images.image_files import SUFFIXES, ImageFiles, is_image, visible_files
from convergent_learning.images.spectra import mean_spectrum
from convergent_learning.progress import track

FOLDERS = {"train": "train", "test": "val"}
_IMAGES_AT_A_TIME = 512  # as many futures are held at once


@dataclass(frozen=True)
class Listing:
    """Files of a split by class, then name: `names` (n,) bytes in UTF-8, `labels` (n,) int64.

    `digest` is the sha256 of names and sizes in bytes. The bytes themselves would take hours for
    ImageNet (140 GB), so an edit that keeps the size of a file is not seen.
    """

    names: np.ndarray
    labels: np.ndarray
    digest: str


def list_folders(source: Path, classes: list[str] | None) -> tuple[list[str], dict[str, Listing]]:
    """Class names and the listings of ``train`` and ``test`` below `source`.

    Parameters
    ----------
    source : folder with ``train/<class>/`` and ``val/<class>/``, images at any depth below.
    classes : names of the classes to keep, None for all. Their order does not matter: labels
        follow the sorted names.

    Hidden files are passed over. Raises ValueError naming the folder, file or key at fault: a
    missing folder, a class of `classes` or of ``val`` that ``train`` lacks, an empty class, a file
    that is no image by its suffix, an image in no class folder.
    """
    there = {split: _class_folders(source, folder) for split, folder in FOLDERS.items()}
    if strange := sorted(set(there["test"]) - set(there["train"])):
        raise ValueError(
            f"{source / FOLDERS['test'] / strange[0]} is a class that {source / FOLDERS['train']}"
            f" lacks ({len(strange)} such classes): give both splits the same folder names"
        )
    if missing := sorted(set(classes or ()) - set(there["train"])):
        raise ValueError(
            f"datasets[].classes: {source / FOLDERS['train']} has no folder {', '.join(missing)}"
        )
    names = sorted(there["train"] if classes is None else set(classes))
    return names, {
        split: _list(source / folder, names, set(there[split])) for split, folder in FOLDERS.items()
    }


def write_listings(
    file: h5py.File, entry: Mapping[str, Any], listings: dict[str, Listing], threads: int
) -> None:
    """Fill an HDF5 file with the listings, and with what one pass over all images gives.

    Attributes `root`, `image_size`, `sha256_train`, `sha256_test`, and `mean` and `std` (3,) over
    the centres of all training images, scaled to [0, 1]; groups as `canonical` says. The same
    numbers whatever `threads`, the number of images that are decoded at once. Raises ValueError
    naming an image that cannot be read.
    """
    source, size = Path(entry["source"]).resolve(), image_size(entry)
    file.attrs.update({"root": str(source), "image_size": size})
    images = {}
    for split, listing in listings.items():
        group = file.create_group(split)
        group.attrs["folder"] = FOLDERS[split]
        group.create_dataset("files", data=listing.names, fletcher32=True)
        group.create_dataset("labels", data=listing.labels, fletcher32=True)
        file.attrs[f"sha256_{split}"] = listing.digest
        images[split] = ImageFiles(source / FOLDERS[split], listing.names, size)
    # Counts of each value: exact, so the order of the images does not matter.
    counts = _total(images["train"], _histogram, threads, f"normalisation of {entry['name']}")
    values = np.arange(256) / 255
    mean = counts @ values / counts.sum(axis=1)
    variance = (counts * (values - mean[:, None]) ** 2).sum(axis=1) / counts.sum(axis=1)
    file.attrs.update({"mean": mean, "std": np.sqrt(variance)})
    spectra = _total(images["test"], _spectrum, threads, f"mean spectrum of {entry['name']}")
    spectrum = spectra / len(images["test"])
    file["test"].create_dataset("spectrum", data=spectrum, fletcher32=True)


def _class_folders(source: Path, folder: str) -> list[str]:
    if not (source / folder).is_dir():
        raise ValueError(
            f"datasets[].source: no folder {source / folder}; the layout imagefolder is"
            " <source>/train/<class>/ and <source>/val/<class>/"
        )
    names = []
    for found in os.scandir(source / folder):
        if found.is_dir() and not found.name.startswith("."):
            names.append(found.name)
        elif is_image(found.name) and not found.name.startswith("."):
            raise ValueError(f"{found.path} is in no class folder: move it into one")
    if not names:
        raise ValueError(f"{source / folder} has no class folders")
    return names


def _list(folder: Path, class_names: list[str], there: set[str]) -> Listing:
    digest = hashlib.sha256()
    names: list[bytes] = []
    labels: list[int] = []
    for label, name in enumerate(class_names):
        found = sorted(visible_files(folder / name)) if name in there else []
        if not found and (name in there or folder.name == FOLDERS["train"]):
            raise ValueError(f"{folder / name} has no images: add some or remove the folder")
        for path in found:
            if not is_image(path):
                raise ValueError(
                    f"{path} is no image by its name (images end in {', '.join(SUFFIXES)}): move it"
                    " elsewhere"
                )
            relative = os.path.relpath(path, folder).encode()
            digest.update(b"%s\0%d\n" % (relative, os.path.getsize(path)))
            names.append(relative)
            labels.append(label)
    if not names:
        raise ValueError(f"{folder} has no images of the classes {', '.join(class_names)}")
    return Listing(np.array(names), np.array(labels, dtype=np.int64), digest.hexdigest())


def _total(
    images: ImageFiles, function: Callable[[np.ndarray], np.ndarray], threads: int, purpose: str
) -> np.ndarray:
    """Sum of `function` over all images, in their order."""
    total = np.zeros((), dtype=np.int64)
    with ThreadPoolExecutor(threads) as pool:
        for start in track(range(0, len(images), _IMAGES_AT_A_TIME), purpose):
            rows = range(start, min(start + _IMAGES_AT_A_TIME, len(images)))
            for part in pool.map(lambda row: function(images[row]), rows):
                total = total + part
    return total


def _histogram(image: np.ndarray) -> np.ndarray:
    return np.stack([np.bincount(image[..., c].ravel(), minlength=256) for c in range(3)])


def _spectrum(image: np.ndarray) -> np.ndarray:
    return mean_spectrum(image[None])
