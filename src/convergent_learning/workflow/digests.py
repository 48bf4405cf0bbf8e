"""Digests of files and folders, as provenance records name them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from convergent_learning.workflow.stamps import read_stamp


def digest(path: Path) -> str:
    """`sha256:…` of a file's bytes; of a folder `tree:…` of its files' names and sizes.

    Folders hold activations, which live for one job, or a user's images, which may be many: their
    bytes are not read. A file that carries a stamp adds its stamp, so that activations of other
    weights or stimuli have another digest.
    """
    path = Path(path)
    if not path.is_dir():
        with open(path, "rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
    tree = hashlib.sha256()
    for file in sorted(path.rglob("*")):
        if file.is_file() and not file.name.startswith("."):
            stamp = read_stamp(file) if file.suffix == ".h5" else None
            about = [str(file.relative_to(path)), file.stat().st_size, stamp]
            tree.update(json.dumps(about, sort_keys=True).encode())
    return f"tree:{tree.hexdigest()}"


def digest_of_values(values: Any) -> str:
    """`sha256:…` of JSON values; what JSON does not know is taken by its text."""
    text = json.dumps(values, sort_keys=True, default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def declared(path: Path) -> dict[str, str]:
    """Digests that an HDF5 file states of its own content: of raw data, stimuli, weights."""
    if Path(path).suffix != ".h5":
        return {}
    import h5py

    with h5py.File(path, "r") as file:
        return {
            name: value
            for name, value in file.attrs.items()
            if isinstance(value, str) and (name.startswith("sha256_") or name.endswith("_digest"))
        }
