"""Copies of this checkout in which the workflow runs, beside the results of the original."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_FOLDERS = ("workflow", "profiles", "envs", "src")
_FILES = ("Snakefile", "config.yaml", "CITATION.cff")


def copy(to: Path, results: Iterable[str]) -> None:
    """The code, and these files or folders of `results/`."""
    for name in _FOLDERS:
        shutil.copytree(ROOT / name, to / name)
    for name in _FILES:
        shutil.copy(ROOT / name, to / name)
    (to / "results").mkdir()
    for name in results:
        source, target = ROOT / "results" / name, to / "results" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)


def snakemake(
    checkout: Path,
    targets: Iterable[str],
    cores: str,
    *options: str,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Make targets there, with the code that lies there; CalledProcessError if that fails."""
    command = [sys.executable, "-m", "snakemake", *targets, "--cores", cores, "--quiet", "all"]
    subprocess.run(
        [*command, *options],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout / "src")} | dict(environment or {}),
        stdout=sys.stderr,
        check=True,
    )
