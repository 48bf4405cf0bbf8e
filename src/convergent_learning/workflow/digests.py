"""Digests of values, and those that an HDF5 file states of its content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from convergent_learning.config.paths import PRECISION


def digest_of_values(values: Any) -> str:
    """`sha256:…` of JSON values; what JSON does not know is taken by its text."""
    text = json.dumps(values, sort_keys=True, default=str)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def declared(path: Path) -> dict[str, str]:
    """What a file states of its own content.

    Digests of raw data, stimuli and weights in an HDF5 file; the choice and reason of precision.
    """
    if path.name == Path(PRECISION).name:
        return json.loads(path.read_text(encoding="utf-8"))
    if path.suffix != ".h5":
        return {}
    import h5py

    with h5py.File(path, "r") as file:
        return {
            name: value
            for name, value in file.attrs.items()
            if isinstance(value, str) and (name.startswith("sha256_") or name.endswith("_digest"))
        }
