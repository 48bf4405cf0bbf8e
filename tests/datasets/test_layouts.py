"""Small data of the user's own in each layout of arrays, and what is refused."""

import gzip
import os
import pickle
import tarfile

import h5py
import numpy as np
import pytest

from convergent_learning.datasets import records
from convergent_learning.datasets.canonical import prepare, read_split, read_summary
from convergent_learning.datasets.pickles import read_pickle

PER_BATCH = 4
LABEL_KEYS = {"cifar10": "labels", "cifar100": "fine_labels"}
TRAIN_FILES = {"cifar10": ("data_batch_1", "data_batch_2"), "cifar100": ("train",)}
TEST_FILE = {"cifar10": "test_batch", "cifar100": "test"}
NAMES = ["ant", "bee", "cow"]


@pytest.fixture
def batches():
    """Function of the layout: images (n, 32, 32, 3) and labels of each of its files."""
    generator = np.random.default_rng(0)

    def make(layout):
        return {
            name: (
                generator.integers(0, 256, (PER_BATCH, 32, 32, 3), np.uint8),
                np.arange(PER_BATCH) % 3,
            )
            for name in (*TRAIN_FILES[layout], TEST_FILE[layout])
        }

    return make


def channel_first(images):
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


def write_binary(folder, layout, parts, named):
    for name, (images, labels) in parts.items():
        label_bytes = [labels] if layout == "cifar10" else [labels + 7, labels]
        content = np.column_stack([*label_bytes, channel_first(images)]).astype(np.uint8)
        content.tofile(folder / f"{name}.bin")
    if named:
        name = {"cifar10": "batches.meta.txt", "cifar100": "fine_label_names.txt"}[layout]
        (folder / name).write_text("\n".join(NAMES) + "\n\n")


def write_pickles(folder, layout, parts, named, protocol=2):
    def dump(name, content):
        with open(folder / name, "wb") as file:
            pickle.dump(content, file, protocol)

    key = LABEL_KEYS[layout]
    for name, (images, labels) in parts.items():
        # Keys are bytes in a pickle of Python 2 that was read and written again.
        content = {b"data": channel_first(images), key.encode(): labels.tolist(), b"batch": b"x"}
        dump(name, content)
    if named:
        meta, key = {
            "cifar10": ("batches.meta", "label_names"),
            "cifar100": ("meta", "fine_label_names"),
        }[layout]
        dump(meta, {key: NAMES})


def entry(layout, source, **other):
    return {"name": "own", "layout": layout, "source": str(source), "train_images": 4, **other}


@pytest.mark.parametrize("layout", ["cifar10", "cifar100"])
@pytest.mark.parametrize("write", [write_binary, write_pickles])
@pytest.mark.parametrize(("named", "archived"), [(True, False), (False, True)])
def test_cifar_layouts_of_any_size(tmp_path, batches, layout, write, named, archived):
    source = tmp_path / "data" / "inner"
    source.mkdir(parents=True)
    parts = batches(layout)
    write(source, layout, parts, named)
    if archived:
        with tarfile.open(tmp_path / "data.tar.gz", "w:gz") as tar:
            tar.add(source, "some-folder")
        source = tmp_path / "data.tar.gz"
    out = tmp_path / "own.h5"
    prepare(entry(layout, source.parent if not archived else source), out)
    for split, files in (("train", TRAIN_FILES[layout]), ("test", (TEST_FILE[layout],))):
        found = read_split(out, split)
        want = [np.concatenate(arrays) for arrays in zip(*(parts[f] for f in files), strict=True)]
        np.testing.assert_array_equal(found.images, want[0])
        np.testing.assert_array_equal(found.labels, want[1])
        assert read_summary(out)[f"sha256_{split}"] == records.digest(*want)
    assert read_summary(out)["classes"] == (NAMES if named else ["0", "1", "2"])
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("protocol", range(6))
def test_arrays_are_read_from_pickles_of_every_protocol(tmp_path, protocol):
    content = {
        "a": np.arange(6).reshape(2, 3),
        "b": [np.int64(3)],
        "c": b"\xff\x00",
        "d": ("é", 1.5),
    }
    path = tmp_path / "content"
    path.write_bytes(pickle.dumps(content, protocol))
    found = read_pickle(path)
    np.testing.assert_array_equal(found.pop("a"), content.pop("a"))
    assert found == content


class Malicious:
    def __reduce__(self):
        return os.mkdir, ("executed",)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run_it(
    tmp_path, batches, monkeypatch, protocol
):
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "data"
    source.mkdir()
    write_pickles(source, "cifar10", batches("cifar10"), named=True)
    path = source / "data_batch_2"
    content = {"data": Malicious(), "labels": [0]}
    path.write_bytes(pickle.dumps(content, protocol))
    with pytest.raises(ValueError, match=r"data_batch_2 asks for .*mkdir, but only numpy arrays"):
        prepare(entry("cifar10", source), tmp_path / "own.h5")
    assert not (tmp_path / "executed").exists()
    assert not (tmp_path / "own.h5").exists()


@pytest.mark.parametrize("name", ["eval", "getattr"])
def test_builtins_are_refused(tmp_path, name):
    path = tmp_path / "content"
    path.write_bytes(b"c__builtin__\n" + name.encode() + b"\n(S'1'\ntR.")
    with pytest.raises(ValueError, match=name):
        read_pickle(path)


