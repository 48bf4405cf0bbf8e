"""CIFAR-100 (Krizhevsky 2009) with its 100 fine labels, from torchvision's downloader or a copy.

Proved by the MD5 digests that torchvision knows of the archive and of each pickled file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from convergent_learning.datasets.catalogue import DATASETS
from convergent_learning.datasets.records import Splits
from convergent_learning.datasets.sources import first_good, folder_with, quiet_download, unpacked


def fetch(workdir: Path, source: str | None = None) -> Splits:
    """CIFAR-100 from torchvision's downloader, else the local copy `source`.

    Parameters and returns as `cifar10.fetch`. Raises NoSourceError when no source has the files of
    the official distribution.
    """
    attempts = [("torchvision's downloader", lambda: _from_torchvision(workdir, download=True))]
    if source is not None:
        attempts.append((f"local copy {source}", lambda: _from_local(Path(source), workdir)))
    return first_good(
        "CIFAR-100", attempts, "cifar-100-python.tar.gz or the folder that it unpacks to"
    )


def _from_torchvision(root: Path, download: bool) -> Splits:
    from torchvision.datasets import CIFAR100  # checks MD5 before it unpickles

    with quiet_download():
        parts = {
            "train": CIFAR100(str(root), train=True, download=download),
            "test": CIFAR100(str(root), train=False, download=download),
        }
    if tuple(parts["train"].classes) != DATASETS["cifar100"].class_names:
        raise ValueError("its class names are not those of CIFAR-100")
    return {split: (part.data, np.asarray(part.targets)) for split, part in parts.items()}


def _from_local(source: Path, workdir: Path) -> Splits:
    folder = folder_with(unpacked(source, workdir), ["test"])
    if folder is None or folder.name != "cifar-100-python":
        raise FileNotFoundError(f"{source} has no folder cifar-100-python with the file test")
    return _from_torchvision(folder.parent, download=False)
