"""The two packagings of the CIFAR distributions, binary records and Python pickles, of any size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from convergent_learning.datasets.pickles import read_pickle
from convergent_learning.datasets.records import Splits, channels_last
from convergent_learning.datasets.sources import folder_with, unpacked

_SIDE = 32
_PIXELS = 3 * _SIDE**2


@dataclass(frozen=True)
class _Layout:
    """Names of the files of a distribution; `.bin` is added to those of records.

    Records begin with `label_bytes` labels, the last of which counts.
    """

    train: tuple[str, ...]
    test: str
    label_bytes: int
    label_key: str
    names_pickle: str
    names_key: str
    names_text: str


_LAYOUTS = {
    "cifar10": _Layout(
        train=tuple(f"data_batch_{number}" for number in range(1, 6)),
        test="test_batch",
        label_bytes=1,
        label_key="labels",
        names_pickle="batches.meta",
        names_key="label_names",
        names_text="batches.meta.txt",
    ),
    "cifar100": _Layout(
        train=("train",),
        test="test",
        label_bytes=2,
        label_key="fine_labels",
        names_pickle="meta",
        names_key="fine_label_names",
        names_text="fine_label_names.txt",
    ),
}


def read_cifar(source: Path, layout: str, workdir: Path) -> tuple[Splits, list[str] | None]:
    """Splits of a folder or archive with the files of a CIFAR distribution, and its class names.

    Parameters
    ----------
    source : folder that has the files, at any depth, or tar archive of one.
    layout : ``cifar10`` or ``cifar100`` (fine labels).
    workdir : scratch folder to unpack an archive in; the caller deletes it.

    Returns the splits, images (n, 32, 32, 3) uint8 and labels (n,) int64, and the names of the
    distribution's file of names, None if there is none. Training batches that are missing are left
    out. Raises FileNotFoundError for no such files, ValueError naming a file of another content.
    """
    files = _LAYOUTS[layout]
    root = unpacked(source, workdir)
    for suffix, read in ((".bin", _read_binary), ("", _read_pickle)):
        folder = folder_with(root, [files.test + suffix])
        if folder is not None:
            return _read(folder, files, suffix, read), _class_names(folder, files)
    raise FileNotFoundError(
        f"{source} holds no {files.test}.bin and no {files.test}, the test images of the layout"
        f" {layout}"
    )


_Part = tuple[np.ndarray, np.ndarray]


def _read(folder: Path, files: _Layout, suffix: str, read: Callable[[Path, _Layout], _Part]):
    train = [folder / f"{name}{suffix}" for name in files.train]
    there = [path for path in train if path.is_file()]
    if not there:
        names = ", ".join(path.name for path in train)
        raise FileNotFoundError(f"{folder} holds no training images ({names})")
    parts = [read(path, files) for path in there]
    return {
        "train": tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True)),
        "test": read(folder / f"{files.test}{suffix}", files),
    }


def _read_binary(path: Path, files: _Layout) -> _Part:
    raw = np.fromfile(path, dtype=np.uint8)
    length = files.label_bytes + _PIXELS
    if not len(raw) or len(raw) % length:
        raise ValueError(f"{path}: {len(raw)} bytes are no whole number of records of {length}")
    labels, pixels = np.split(raw.reshape(-1, length), [files.label_bytes], axis=1)
    return channels_last(pixels, _SIDE), labels[:, -1].astype(np.int64)


def _read_pickle(path: Path, files: _Layout) -> _Part:
    batch = _named(path, read_pickle(path), "data", files.label_key)
    pixels, labels = np.asarray(batch["data"]), np.asarray(batch[files.label_key])
    if pixels.dtype != np.uint8 or pixels.shape != (len(labels), _PIXELS) or not len(labels):
        raise ValueError(
            f"{path}: `data` is {pixels.dtype} {pixels.shape} for {len(labels)} labels, not uint8"
            f" (n, {_PIXELS}) with a label each"
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
        raise ValueError(f"{path}: `{files.label_key}` are not whole numbers from 0")
    return channels_last(pixels, _SIDE), labels.astype(np.int64)


def _class_names(folder: Path, files: _Layout) -> list[str] | None:
    pickled, text = folder / files.names_pickle, folder / files.names_text
    if pickled.is_file():
        names = _named(pickled, read_pickle(pickled), files.names_key)[files.names_key]
        return [name.decode() if isinstance(name, bytes) else str(name) for name in names]
    if text.is_file():
        return [line.strip() for line in text.read_text().splitlines() if line.strip()]
    return None


def _named(path: Path, content: object, *keys: str) -> dict:
    """The pickled mapping with text keys; ValueError unless it has `keys`."""
    if isinstance(content, dict):
        content = {k.decode() if isinstance(k, bytes) else k: v for k, v in content.items()}
        if set(keys) <= set(content):
            return content
    raise ValueError(f"{path} is no mapping with {' and '.join(f'`{key}`' for key in keys)}")