def test_damaged_files_of_a_cifar_layout_are_named(tmp_path, batches):
    binary, pickled = tmp_path / "binary", tmp_path / "pickled"
    for folder, write in ((binary, write_binary), (pickled, write_pickles)):
        folder.mkdir()
        write(folder, "cifar10", batches("cifar10"), named=True)
    for path, match in (
        (binary / "data_batch_1.bin", r"data_batch_1\.bin: 5000 bytes .* records of 3073"),
        (pickled / "test_batch", r"test_batch is no whole pickle"),
    ):
        path.write_bytes(path.read_bytes()[:5000])
        with pytest.raises(ValueError, match=match):
            prepare(entry("cifar10", path.parent), tmp_path / "own.h5")
    for content, match in (
        ([1], "no mapping with `data` and `labels`"),
        ({"data": np.zeros((2, 3072)), "labels": [0, 1]}, "float64"),
        ({"data": np.zeros((2, 3072), np.uint8), "labels": [0]}, "for 1 labels"),
        ({"data": np.zeros((1, 3072), np.uint8), "labels": [-1]}, "whole numbers"),
    ):
        (pickled / "test_batch").write_bytes(pickle.dumps(content))
        with pytest.raises(ValueError, match=f"test_batch.*{match}"):
            prepare(entry("cifar10", pickled), tmp_path / "own.h5")


def test_what_is_missing_is_named(tmp_path, batches):
    out = tmp_path / "own.h5"
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        prepare(entry("cifar10", tmp_path / "nowhere"), out)
    source = tmp_path / "data"
    source.mkdir()
    with pytest.raises(FileNotFoundError, match=r"no test_batch\.bin and no test_batch"):
        prepare(entry("cifar10", source), out)
    (source / "notes.tar.gz").write_text("no archive")
    with pytest.raises(ValueError, match=r"notes\.tar\.gz is no whole tar archive"):
        prepare(entry("cifar10", source / "notes.tar.gz"), out)
    parts = batches("cifar10")
    write_binary(source, "cifar10", {"test_batch": parts["test_batch"]}, named=False)
    with pytest.raises(FileNotFoundError, match=r"no training images \(data_batch_1\.bin"):
        prepare(entry("cifar10", source), out)
    write_binary(source, "cifar10", parts, named=False)
    with pytest.raises(ValueError, match=r"train_images: 9 asked for.*own has 8 .*lower it"):
        prepare(entry("cifar10", source, train_images=9), out)
    (source / "batches.meta.txt").write_text("ant\nbee\n")
    with pytest.raises(ValueError, match="label 2, of 2 classes"):
        prepare(entry("cifar10", source), out)
    assert not out.exists()


def idx(array):
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes((0, 0, 8, array.ndim)) + sizes + array.tobytes()


def write_idx(folder, compressed):
    generator = np.random.default_rng(0)
    parts = {}
    folder.mkdir(exist_ok=True)
    for prefix, n in (("train", 12), ("t10k", 6)):
        parts[prefix] = generator.integers(0, 256, (n, 28, 28), np.uint8), np.arange(n) % 3
        names = (f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte")
        for name, array in zip(names, parts[prefix], strict=True):
            content = idx(array.astype(np.uint8))
            if compressed:
                (folder / f"{name}.gz").write_bytes(gzip.compress(content))
            else:
                (folder / name).write_bytes(content)
    return parts


@pytest.mark.parametrize("compressed", [False, True])
def test_fashion_mnist_layout_of_any_size(tmp_path, compressed):
    parts = write_idx(tmp_path / "data", compressed)
    out = tmp_path / "own.h5"
    prepare(entry("fashion_mnist", tmp_path / "data", train_images=12), out)
    for split, prefix in (("train", "train"), ("test", "t10k")):
        found, (images, labels) = read_split(out, split), parts[prefix]
        assert found.images.shape == (len(images), 32, 32, 3)
        for channel in range(3):
            np.testing.assert_array_equal(found.images[:, 2:-2, 2:-2, channel], images)
        assert found.images.sum(dtype=int) == 3 * images.sum(dtype=int)
        np.testing.assert_array_equal(found.labels, labels)
    assert read_summary(out)["classes"] == ["0", "1", "2"]
    with h5py.File(out) as file:
        assert file["test/spectrum"].shape == (32, 32)


def test_damaged_idx_files_are_named(tmp_path):
    source, out = tmp_path / "data", tmp_path / "own.h5"
    write_idx(source, compressed=False)
    images = source / "train-images-idx3-ubyte"
    whole = images.read_bytes()
    for content, match in (
        (whole[:-1], "its header says"),
        (whole[:6], "its header says"),
        (b"\x89PNG", "no idx file"),
        (idx(np.zeros((12, 30, 30), np.uint8)), r"images are \(30, 30\)"),
        (idx(np.zeros((11, 28, 28), np.uint8)), "11 images, but 12 labels"),
    ):
        images.write_bytes(content)
        with pytest.raises(ValueError, match=f"train-images-idx3-ubyte.*{match}"):
            prepare(entry("fashion_mnist", source), out)
    images.unlink()
    images.with_name(f"{images.name}.gz").write_bytes(gzip.compress(whole)[:50])
    with pytest.raises(ValueError, match=r"ubyte\.gz is no whole gzip file"):
        prepare(entry("fashion_mnist", source), out)
    (source / "train-labels-idx1-ubyte").unlink()
    images.write_bytes(whole)
    with pytest.raises(FileNotFoundError, match="no train-labels-idx1-ubyte"):
        prepare(entry("fashion_mnist", source), out)
