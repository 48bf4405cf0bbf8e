"""The locks are fresh, and every way to install goes through them."""

import ast
import importlib.util
import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements", "test", "figures", "docs")


@pytest.fixture
def repository(tmp_path):
    (tmp_path / "envs").mkdir()
    for name in ("Makefile", "pyproject.toml", *(f"envs/{name}.lock" for name in LOCKS)):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def lock_check(repository):
    return subprocess.run(
        ["make", "lock-check"], cwd=repository, capture_output=True, text=True, check=False
    )


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_the_locks_of_this_repository_are_fresh():
    checked = lock_check(ROOT)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("package", ["tqdm>=", "rocrate>=", "jinja2>=", "ruff>="])
def test_locks_older_than_pyproject_are_named(repository, package):
    edit(repository / "pyproject.toml", f'"{package}', f'"requests>=2",\n    "{package}')
    checked = lock_check(repository)
    assert checked.returncode
    assert all(f"envs/{name}.lock" in checked.stderr for name in LOCKS)
    assert "run 'make lock' and commit the locks" in checked.stderr


def test_other_edits_of_pyproject_need_no_new_lock(repository):
    edit(repository / "pyproject.toml", "line-length = 100", "line-length = 99")
    edit(repository / "pyproject.toml", "# What the locks", "# Everything that the locks")
    assert lock_check(repository).returncode == 0


def test_a_missing_lock_is_named(repository):
    (repository / "envs/test.lock").unlink()
    checked = lock_check(repository)
    assert checked.returncode
    assert "missing or older than pyproject.toml: envs/test.lock;" in checked.stderr


@pytest.mark.parametrize("name", ["test", "figures", "docs"])
def test_locks_agree_on_versions(name):
    main = pins("requirements")
    shared = {package: pin for package, pin in pins(name).items() if package in main}
    assert shared
    assert shared == {package: main[package] for package in shared}


def pins(name):
    """Versions of each package: several where platforms or Pythons have one each."""
    versions = {}
    text = (ROOT / f"envs/{name}.lock").read_text()
    for package, version in re.findall(r"^([\w.-]+)==([^ ;\\]+)", text, re.MULTILINE):
        versions.setdefault(package, set()).add(version)
    return versions


def test_the_main_lock_has_what_snakemake_imports_for_its_report():
    folder = Path(importlib.util.find_spec("snakemake").origin).parent / "report"
    # Most are imported where they are used: an import of the package alone would not find them.
    imported = {name for file in folder.rglob("*.py") for name in imports(file)}
    assert "pygments" in imported
    distributions = packages_distributions()
    needed = {
        re.sub(r"[-_.]+", "-", distribution).lower(): name
        for name in imported - sys.stdlib_module_names
        for distribution in distributions[name]
    }
    locked = pins("requirements")
    missing = {name: package for package, name in needed.items() if package not in locked}
    assert not missing, f"add to the extra `workflow` of pyproject.toml: {missing}"


def imports(file):
    """First parts of the names that a Python file imports, anywhere in it."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


def test_the_figures_environment_has_no_torch():
    packages = (ROOT / "envs/figures.lock").read_text()
    assert "\npandas==" in packages
    assert "\ntorch==" not in packages
    assert "\nsnakemake==" not in packages


def test_the_commit_hook_runs_the_locked_tools():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    hooks = config["repos"][0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"unsupported"}
    tools = {hook["entry"].split()[0] for hook in hooks} - {"make"}
    assert {"ruff", "snakefmt", "mypy"} == {tool.removeprefix(".venv/bin/") for tool in tools}
    assert {"ruff", "snakefmt", "mypy", "pre-commit"} <= pins("test").keys()


@pytest.mark.parametrize("is_checkout", [True, False])
def test_setup_installs_the_hook_in_a_checkout_only(repository, is_checkout):
    tools = repository / ".venv/bin"
    tools.mkdir(parents=True)
    (tools / "pre-commit").write_text('#!/bin/sh\necho "pre-commit $*"\n')
    (tools / "pre-commit").chmod(0o755)
    for stamp in ("installed", "installed-test"):
        (repository / ".venv" / stamp).touch()  # newer than the locks: nothing is installed
    if is_checkout:
        (repository / ".git").mkdir()
    done = subprocess.run(
        ["make", "setup"], cwd=repository, capture_output=True, text=True, check=True
    )
    assert ("pre-commit install" in done.stdout) == is_checkout
    assert "Next: 'make reproduce EXPERIMENT=smoke'" in done.stdout


def test_conda_and_container_install_the_same_lock():
    environment = yaml.safe_load((ROOT / "envs/environment.yaml").read_text())
    pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert pip == ["--require-hashes", "-r requirements.lock"]
    assert (
        "--require-hashes --requirement envs/requirements.lock"
        in (ROOT / "envs/Containerfile").read_text()
    )
