"""Copies of this checkout in which the workflow runs, beside the results of the original."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from convergent_learning.config.design import Design
from convergent_learning.config.overlay import experiment_named, overlay_option
from convergent_learning.verify.anchors import anchor_tables

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


def score_anchors(
    checkout: Path,
    experiment: str,
    block: str | None,
    cores: str,
    environment: Mapping[str, str] | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores and accuracies of the anchors on a block of samples, or all, with the code there.

    CalledProcessError if that fails.
    """
    with contextlib.chdir(checkout):
        design = Design(experiment_named(experiment))
        jobs = [job for job in design.anchors if block in (None, job.wildcards["block"])]
        options = [*overlay_option(experiment), "--forcerun", "anchors"]
        targets = [job.outputs[0] for job in jobs]
        snakemake(checkout, targets, cores, *options, environment=environment)
        return anchor_tables(design, block)


def machine(about: dict[str, Any]) -> str:
    """Processor and commit of an `origin` record."""
    commit = (about["code"]["commit"] or "no commit")[:7]
    return f"{about['machine']['cpu']} at {commit}"
