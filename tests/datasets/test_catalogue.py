import gzip
import hashlib
import importlib
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torchvision.datasets

from convergent_learning.datasets import cifar100, fashion_mnist
from convergent_learning.datasets.catalogue import DATASETS, LAYOUTS, dataset_info
from convergent_learning.datasets.sources import NoSourceError


def test_official_datasets_are_what_the_catalogue_says():
    assert {name: info.classes for name, info in DATASETS.items()} == {
        "cifar10": 10,
        "cifar100": 100,
        "digits": 10,
        "fashion_mnist": 10,
    }
    for info in DATASETS.values():
        module, function = info.reader.split(":")
        assert callable(getattr(importlib.import_module(module), function))
        assert dataset_info({"name": info.name, "train_images": 5, "source": None}) is info
    assert DATASETS["fashion_mnist"].class_names == tuple(torchvision.datasets.FashionMNIST.classes)
    names = DATASETS["cifar100"].class_names
    assert list(names) == sorted(set(names))


def test_data_of_ones_own_is_known_by_its_entry_alone():
    entry = {"name": "own", "layout": "imagefolder", "source": "/nowhere", "train_images": 70}
    info = dataset_info(entry)
    assert (info.train, info.test, info.side, info.classes) == (70, None, 224, None)
    info = dataset_info(entry | {"image_size": 64, "classes": ["dog", "cat"]})
    assert (info.side, info.class_names) == (64, ("cat", "dog"))
    for layout in set(LAYOUTS) - {"imagefolder"}:
        assert dataset_info(entry | {"layout": layout}).side == 32


def test_unknown_names_and_layouts_are_refused():
    with pytest.raises(ValueError, match=r"'mnist'; allowed: cifar10, .*layout"):
        dataset_info({"name": "mnist"})
    with pytest.raises(ValueError, match=r"unknown layout 'webdataset'; allowed: cifar10, "):
        dataset_info({"name": "own", "layout": "webdataset", "train_images": 1})


def test_the_catalogue_imports_nothing_heavy():
    code = (
        "import convergent_learning.datasets.catalogue, sys;"
        "print({'torch', 'numpy', 'h5py', 'PIL'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"


@pytest.fixture
def no_network(monkeypatch):
    def unreachable(*_, **__):
        raise OSError("no route to host")

    for name in ("cifar", "mnist"):
        module = importlib.import_module(f"torchvision.datasets.{name}")
        monkeypatch.setattr(module, "download_and_extract_archive", unreachable)


def md5(path):
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def cifar100_copy(tmp_path, monkeypatch):
    """Two-image files; torchvision takes their digests for those of the distribution."""
    folder = tmp_path / "copy" / "cifar-100-python"
    folder.mkdir(parents=True)
    batch = {"data": np.full((2, 3072), 7, np.uint8), "fine_labels": [3, 99]}
    meta = {"fine_label_names": list(DATASETS["cifar100"].class_names)}
    for name, content in (("train", batch), ("test", batch), ("meta", meta)):
        (folder / name).write_bytes(pickle.dumps(content))
    official = torchvision.datasets.CIFAR100
    for key, name in (("train_list", "train"), ("test_list", "test")):
        monkeypatch.setattr(official, key, [[name, md5(folder / name)]])
    monkeypatch.setattr(official, "meta", official.meta | {"md5": md5(folder / "meta")})
    return folder


@pytest.mark.usefixtures("no_network")
def test_a_local_copy_of_cifar100_is_proved_by_md5(tmp_path, cifar100_copy):
    for source in (cifar100_copy, cifar100_copy.parent):
        splits = cifar100.fetch(tmp_path, str(source))
        assert splits["test"][0].shape == (2, 32, 32, 3)
        assert splits["test"][1].tolist() == [3, 99]
    (cifar100_copy / "train").write_bytes(b"other")
    with pytest.raises(NoSourceError, match=r"no route to host(.|\n)*corrupted(.|\n)*`source:`"):
        cifar100.fetch(tmp_path, str(cifar100_copy))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NoSourceError, match="has no folder cifar-100-python"):
        cifar100.fetch(tmp_path, str(empty))


@pytest.mark.usefixtures("no_network")
def test_a_local_copy_of_fashion_mnist_is_proved_by_md5(tmp_path, monkeypatch):
    source = tmp_path / "copy"
    source.mkdir()
    resources = []
    for name, _ in torchvision.datasets.FashionMNIST.resources:
        shape = (2, 28, 28) if "images" in name else (2,)
        header = bytes((0, 0, 8, len(shape))) + b"".join(s.to_bytes(4, "big") for s in shape)
        (source / name).write_bytes(gzip.compress(header + bytes(np.prod(shape))))
        resources.append((name, md5(source / name)))
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "resources", resources)
    monkeypatch.setattr(torchvision.datasets.FashionMNIST, "mirrors", ["nowhere/"])
    splits = fashion_mnist.fetch(tmp_path / "scratch", str(source))
    assert splits["train"][0].shape == (2, 32, 32, 3)
    (source / resources[1][0]).write_bytes(b"other")
    with pytest.raises(NoSourceError, match="does not have the MD5 digest"):
        fashion_mnist.fetch(tmp_path / "scratch", str(source))
