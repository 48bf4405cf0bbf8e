"""Stimulus sets from folders of images: one folder a class, or the names of Geirhos et al."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from convergent_learning.images.arrays import SMALLEST_SIDE, batches
from convergent_learning.images.image_files import image_size, is_image, read_image, visible_files
from convergent_learning.randomness import balanced_subset

from .geirhos16 import sixteen_categories
from .registry import families
from .stimulus_files import writing_stimuli

LAYOUTS = ("imagefolder", "geirhos")


def write_folder_set(
    folder: Path,
    layout: str,
    out: Path,
    size: int,
    classes: Sequence[str],
    *,
    name: str,
    dataset: str,
    condition: str = "",
    resize: int | None = None,
    n_images: int | None = None,
    seed: int = 0,
) -> None:
    """Write a folder of images as a stimulus set.

    Parameters
    ----------
    folder : path
        ``imagefolder``: one folder a class, images anywhere below it. ``geirhos``: images anywhere
        below it, named ``number_experiment_subject_condition_category_crop_id.png``.
    layout : str
        ``imagefolder`` or ``geirhos``.
    out : path
        HDF5 file to write.
    size : int
        Side in pixels that the network expects.
    classes : sequence of str
        The network's class names.
    name : str
        ``stimuli`` of the set, for example ``sketch``; no name of a parametric family.
    dataset : str
        Data set of the networks that will see the set.
    condition : str
        ``condition`` of the set. In the ``geirhos`` layout, only its images are taken ("": all).
    resize : int, optional
        The shorter side is scaled to this (bilinear, antialiased) before the centre is cropped;
        by default, to ``size`` itself, but then all images must have one size.
    n_images : int, optional
        At most this many images: of a folder with more, a class-balanced, seeded subset.
    seed : int
        Seed of the subset.

    Raises
    ------
    ValueError
        Naming the folder, file or key: no such folder, no images, an unreadable image, one smaller
        than 8 pixels, mixed sizes without ``resize``, a name that is not of the layout.

    Notes
    -----
    Labels refer to the network's classes if all folder categories are among them (``decision``
    "classes"), else to the 16 categories if the network has 1,000 classes ("sixteen"), else to the
    folder's own categories (""): then there is no accuracy.
    """
    folder = Path(folder)
    _check_request(layout, name, size, resize)
    found = _list_images(folder, layout, condition)
    classes, decision = _label_space(sorted({image.category for image in found}), classes)
    labels = np.array([classes.index(image.category) for image in found])
    index = np.arange(len(found))
    if n_images is not None and n_images < len(found):
        index = balanced_subset(labels, n_images, seed)
    paths = [found[i].path for i in index]
    _check_sizes(folder, paths, resize)
    attributes = {
        "dataset": dataset,
        "classes": json.dumps(list(classes)),
        "decision": decision,
        "paired": False,
        "stimuli": name,
        "condition": condition,
        "seed": seed,
    }
    shape = (len(paths), size, size, 3)
    with writing_stimuli(out, shape, labels[index], index, attributes) as append:
        for rows in batches(len(paths), size * size):
            append(np.stack([_read(path, resize or size, size) for path in paths[rows]]))


def count_images(folder: Path, layout: str, condition: str, enough: int) -> int:
    """Number of images that :func:`write_folder_set` would find, counted up to ``enough``."""
    paths = _image_paths(folder)
    if layout == "geirhos" and condition:
        paths = (path for path in paths if _geirhos_name(path)[0] == condition)
    return sum(1 for _ in itertools.islice(paths, enough))


@dataclass(frozen=True)
class _Image:
    path: Path
    category: str


def _check_request(layout: str, name: str, size: int, resize: int | None) -> None:
    if layout not in LAYOUTS:
        raise ValueError(f"stimuli {name!r}: layout {layout!r} is none of {', '.join(LAYOUTS)}")
    if name == "id" or name in families():
        raise ValueError(f"stimuli {name!r}: the name is that of a built-in set; choose another")
    if size < SMALLEST_SIDE:
        raise ValueError(f"stimuli {name!r}: size {size} is under {SMALLEST_SIDE} pixels")
    if resize is not None and resize < size:
        raise ValueError(f"stimuli {name!r}: resize {resize} is under the network's {size} pixels")


def _list_images(folder: Path, layout: str, condition: str) -> list[_Image]:
    """Images of the folder, by relative path."""
    if not folder.is_dir():
        raise ValueError(f"no folder {folder}: check the path of the stimuli in the configuration")
    paths = sorted(_image_paths(folder))
    if not paths:
        raise ValueError(f"{folder} has no images")
    if layout == "imagefolder":
        loose = [path for path in paths if path.parent == folder]
        if loose:
            raise ValueError(f"{loose[0]} is in no class folder, as the layout imagefolder asks")
        return [_Image(path, path.relative_to(folder).parts[0]) for path in paths]
    parsed = [(path, *_geirhos_name(path)) for path in paths]
    chosen = [_Image(path, category) for path, of, category in parsed if condition in ("", of)]
    if not chosen:
        known = ", ".join(sorted({of for _, of, _ in parsed}))
        raise ValueError(f"{folder} has no images of condition {condition!r}; it has {known}")
    return chosen


def _image_paths(folder: Path) -> Iterator[Path]:
    return map(Path, filter(is_image, visible_files(folder)))


def _geirhos_name(path: Path) -> tuple[str, str]:
    """Condition and category in a file name such as ``0001_ske_dnn_0_airplane_00_….png``."""
    parts = path.stem.split("_", 6)
    if len(parts) != 7 or parts[4] not in sixteen_categories():
        raise ValueError(
            f"{path} is not named number_experiment_subject_condition_category_crop_id with one "
            f"of the 16 categories ({', '.join(sixteen_categories())})"
        )
    return parts[3], parts[4]


def _label_space(found: list[str], classes: Sequence[str]) -> tuple[list[str], str]:
    """Names that labels refer to, and how a network's decision for them is read."""
    if set(found) <= set(classes):
        return list(classes), "classes"
    if len(classes) == 1000 and set(found) <= set(sixteen_categories()):
        return list(sixteen_categories()), "sixteen"
    return found, ""


def _check_sizes(folder: Path, paths: list[Path], resize: int | None) -> None:
    """Refuse images that are too small, or of several sizes when nothing says how to make them one.

    Only headers are read.
    """
    sizes: dict[tuple[int, int], Path] = {}
    for path in paths:
        width, height = image_size(path)
        if min(width, height) < SMALLEST_SIDE:
            raise ValueError(
                f"{path} is {width}×{height} pixels; a side has at least {SMALLEST_SIDE}"
            )
        sizes.setdefault((width, height), path)
    if len(sizes) > 1 and resize is None:
        (one, first), (other, second) = list(sizes.items())[:2]
        raise ValueError(
            f"{folder} has images of mixed sizes ({first.name}: {one[0]}×{one[1]}, {second.name}: "
            f"{other[0]}×{other[1]}); set the key `resize` to scale shorter sides to one length"
        )


def _read(path: Path, resize: int, size: int) -> np.ndarray:
    """The centre (size, size, 3) of the image with its shorter side scaled to ``resize``."""
    image = read_image(path)
    scale = resize / min(image.size)
    if scale != 1:
        scaled = [max(resize, round(side * scale)) for side in image.size]
        image = image.resize(scaled, Image.Resampling.BILINEAR)
    left, top = ((side - size) // 2 for side in image.size)
    return np.asarray(image.crop((left, top, left + size, top + size)))
