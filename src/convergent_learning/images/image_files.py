"""Image files: found in folders, opened, and read, scaled and cropped when they are asked for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from convergent_learning.files import DamagedFileError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")

# Of the ImageNet evaluation: the centre 224 pixels of an image whose shorter side is 256.
_MARGIN = 256 / 224


def visible_files(folder: str | Path) -> Iterator[str]:
    """Paths of the files below `folder`, at any depth, links followed and hidden ones left out."""
    for place, inner, files in os.walk(folder, followlinks=True):
        inner[:] = [name for name in inner if not name.startswith(".")]
        yield from (os.path.join(place, name) for name in files if not name.startswith("."))


def is_image(path: str) -> bool:
    """Whether a file is an image by its name."""
    return path.lower().endswith(SUFFIXES)


@contextlib.contextmanager
def opened_image(path: Path) -> Iterator[Image.Image]:
    """An image file of which only the header is read; ValueError naming it if it is broken."""
    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError:
        raise
    except Exception as error:  # broken images raise many types
        raise ValueError(f"{path} cannot be read as an image ({error})") from error


def read_image(path: Path) -> Image.Image:
    """An 8-bit image as RGB; orientation in EXIF data is ignored.

    Raises ValueError naming a file that is broken or has more bits: Pillow would clip them to 255
    without a word.
    """
    with opened_image(path) as image:
        if image.mode[0] in "IF":
            raise ValueError(f"its pixels have more than 8 bits, mode {image.mode}")
        return image.convert("RGB")


def image_size(path: Path) -> tuple[int, int]:
    """Width and height of an image file in pixels, from its header alone.

    Raises ValueError naming a file that is broken, or has more pixels than Pillow takes for safe.
    """
    try:
        with opened_image(path) as image:
            return image.size
    except ValueError as error:
        if isinstance(error.__cause__, Image.DecompressionBombError):
            raise ValueError(
                f"{path} has more pixels than can be read safely: scale it down or remove it"
            ) from error
        raise


class ImageFiles:
    """Images (n, size, size, 3) uint8 of files, indexed like an array along the first axis.

    Each is read as RGB, its shorter side scaled to size·256/224 (bilinear, antialiased) and its
    centre cropped: torchvision's evaluation preset, on the same bytes.

    `root` is the folder that the `names`, (n,) bytes in UTF-8, are relative to. Indexing raises
    ValueError naming a file that cannot be read as an 8-bit image.
    """

    dtype = np.dtype(np.uint8)

    def __init__(self, root: Path, names: np.ndarray, size: int):
        self.root, self.names, self.size = Path(root), names, size

    def __len__(self) -> int:
        return len(self.names)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (len(self), self.size, self.size, 3)

    def __getitem__(self, rows: int | slice | np.ndarray) -> np.ndarray:
        if isinstance(rows, int | np.integer):
            return centre(self.read(rows), self.size)
        chosen = np.arange(len(self))[rows]
        images = np.empty((len(chosen), *self.shape[1:]), dtype=np.uint8)
        for position, row in enumerate(chosen):
            images[position] = self[row]
        return images

    def chosen(self, rows: slice | np.ndarray) -> ImageFiles:
        """The images of `rows`, none of them read."""
        return ImageFiles(self.root, self.names[rows], self.size)

    def read(self, row: int) -> Image.Image:
        """Image `row` in the size of its file, see `read_image`."""
        path = self.root / self.names[row].decode()
        try:
            return read_image(path)
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{path} is gone: put the images back, or set `source` of the dataset to where they"
                " are now"
            ) from None


def centre(image: Image.Image, size: int) -> np.ndarray:
    """The centre (size, size, 3) of the image with its shorter side scaled to size·256/224."""
    shorter = round(size * _MARGIN)
    scaled = [
        shorter if side == min(image.size) else int(shorter * side / min(image.size))
        for side in image.size
    ]
    image = image.resize(scaled, Image.Resampling.BILINEAR)
    left, top = (round((side - size) / 2) for side in image.size)
    return np.asarray(image.crop((left, top, left + size, top + size)))


def stored_images(file: h5py.File, split: str) -> h5py.Dataset | ImageFiles:
    """Images of a split of an open canonical file: its array, or the files that it names."""
    group = file[split]
    if "files" in group:
        root = Path(file.attrs["root"]) / group.attrs["folder"]
        return ImageFiles(root, group["files"][:], int(file.attrs["image_size"]))
    if "images" not in group:
        raise DamagedFileError(Path(file.filename), f"it has no {split}/images")
    return group["images"]
