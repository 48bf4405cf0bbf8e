"""Source distribution and wheel; the wheel alone, with the dependencies it declares, scores arrays
as this environment does."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
from importlib.metadata import distributions
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
# The widths divide neither way: soft matching needs optimal transport.
SCORING = """
import importlib, json, pkgutil
import numpy as np, torch
from convergent_learning import alignment

for module in pkgutil.iter_modules(alignment.__path__):
    importlib.import_module(f"{alignment.__name__}.{module.name}")
rng = np.random.default_rng(0)
x = rng.standard_normal((60, 6, 2, 2)).astype(np.float32)
y = (x[:, [4, 2, 0, 5]] + rng.standard_normal((60, 4, 2, 2))).astype(np.float32)
metrics = ["linear", "procrustes", "soft_matching", "cka"]
print(json.dumps([
    {name: result.mean for name, result in alignment.score(a, b, metrics).items()}
    for a, b in ((x, y), (torch.from_numpy(x), torch.from_numpy(y)))
]))
"""

# What the extras bring; torch itself brings jinja2.
REST = ["matplotlib", "plotly", "snakemake", "torchvision", "yaml"]
PRESENT = """
import importlib.util, json
print(json.dumps({{name: importlib.util.find_spec(name) is not None for name in {names}}}))
"""


@pytest.fixture(scope="module")
def tracked():
    """Paths of the files that git tracks, relative to the root of the repository."""
    if not (ROOT / ".git").exists():
        pytest.skip("distributions are built from a git checkout")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True)
    return listed.stdout.decode().strip("\0").split("\0")


@pytest.fixture(scope="module")
def built(tracked, tmp_path_factory):
    """The source distribution of the tracked files, and the wheel that is built from it."""
    folder = tmp_path_factory.mktemp("distributions")
    source = folder / "source"  # a build leaves its folders in the tree that it builds
    for name in tracked:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source]
    subprocess.run(build, check=True)
    [sdist], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def test_an_index_would_take_both_distributions(built):
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *built], check=True)


def test_the_source_distribution_holds_what_is_tracked(built, tracked):
    with tarfile.open(built[0]) as archive:
        files = [member.name.partition("/")[2] for member in archive if member.isfile()]
    added = {"PKG-INFO", "setup.cfg"}
    found = {name for name in files if name not in added and ".egg-info/" not in name}
    assert found == set(tracked)


@pytest.fixture(scope="module")
def plain_installation(built, tmp_path_factory):
    """The interpreter of a new environment that has the wheel and its dependencies alone."""
    folder = tmp_path_factory.mktemp("wheel")
    same_versions = folder / "constraints.txt"
    same_versions.write_text(
        "".join(f"{package.name}=={package.version}\n" for package in distributions())
    )
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv/bin/python"
    install = [python, "-m", "pip", "install", "--quiet", "--constraint", same_versions]
    subprocess.run([*install, built[1]], check=True)
    yield python
    shutil.rmtree(folder)  # gigabytes that pytest would keep


def test_the_wheel_scores_arrays_with_its_own_dependencies(plain_installation):
    assert run(plain_installation, PRESENT.format(names=REST)) == dict.fromkeys(REST, False)
    assert run(sys.executable, PRESENT.format(names=REST)) == dict.fromkeys(REST, True)
    from_numpy, from_torch = run(plain_installation, SCORING)
    assert from_torch == from_numpy
    [here, _] = run(sys.executable, SCORING)
    assert from_numpy == pytest.approx(here, rel=1e-9)


def test_the_wheel_is_typed(plain_installation):
    packages = plain_installation.parents[1].glob("lib/*/site-packages/convergent_learning")
    assert [(package / "py.typed").exists() for package in packages] == [True]


def run(python, code):
    """What `code` prints as JSON, run by `python` outside the repository."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [python, "-c", code], check=True, cwd="/", env=environment, stdout=subprocess.PIPE
    )
    return json.loads(done.stdout)
