"""Files from tar archives, which may come from anywhere."""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path


def unpack_files(archive: tarfile.TarFile, folder: Path) -> None:
    """Write the regular files of a tar archive below `folder`.

    Links, devices and owners are left out. Raises ValueError for a name that leads out of `folder`.
    In place of ``extractall(filter="data")``, which Python has since 3.11.4 only.
    """
    inside, name = Path(folder).resolve(), str(archive.name)
    for member in archive:
        target = (inside / member.name).resolve()
        if not target.is_relative_to(inside):
            raise ValueError(f"{name}: {member.name} leads out of the archive")
        if member.isfile():
            source = archive.extractfile(member)
            assert source is not None, "a regular file has contents"
            target.parent.mkdir(parents=True, exist_ok=True)
            with source, open(target, "wb") as out:
                shutil.copyfileobj(source, out)
