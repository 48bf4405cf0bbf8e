"""92 object images with dissimilarities in human and monkey inferior temporal cortex.

Kriegeskorte, Mur, Ruff, Kiani, Bodurka, Esteky, Tanaka & Bandettini (2008), Neuron 60: fMRI of four
people in two sessions, and 674 neurons of two monkeys. Two MATLAB files of the public repository
rsagroup/rsatoolbox, proved by their sha256 digests. Rights in the images are others', so they are
not part of this repository.
"""

from __future__ import annotations

import gzip
import http.client
import shutil
import tarfile
import urllib.request
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np

from convergent_learning.files import sha256_of
from convergent_learning.recordings.recording import System
from convergent_learning.recordings.values import system_of

NAME = "objects92"
HUMAN, MONKEY = "human IT", "monkey IT"

_HUMAN_FILE = "92_brainRDMs.mat"
_MONKEY_FILE = "Kriegeskorte_Neuron2008_supplementalData.mat"
SHA256 = {
    _HUMAN_FILE: "1743f90a15e895798a94318649e80e1123a7e5943a1703fa1dd7c31ea5780b7c",
    _MONKEY_FILE: "06f21214399a5d43dc264eed19a7f4b8daf11c8622a59eec3e106064ce5e3504",
}
_FOLDER_URL = "https://raw.githubusercontent.com/rsagroup/rsatoolbox/main/demos/92imageData"
_TIMEOUT_S = 60
_NOT_WHOLE = (tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError)


class DownloadError(RuntimeError):
    """The files could not be downloaded; the message says what to do without a connection."""


def read_objects92(source: str | None, scratch: Path) -> tuple[np.ndarray, tuple[System, ...]]:
    """The images (92, 175, 175, 3) uint8, and the systems ``human IT`` and ``monkey IT``.

    Parameters
    ----------
    source : str or None
        A folder that has the two files at any depth, or a zip or tar archive of them; None
        downloads them.
    scratch : path
        An existing folder for the files of an archive or a download.

    Returns
    -------
    images, systems
        Dissimilarities are 1 − Pearson's r between response patterns: (4, 2, 92, 92) of humans,
        subjects × sessions, and (1, 1, 92, 92) of monkeys, which are one subject.

    Raises
    ------
    FileNotFoundError
        For a source that does not exist or lacks one of the files.
    ValueError
        For a source that is no whole archive, and for a file with another digest.
    DownloadError
        When a download fails.
    """
    paths = _downloaded(scratch) if source is None else _local(Path(source), scratch)
    for name, path in paths.items():
        digest = sha256_of(path)
        if digest != SHA256[name]:
            place = f"{_FOLDER_URL}/{name}" if source is None else source
            raise ValueError(
                f"{place}: {name} is not the published file, its sha256 is {digest} and not"
                f" {SHA256[name]}"
            )
    return _read_files(paths)


def missing_files(folder: Path) -> list[str]:
    """Names of the files that are neither in `folder` nor below it."""
    return [name for name in SHA256 if _below(folder, name) is None]


def local_files(folder: Path) -> list[Path]:
    """The files that are in or below `folder`."""
    return [path for name in SHA256 if (path := _below(folder, name)) is not None]


def _below(folder: Path, name: str) -> Path | None:
    return next((path for path in sorted(folder.rglob(name)) if path.is_file()), None)


def _downloaded(scratch: Path) -> dict[str, Path]:
    for name in SHA256:
        url = f"{_FOLDER_URL}/{name}"
        try:
            with urllib.request.urlopen(url, timeout=_TIMEOUT_S) as response:
                _copy(response, scratch / name)
        except (OSError, http.client.HTTPException) as error:
            raise DownloadError(
                f"{NAME}: {url} could not be downloaded ({error}). To use a local copy, set"
                " `source:` of the recording in the config to a folder with"
                f" {' and '.join(SHA256)}, or to an archive of them"
            ) from error
    return {name: scratch / name for name in SHA256}


def _local(source: Path, scratch: Path) -> dict[str, Path]:
    if not source.exists():
        raise FileNotFoundError(f"{source} does not exist")
    if source.is_dir():
        found = {path.name: path for path in local_files(source)}
    else:
        found = _unpacked(source, scratch)
    absent = [name for name in SHA256 if name not in found]
    if absent:
        raise FileNotFoundError(f"{source} has no {' and no '.join(absent)}")
    return found


def _unpacked(source: Path, scratch: Path) -> dict[str, Path]:
    """The files that a zip or tar archive has, copied out under the names that are looked for.

    No name in the archive is used as a path, so none can lead out of `scratch`.
    """
    try:
        members = _zip_members if zipfile.is_zipfile(source) else _tar_members
        for name, content in members(source):
            _copy(content, scratch / name)
    except _NOT_WHOLE as error:
        raise ValueError(f"{source} is no whole zip or tar archive ({error})") from error
    return {name: scratch / name for name in SHA256 if (scratch / name).is_file()}


def _zip_members(source: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(source) as archive:
        for member in archive.infolist():
            name = PurePosixPath(member.filename).name
            if name in SHA256 and not member.is_dir():
                with archive.open(member) as content:
                    yield name, content


def _tar_members(source: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(source) as archive:
        for member in archive:
            name = PurePosixPath(member.name).name
            if name in SHA256 and member.isfile():
                content = archive.extractfile(member)
                assert content is not None, "a regular file has contents"
                with content:
                    yield name, content


def _copy(content: IO[bytes], path: Path) -> None:
    with open(path, "wb") as out:
        shutil.copyfileobj(content, out)


def _read_files(paths: dict[str, Path]) -> tuple[np.ndarray, tuple[System, ...]]:
    from scipy.io import loadmat
    from scipy.spatial.distance import squareform

    human = loadmat(paths[_HUMAN_FILE])["RDMs"]
    supplement = loadmat(paths[_MONKEY_FILE])
    people, sessions = human.shape[1:]
    by_session = [[human[0, p, s]["RDM"] for s in range(sessions)] for p in range(people)]
    both = supplement["RDMs_mIT_hIT_fig1"].ravel()
    # MATLAB's squareform goes through the upper triangle row by row, as scipy's does.
    monkey = next(squareform(one["RDM"].ravel()) for one in both if _text(one).startswith("mIT"))
    images = np.stack([one["image"] for one in supplement["stimuli_92objs"].ravel()])
    return images, (
        system_of(HUMAN, "dissimilarities", np.array(by_session), _HUMAN_FILE),
        system_of(MONKEY, "dissimilarities", monkey, _MONKEY_FILE),
    )


def _text(one: Any) -> str:
    return str(one["name"].item())
