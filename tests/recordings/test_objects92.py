"""objects92 from a folder, archives and a download: of small files, and of the published ones."""

from __future__ import annotations

import io
import os
import tarfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat
from scipy.spatial.distance import squareform

from convergent_learning.recordings import objects92
from convergent_learning.recordings.canonical import prepare_recording, read_recording, sources

HUMAN, MONKEY = objects92.SHA256


def prepared(tmp_path, source):
    out = tmp_path / "prepared" / "objects92.h5"
    prepare_recording({"name": "objects92", "source": source and str(source)}, out)
    assert list(out.parent.iterdir()) == [out]
    return read_recording(out)


def as_folder(folder, path):
    return folder


def as_zip(folder, path, prefix="demos/"):
    with zipfile.ZipFile(path, "w") as archive:
        for file in folder.rglob("*.mat"):
            archive.write(file, f"{prefix}{file.name}")
        archive.writestr("README.md", "other")
    return path


def as_tar(folder, path, prefix="demos/"):
    with tarfile.open(path, "w:gz") as archive:
        for file in folder.rglob("*.mat"):
            archive.add(file, f"{prefix}{file.name}")
    return path


@pytest.mark.parametrize("packed", [as_folder, as_zip, as_tar])
def test_sources(tmp_path, small_objects92, matrices, images, packed):
    recording = prepared(tmp_path, packed(small_objects92, tmp_path / "packed"))
    np.testing.assert_array_equal(recording.images, images)
    human, monkey = recording.systems
    assert [human.name, monkey.name] == ["human IT", "monkey IT"]
    assert human.kind == monkey.kind == "dissimilarities"
    np.testing.assert_array_equal(human.values, matrices.astype(np.float32))
    np.testing.assert_array_equal(monkey.values, matrices[:1, :1].astype(np.float32))


@pytest.mark.parametrize("packed", [as_zip, as_tar])
def test_an_archive_writes_nothing_outside_its_scratch_folder(tmp_path, small_objects92, packed):
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    archive = packed(small_objects92, tmp_path / "packed", prefix="../../")
    prepared(tmp_path, archive)
    after = {path for path in tmp_path.rglob("*") if path.is_file()}
    assert after - before == {archive, tmp_path / "prepared" / "objects92.h5"}


def test_it_is_made_from_its_two_files(small_objects92):
    entry = {"name": "objects92", "source": str(small_objects92)}
    assert sources(entry) == [str(small_objects92 / "inner" / name) for name in (HUMAN, MONKEY)]
    assert sources({"name": "objects92", "source": "a.zip"}) == ["a.zip"]
    assert sources({"name": "objects92", "source": None}) == []


@pytest.mark.parametrize("name", [HUMAN, MONKEY])
@pytest.mark.parametrize("packed", [as_folder, as_zip, as_tar])
def test_other_bytes_are_refused(tmp_path, small_objects92, name, packed):
    with open(small_objects92 / "inner" / name, "ab") as file:
        file.write(b"x")
    source = packed(small_objects92, tmp_path / "packed")
    with pytest.raises(ValueError, match=f"{source}: {name} is not the published file"):
        prepared(tmp_path, source)
    assert not list((tmp_path / "prepared").iterdir())


def test_a_source_that_lacks_a_file_or_is_no_archive(tmp_path, small_objects92):
    (small_objects92 / "inner" / HUMAN).unlink()
    for source in (small_objects92, as_zip(small_objects92, tmp_path / "packed")):
        with pytest.raises(FileNotFoundError, match=f"{source} has no {HUMAN}"):
            prepared(tmp_path, source)
    (tmp_path / "packed").write_text("no archive")
    with pytest.raises(ValueError, match="packed is no whole zip or tar archive"):
        prepared(tmp_path, tmp_path / "packed")
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        prepared(tmp_path, tmp_path / "nowhere")


def test_a_truncated_archive_is_named(tmp_path, small_objects92):
    path = as_tar(small_objects92, tmp_path / "packed")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ValueError, match="packed is no whole zip or tar archive"):
        prepared(tmp_path, path)


def test_a_download_is_proved_too(tmp_path, small_objects92, monkeypatch):
    asked = []

    def served(url, timeout):
        asked.append(url)
        return io.BytesIO((small_objects92 / "inner" / url.rpartition("/")[2]).read_bytes())

    monkeypatch.setattr(urllib.request, "urlopen", served)
    assert len(prepared(tmp_path, None).systems) == 2
    assert [url.rpartition("/")[2] for url in asked] == [HUMAN, MONKEY]
    with open(small_objects92 / "inner" / MONKEY, "ab") as file:
        file.write(b"x")
    with pytest.raises(ValueError, match=rf"https.*{MONKEY} is not the published file"):
        prepared(tmp_path, None)


def test_a_download_that_fails_says_what_to_do(tmp_path, monkeypatch):
    def refused(url, timeout):
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", refused)
    with pytest.raises(objects92.DownloadError, match=r"no route to host.*set `source:`"):
        prepared(tmp_path, None)


@pytest.fixture
def published():
    """Folder of the published files, where this machine has them."""
    default = Path(__file__).parents[3] / "shared" / "data" / "objects92"
    folder = Path(os.environ.get("OBJECTS92", default))
    if not folder.is_dir():
        pytest.skip("set OBJECTS92 to the folder of the published files")
    return folder


def test_the_published_files(tmp_path, published):
    recording = prepared(tmp_path, published)
    assert recording.images.shape == (92, 175, 175, 3)
    assert recording.digest.startswith("0a319a541bd8cf82")
    human, monkey = recording.systems
    assert human.values.shape == (4, 2, 92, 92)
    assert monkey.values.shape == (1, 1, 92, 92)
    # The order of the upper triangles: the human mean is stored so too, beside the squares.
    both = loadmat(published / MONKEY)["RDMs_mIT_hIT_fig1"].ravel()
    (upper,) = (one["RDM"].ravel() for one in both if "hIT" in one["name"].item())
    mean = human.values.mean(axis=(0, 1), dtype=np.float64)
    rows = np.corrcoef(upper, squareform(mean, checks=False))[0, 1]
    columns = np.corrcoef(squareform(upper)[np.tril_indices(92, -1)], squareform(mean))[0, 1]
    assert rows > 0.99 > columns
