import h5py
import numpy as np
import pytest

from convergent_learning.datasets import canonical, records
from convergent_learning.datasets.catalogue import DATASETS
from convergent_learning.datasets.sources import NoSourceError
from convergent_learning.files import DamagedFileError


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    path = tmp_path_factory.mktemp("datasets") / "digits.h5"
    canonical.prepare({"name": "digits"}, path)
    return path


def test_digits_hold_what_the_catalogue_says(digits):
    info = DATASETS["digits"]
    for split, size in (("train", info.train), ("test", info.test)):
        part = canonical.read_split(digits, split)
        assert part.images.shape == (size, info.side, info.side, 3)
        assert part.images.dtype == np.uint8
        assert set(part.labels) == set(range(info.classes))
    pixels = canonical.read_split(digits, "train").images.reshape(-1, 3) / 255
    np.testing.assert_allclose(part.mean, pixels.mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(part.std, pixels.std(axis=0), atol=1e-12)


def test_summary_carries_the_digests_of_the_records(digits):
    part = canonical.read_split(digits, "test")
    summary = canonical.read_summary(digits)
    assert summary["sha256_test"] == records.digest(part.images, part.labels)
    assert summary["classes"] == list("0123456789")


def test_a_failed_download_leaves_nothing(tmp_path, monkeypatch):
    def fail(workdir, source):
        (workdir / "half.bin").write_bytes(b"partial")
        raise NoSourceError("nothing answers")

    monkeypatch.setattr("convergent_learning.datasets.cifar10.fetch", fail)
    with pytest.raises(NoSourceError):
        canonical.prepare({"name": "cifar10"}, tmp_path / "cifar10.h5")
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_file_is_named(digits, tmp_path):
    torn = tmp_path / "digits.h5"
    torn.write_bytes(digits.read_bytes()[:5000])
    with pytest.raises(DamagedFileError, match=r"digits\.h5 .*delete it"):
        canonical.read_split(torn, "test")


@pytest.mark.slow
def test_real_cifar10_has_the_official_digests(tmp_path):
    out = tmp_path / "cifar10.h5"
    canonical.prepare({"name": "cifar10"}, out)
    summary = canonical.read_summary(out)
    for split, digest in DATASETS["cifar10"].sha256.items():
        assert summary[f"sha256_{split}"] == digest
    with h5py.File(out) as file:
        assert file["train/images"].shape == (50_000, 32, 32, 3)
