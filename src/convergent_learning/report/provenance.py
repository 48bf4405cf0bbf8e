"""Where results come from: code, environment, machine, and the time each rule took."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
import psutil

_PACKAGES = ("torch", "torchvision", "numpy", "scipy", "h5py", "POT", "snakemake", "matplotlib")
_SHORT_DIGEST = 12


def provenance(repository: Path) -> dict[str, str]:
    """Commit, lock digest, versions and hardware, each as text under the name a reader sees."""
    memory = psutil.virtual_memory().total / 2**30
    return {
        "Code": _commit(repository),
        "Lock file": f"sha256 {_digest(repository / 'envs/requirements.lock')}",
        "Python": platform.python_version(),
        "Packages": ", ".join(f"{name} {_version(name)}" for name in _PACKAGES),
        "Machine": f"{platform.system()} {platform.machine()}, {psutil.cpu_count()} cores,"
        f" {memory:.0f} GiB memory",
    }


def wall_times(benchmarks: Path) -> pd.DataFrame:
    """Jobs, total seconds, longest job and peak memory (MB) of each rule, from benchmark files.

    The rule is the first folder (or file stem) below `benchmarks`.
    """
    rows = []
    for path in sorted(Path(benchmarks).rglob("*.tsv")):
        record = pd.read_csv(path, sep="\t", na_values="-").iloc[-1]
        stage = path.relative_to(benchmarks).parts[0].removesuffix(".tsv")
        rows.append({"stage": stage, "seconds": record["s"], "memory": record["max_rss"]})
    table = pd.DataFrame(rows, columns=["stage", "seconds", "memory"])
    grouped = table.groupby("stage")
    return pd.DataFrame(
        {
            "jobs": grouped.size(),
            "seconds": grouped.seconds.sum(),
            "longest": grouped.seconds.max(),
            "memory": grouped.memory.max(),
        }
    ).sort_values("seconds", ascending=False)


def _commit(repository: Path) -> str:
    def git(*arguments: str) -> str:
        command = ["git", "-C", str(repository), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        dirty = bool(git("status", "--porcelain", "--untracked-files=no"))
        return f"commit {git('rev-parse', 'HEAD')}{' with local changes' if dirty else ''}"
    except (OSError, subprocess.CalledProcessError):
        return "not a git checkout"


def _digest(path: Path) -> str:
    if not path.exists():
        return "missing"
    return hashlib.sha256(path.read_bytes()).hexdigest()[:_SHORT_DIGEST]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
