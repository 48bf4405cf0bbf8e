import io
import tarfile

import h5py
import pytest

from convergent_learning.archives import unpack_files
from convergent_learning.files import (
    DamagedFileError,
    open_hdf5,
    replace_when_done,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replace_when_done(path) as partial:
        partial.write_text(f"half{1 / 0}")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_finished_write_replaces_the_file(tmp_path):
    path = tmp_path / "new" / "table.csv"
    with replace_when_done(path) as partial:
        partial.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"


def test_a_truncated_hdf5_file_is_named_with_the_remedy(tmp_path):
    path = tmp_path / "activations.h5"
    with h5py.File(path, "w") as file:
        file["x"] = range(10_000)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(DamagedFileError, match=r"activations\.h5 .*delete it"), open_hdf5(path):
        pass


def test_a_missing_file_stays_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError), open_hdf5(tmp_path / "nowhere.h5"):
        pass


def archived(path, **members):
    with tarfile.open(path, "w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name.replace("__", "/"))
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    return tarfile.open(path)


def test_an_archive_gives_its_files_and_no_links(tmp_path):
    with archived(tmp_path / "a.tar", folder__x=b"1", y=b"22") as archive:
        unpack_files(archive, tmp_path / "out")
    assert (tmp_path / "out/folder/x").read_bytes() == b"1"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["folder", "y"]


def test_an_archive_writes_nothing_outside_its_folder(tmp_path):
    with (
        archived(tmp_path / "a.tar", **{"..__x": b"1"}) as archive,
        pytest.raises(ValueError, match=r"\.\./x leads out"),
    ):
        unpack_files(archive, tmp_path / "out")
    assert not (tmp_path / "x").exists()
