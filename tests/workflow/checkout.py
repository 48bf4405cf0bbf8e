"""Copies of this repository's workflow, and Snakemake run in them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd

from convergent_learning.config.design import Design
from convergent_learning.config.experiment import Experiment
from convergent_learning.config.overlay import resolved_config
from convergent_learning.verify.fingerprints import COLUMNS
from convergent_learning.verify.reference import make_reference

ROOT = Path(__file__).parents[2]
SMOKE = "workflow/experiments/smoke.yaml"


def network_folder(name: str, **training: object) -> str:
    """Where a network of the smoke experiment lies, with other keys of `training` if given."""
    config = resolved_config("smoke", ROOT)
    config["training"] |= training
    design = Design(Experiment.of(config))
    [network] = [n for n in design.experiment.networks if n.name == name]
    return design.network_folder("digits", network)


class Checkout:
    """A folder that holds the workflow, and Snakemake run in it."""

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def fresh(cls, folder: Path) -> "Checkout":
        """A copy of this repository's workflow in a folder, without results."""
        ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
        for name in ("workflow", "profiles", "envs", "src"):
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        for name in ("Snakefile", "config.yaml", "CITATION.cff"):
            shutil.copy(ROOT / name, folder / name)
        return cls(folder)

    def copy(self, folder: Path) -> "Checkout":
        """All of it, results and modification times included, in a folder still to be made."""
        return Checkout(shutil.copytree(self.folder, folder))

    @property
    def overlay(self) -> Path:
        """The file that makes the experiment the smoke experiment."""
        return self.folder / SMOKE

    @property
    def environment(self) -> dict[str, str]:
        """Runs the code that lies here, which a test may edit, and not what is installed."""
        source = str(self.folder / "src")
        return os.environ | {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": source}

    def command(self, *arguments: str, configfile: str = SMOKE) -> list[str]:
        overlay = ["--configfile", configfile] if configfile else []
        return [sys.executable, "-m", "snakemake", *arguments, "--cores", "2", *overlay]

    def snakemake(
        self, *arguments: str, environment: dict[str, str] | None = None, **options: str
    ) -> subprocess.CompletedProcess:
        """Run to the end; stdout holds both streams."""
        return self._run(self.command(*arguments, **options), environment or {})

    def module(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run ``python -m``, as `snakemake`."""
        return self._run([sys.executable, "-m", *arguments], {})

    def script(self, *arguments: str) -> subprocess.CompletedProcess:
        """Run a script of this repository, as `snakemake`."""
        return self._run([sys.executable, str(ROOT / arguments[0]), *arguments[1:]], {})

    def _run(self, command: list[str], more: dict[str, str]) -> subprocess.CompletedProcess:
        return subprocess.run(
            command,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.environment | more,
        )

    def planned(self, *arguments: str, **options: str) -> dict[str, int]:
        """Numbers of jobs that a dry run would execute, by rule."""
        done = self.snakemake("-n", *arguments, **options)
        assert done.returncode == 0, done.stdout
        _, _, stats = done.stdout.partition("Job stats:")
        rows = stats.partition("\n\n")[0].split("\n")[3:]
        jobs = {row.split()[0]: int(row.split()[1]) for row in rows}
        return {rule: count for rule, count in jobs.items() if rule not in ("all", "total")}


def write_reference(results, out, config=None):
    """A reference of these results, without anchors and digests."""
    config = {"experiment": "smoke", "seed": 0} if config is None else config
    make_reference(results, out, config, {}, pd.DataFrame(), pd.DataFrame(columns=COLUMNS))
