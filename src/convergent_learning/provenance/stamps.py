"""A job's record inside the files it made: HDF5, Parquet, PNG and PDF; others have no room for it.

Stamping changes no number and no pixel. PDFs get theirs while they are saved (`pdf_metadata`).
"""

from __future__ import annotations

import contextlib
import json
import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convergent_learning.files import replace_when_done

_KEY = "provenance"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_current: dict[str, Any] | None = None


@contextlib.contextmanager
def current_record(record: dict[str, Any]) -> Iterator[None]:
    """Within the block PDFs are saved with `record`."""
    global _current
    before, _current = _current, record
    try:
        yield
    finally:
        _current = before


def pdf_metadata() -> dict[str, str]:
    """What to add to the metadata of a PDF that is saved now; nothing outside a job."""
    return {} if _current is None else {"Keywords": _text(_current)}


def stamp(path: Path, record: dict[str, Any]) -> None:
    """Write `record` into the file `path`, or into each HDF5 file of a folder."""
    path = Path(path)
    if path.is_dir():
        for file in sorted(path.rglob("*.h5")):
            _stamp_hdf5(file, record)
    elif path.suffix in _WRITERS:
        _WRITERS[path.suffix](path, record)


def read_stamp(path: Path) -> dict[str, Any] | None:
    """The record in a file, or None if it has none."""
    path = Path(path)
    text = _READERS[path.suffix](path) if path.suffix in _READERS else None
    return None if text is None else json.loads(text)


def _text(record: dict[str, Any]) -> str:
    """ASCII, as PNG and PDF text is."""
    return json.dumps(record, sort_keys=True)


def _stamp_hdf5(path: Path, record: dict[str, Any]) -> None:
    import h5py
    import numpy as np

    with h5py.File(path, "r+") as file:
        # As a dataset of bytes where it is longer than an attribute may be (64 KiB).
        text = _text(record).encode()
        file.attrs.pop(_KEY, None)
        if _KEY in file:
            del file[_KEY]
        if len(text) < 60_000:
            file.attrs[_KEY] = text.decode()
        else:
            file[_KEY] = np.frombuffer(text, dtype=np.uint8)


def _read_hdf5(path: Path) -> str | None:
    import h5py

    with h5py.File(path, "r") as file:
        if _KEY in file:
            return file[_KEY][:].tobytes().decode()
        return file.attrs.get(_KEY)


def _stamp_parquet(path: Path, record: dict[str, Any]) -> None:
    from pyarrow import parquet

    table = parquet.read_table(path)
    metadata = {**(table.schema.metadata or {}), _KEY.encode(): _text(record).encode()}
    with replace_when_done(path) as partial:
        parquet.write_table(table.replace_schema_metadata(metadata), partial)


def _read_parquet(path: Path) -> str | None:
    from pyarrow import parquet

    text = (parquet.read_schema(path).metadata or {}).get(_KEY.encode())
    return None if text is None else text.decode()


def _stamp_png(path: Path, record: dict[str, Any]) -> None:
    """Insert a tEXt chunk after the header chunk (PNG specification, 11.3.4.3)."""
    content = path.read_bytes()
    data = b"tEXt" + _KEY.encode() + b"\0" + _text(record).encode()
    chunk = struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    after_header = len(_PNG_START) + 12 + struct.unpack(">I", content[8:12])[0]
    with replace_when_done(path) as partial:
        partial.write_bytes(content[:after_header] + chunk + content[after_header:])


def _read_png(path: Path) -> str | None:
    content = path.read_bytes()
    position = len(_PNG_START)
    while position < len(content):
        (length,) = struct.unpack(">I", content[position : position + 4])
        kind = content[position + 4 : position + 8]
        data = content[position + 8 : position + 8 + length]
        if kind == b"tEXt" and data.startswith(_KEY.encode() + b"\0"):
            return data.partition(b"\0")[2].decode()
        position += 12 + length
    return None


def _read_pdf(path: Path) -> str | None:
    found = re.search(rb"/Keywords \(((?:[^()\\]|\\.)*)\)", path.read_bytes(), re.DOTALL)
    return None if found is None else re.sub(rb"\\(.)", rb"\1", found[1]).decode()


_WRITERS = {".h5": _stamp_hdf5, ".parquet": _stamp_parquet, ".png": _stamp_png}
_READERS = {".h5": _read_hdf5, ".parquet": _read_parquet, ".png": _read_png, ".pdf": _read_pdf}
