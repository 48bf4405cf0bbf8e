"""A job's record inside the files it made: HDF5, Parquet, PNG and PDF; others have no room for it.

Stamping changes no number and no pixel. Figures get theirs while they are saved (`record_text`).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from convergent_learning.files import replace_when_done

_KEY = "provenance"


def record_text(record: dict[str, Any]) -> str:
    """A record as ASCII, as PNG and PDF text is."""
    return json.dumps(record, sort_keys=True)


def stamp(path: Path, record: dict[str, Any]) -> None:
    """Write `record` into the file `path`, or into each HDF5 file of a folder."""
    path = Path(path)
    if path.is_dir():
        for file in sorted(path.rglob("*.h5")):
            _stamp_hdf5(file, record_text(record))
    elif path.suffix in _WRITERS and read_stamp(path) != record:
        _WRITERS[path.suffix](path, record_text(record))


def read_stamp(path: Path) -> dict[str, Any] | None:
    """The record in a file, or None if it has none."""
    path = Path(path)
    text = _READERS[path.suffix](path) if path.suffix in _READERS else None
    return None if text is None else json.loads(text)


def _stamp_hdf5(path: Path, text: str) -> None:
    import h5py
    import numpy as np

    with h5py.File(path, "r+") as file:
        # As a dataset of bytes where it is longer than an attribute may be (64 KiB).
        file.attrs.pop(_KEY, None)
        if _KEY in file:
            del file[_KEY]
        if len(text) < 60_000:
            file.attrs[_KEY] = text
        else:
            stored = np.frombuffer(text.encode(), dtype=np.uint8)
            file.create_dataset(_KEY, data=stored, fletcher32=True)


def _read_hdf5(path: Path) -> str | None:
    import h5py

    with h5py.File(path, "r") as file:
        if _KEY in file:
            return file[_KEY][:].tobytes().decode()
        return file.attrs.get(_KEY)


def _stamp_parquet(path: Path, text: str) -> None:
    from pyarrow import parquet

    table = parquet.read_table(path, page_checksum_verification=True)
    metadata = {**(table.schema.metadata or {}), _KEY.encode(): text.encode()}
    stamped = table.replace_schema_metadata(metadata)
    with replace_when_done(path) as partial:
        parquet.write_table(stamped, partial, write_page_checksum=True)


def _read_parquet(path: Path) -> str | None:
    from pyarrow import parquet

    text = (parquet.read_schema(path).metadata or {}).get(_KEY.encode())
    return None if text is None else text.decode()


def _stamp_png(path: Path, text: str) -> None:
    from PIL import Image, PngImagePlugin

    about = PngImagePlugin.PngInfo()
    about.add_text(_KEY, text)
    with Image.open(path) as picture, replace_when_done(path) as partial:
        picture.save(partial, format="png", pnginfo=about)


def _read_png(path: Path) -> str | None:
    from PIL import Image

    with Image.open(path) as picture:
        return picture.info.get(_KEY)


def _read_pdf(path: Path) -> str | None:
    found = re.search(rb"/Keywords \(((?:[^()\\]|\\.)*)\)", path.read_bytes(), re.DOTALL)
    return None if found is None else re.sub(rb"\\(.)", rb"\1", found[1]).decode()


_WRITERS = {".h5": _stamp_hdf5, ".parquet": _stamp_parquet, ".png": _stamp_png}
_READERS = {".h5": _read_hdf5, ".parquet": _read_parquet, ".png": _read_png, ".pdf": _read_pdf}
