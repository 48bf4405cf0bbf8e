"""A canonical file that somebody else made is refused with what is wrong, before it is used."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from convergent_learning.config.errors import ConfigError
from convergent_learning.config.model import Config
from convergent_learning.config.overlay import resolved_config
from convergent_learning.datasets import canonical
from convergent_learning.datasets.catalogue import DATASETS
from convergent_learning.datasets.file_checks import file_problems
from convergent_learning.workflow.checksums import write_checksums
from convergent_learning.workflow.given_files import refuse_bad_files

ROOT = Path(__file__).parents[2]
NAN = float("nan")


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    path = tmp_path_factory.mktemp("datasets") / "digits.h5"
    canonical.prepare({"name": "digits"}, path)
    return path


@pytest.fixture
def own(digits, tmp_path):
    return Path(shutil.copy(digits, tmp_path / "digits.h5"))


def replace(file, name, **new):
    del file[name]
    file.create_dataset(name, **new)


FAULTS = {
    "no labels": (lambda file: file.pop("train/labels"), "train needs `labels`"),
    "no test": (lambda file: file.pop("test"), "it has no test"),
    "no mean": (lambda file: file.attrs.pop("mean"), "no attribute mean"),
    "few labels": (
        lambda file: replace(file, "train/labels", data=np.zeros(9, np.int64)),
        "train/labels is (9,) int64, not (1297,) integers",
    ),
    "labels beyond the classes": (
        lambda file: file["test/labels"].write_direct(np.full(500, 10)),
        "test/labels are 10 to 10, not 0 to 9 for 10 classes",
    ),
    "negative labels": (
        lambda file: file["train/labels"].write_direct(np.full(1297, -1)),
        "train/labels are -1 to -1",
    ),
    "float images": (
        lambda file: replace(file, "train/images", data=np.zeros((1297, 32, 32, 3), np.float32)),
        "train/images is (1297, 32, 32, 3) float32, not (n, 32, 32, 3) uint8",
    ),
    "another side": (
        lambda file: replace(file, "train/images", data=np.zeros((1297, 28, 28, 3), np.uint8)),
        "not (n, 32, 32, 3) uint8",
    ),
    "fewer images": (
        lambda file: replace(file, "test/images", data=np.zeros((400, 32, 32, 3), np.uint8)),
        "test has 400 images; digits has 500",
    ),
    "a shape that cannot be": (
        lambda file: [
            replace(file, "train/images", shape=(10**12, 32, 32, 3), dtype=np.uint8),
            replace(file, "train/labels", shape=(10**12,), dtype=np.int64),
        ],
        "train/images declares the shape (1000000000000, 32, 32, 3), 3.07e+15 bytes, of which 0",
    ),
    "NaN means": (
        lambda file: file.attrs.__setitem__("mean", [NAN, 0, 0]),
        "the attribute mean is [nan, 0.0, 0.0], not three finite numbers",
    ),
    "no deviation": (
        lambda file: file.attrs.__setitem__("std", [0.0, 1, 1]),
        "the attribute std is [0.0, 1.0, 1.0], not three numbers above 0",
    ),
    "other classes": (lambda file: file.attrs.__setitem__("classes", '["a", "b"]'), "2 classes"),
    "no classes": (lambda file: file.attrs.__setitem__("classes", "a, b"), "JSON list"),
    "NaN spectrum": (
        lambda file: file["test/spectrum"].write_direct(np.full((32, 32), NAN)),
        "test/spectrum",
    ),
}


def test_what_the_workflow_makes_is_accepted(digits):
    assert list(file_problems(digits, DATASETS["digits"])) == []


@pytest.mark.parametrize(("fault", "named"), FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_the_file(own, fault, named):
    with h5py.File(own, "r+") as file:
        fault(file)
    problems = list(file_problems(own, DATASETS["digits"]))
    assert any(problem.startswith(f"{own}") and named in problem for problem in problems)
    assert all(problem.count("delete it") == 1 for problem in problems)


def test_a_file_of_ones_own_is_looked_at_before_work_and_one_of_a_job_is_not(
    own, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    config = Config.model_validate(resolved_config("smoke", ROOT))
    refuse_bad_files(config)  # there is no file
    there = Path("results/datasets/digits.h5")
    there.parent.mkdir(parents=True)
    own.rename(there)
    refuse_bad_files(config)
    there.write_bytes(there.read_bytes()[:5000])
    with pytest.raises(ConfigError) as caught:
        refuse_bad_files(config)
    assert "datasets[0].name: results/datasets/digits.h5 " in str(caught.value)
    assert str(caught.value).count("delete it") == 1
    write_checksums(there)
    refuse_bad_files(config)  # its job finds damage by the checksums
