"""The locks are fresh, and every way to install goes through them."""

import importlib.util
import shutil
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def locks():
    spec = importlib.util.spec_from_file_location("locks", ROOT / "envs/locks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def repository(tmp_path, locks):
    (tmp_path / "envs").mkdir()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name in locks.LOCKS:
        shutil.copy(ROOT / f"envs/{name}.lock", tmp_path / "envs")
    return tmp_path


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_locks_of_this_repository_are_fresh(locks):
    locks.main("check")


def test_a_lock_older_than_pyproject_is_named(locks, repository):
    edit(repository / "pyproject.toml", '"tqdm>=', '"requests>=2",\n    "tqdm>=')
    with pytest.raises(SystemExit, match=r"requirements\.lock is older than pyproject"):
        locks.main("check", repository)
    locks.main("stamp", repository)
    locks.main("check", repository)


def test_other_edits_of_pyproject_need_no_new_lock(locks, repository):
    edit(repository / "pyproject.toml", "line-length = 100", "line-length = 99")
    locks.main("check", repository)


def test_a_missing_lock_and_one_of_other_versions_are_named(locks, repository):
    edit(repository / "envs/figures.lock", "pandas==3", "pandas==2")
    with pytest.raises(SystemExit, match=r"figures.lock pins pandas to 2[.\d]+, the main lock to"):
        locks.main("check", repository)
    (repository / "envs/test.lock").unlink()
    with pytest.raises(SystemExit, match=r"test.lock is missing"):
        locks.main("check", repository)


def test_the_figures_environment_has_no_torch():
    packages = (ROOT / "envs/figures.lock").read_text()
    assert "\npandas==" in packages
    assert "\ntorch==" not in packages
    assert "\nsnakemake==" not in packages


def test_conda_and_container_install_the_same_lock():
    environment = yaml.safe_load((ROOT / "envs/environment.yaml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["--require-hashes", "-r requirements.lock"]
    assert (
        "--require-hashes --requirement envs/requirements.lock"
        in (ROOT / "envs/Containerfile").read_text()
    )
