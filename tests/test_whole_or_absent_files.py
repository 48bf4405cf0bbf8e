import h5py
import pytest

from convergent_learning.files import DamagedFileError, open_hdf5, replace_when_done


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
