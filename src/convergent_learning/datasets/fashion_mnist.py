"""Fashion-MNIST (Xiao et al. 2017), and any set of 28-pixel grey images in the same idx files.

Images become 32 pixels wide by a border of 2 zero pixels, with three equal channels.
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from convergent_learning.datasets.records import Splits
from convergent_learning.datasets.sources import first_good, folder_with, quiet_download, unpacked

_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_SIDE, _BORDER = 28, 2
_UNSIGNED_BYTES = 8  # the type of values in an idx header


def fetch(workdir: Path, source: str | None = None) -> Splits:
    """Fashion-MNIST from torchvision's downloader, else the local copy `source`.

    Parameters and returns as `cifar10.fetch`. Raises NoSourceError when no source has the four
    compressed files with the MD5 digests that torchvision knows.
    """
    attempts = [("torchvision's downloader", lambda: _from_torchvision(workdir))]
    if source is not None:
        attempts.append((f"local copy {source}", lambda: _proved(Path(source), workdir)))
    return first_good(
        "Fashion-MNIST",
        attempts,
        "the folder with the four original files *-ubyte.gz, or a tar archive of it",
    )


def read_idx_set(source: Path, workdir: Path) -> Splits:
    """Splits of a folder or tar archive with the four idx files of MNIST, gzipped or not.

    Raises FileNotFoundError for a missing file, ValueError naming a file of another content.
    """
    folder = _folder(source, workdir)
    return {
        split: _part(*(_existing(folder, name) for name in names))
        for split, names in _FILES.items()
    }


def _from_torchvision(root: Path) -> Splits:
    from torchvision.datasets import FashionMNIST

    with quiet_download():
        FashionMNIST(str(root), download=True)
    return _proved(root, root)


def _proved(source: Path, workdir: Path) -> Splits:
    from torchvision.datasets import FashionMNIST
    from torchvision.datasets.utils import check_integrity

    folder = _folder(source, workdir)
    for name, md5 in FashionMNIST.resources:
        if not check_integrity(str(folder / name), md5):
            raise ValueError(f"{folder / name} does not have the MD5 digest {md5}")
    return {
        split: _part(*(folder / f"{name}.gz" for name in names)) for split, names in _FILES.items()
    }


def _folder(source: Path, workdir: Path) -> Path:
    test_images = _FILES["test"][0]
    folder = folder_with(unpacked(source, workdir), [test_images, f"{test_images}.gz"])
    if folder is None:
        raise FileNotFoundError(f"{source} holds no {test_images} and no {test_images}.gz")
    return folder


def _existing(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.is_file():
            return path
    raise FileNotFoundError(f"{folder} holds no {name} and no {name}.gz")


def _part(images_path: Path, labels_path: Path) -> tuple[np.ndarray, np.ndarray]:
    images, labels = _read_idx(images_path, 3), _read_idx(labels_path, 1)
    if images.shape[1:] != (_SIDE, _SIDE):
        raise ValueError(f"{images_path}: images are {images.shape[1:]}, not ({_SIDE}, {_SIDE})")
    if len(images) != len(labels) or not len(images):
        raise ValueError(f"{images_path}: {len(images)} images, but {len(labels)} labels")
    border = (_BORDER, _BORDER)
    padded = np.pad(images, ((0, 0), border, border))
    return np.repeat(padded[..., None], 3, axis=3), labels.astype(np.int64)


def _read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Array of an idx file: two zero bytes, type, number of dimensions, big-endian sizes, values.

    LeCun, Cortes & Burges, *The MNIST database of handwritten digits*.
    """
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path} is no whole gzip file ({error})") from error
    if content[:4] != bytes((0, 0, _UNSIGNED_BYTES, dimensions)):
        raise ValueError(f"{path} is no idx file of unsigned bytes with {dimensions} dimensions")
    start = 4 + 4 * dimensions
    shape = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
    if len(content) != start + math.prod(shape):
        raise ValueError(f"{path} has {len(content)} bytes, but its header says {shape} values")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)
