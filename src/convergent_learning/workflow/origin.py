"""Code, environment and machine of this process."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil

from convergent_learning.files import sha256_of
from convergent_learning.machine import processor

_PACKAGES = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "pandas",
    "h5py",
    "pyarrow",
    "POT",
    "safetensors",
    "snakemake",
    "matplotlib",
)
_LOCK = "envs/requirements.lock"


def origin(repository: Path) -> dict[str, Any]:
    """Code (package version, commit, local changes, lock digest), versions and machine.

    JSON values without the time of day, so that the same job gives the same record. `commit` is
    None outside a git checkout; packages that are not installed are left out.
    """
    commit, changed = _commit(repository)
    return {
        "code": {
            "package": _version("convergent-learning"),
            "commit": commit,
            "local_changes": changed,
            "lock": _lock_digest(repository),
        },
        "machine": {
            "system": f"{platform.system()} {platform.machine()}",
            "cpu": processor(),
            "cores": os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30),
            "gpu": _gpu(),
        },
        "versions": {
            "python": platform.python_version(),
            **{name: found for name in _PACKAGES if (found := _version(name))},
        },
    }


def _commit(repository: Path) -> tuple[str | None, bool]:
    def git(*arguments: str) -> str:
        # Jobs run side by side: none may wait for another's index lock.
        command = ["git", "--no-optional-locks", "-C", str(repository), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        # A workflow copied into a folder of some other project is not that project's commit.
        if Path(git("rev-parse", "--show-toplevel")).resolve() != repository.resolve():
            return None, False
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "-uno"))
    except (OSError, subprocess.CalledProcessError):
        return None, False


def _lock_digest(repository: Path) -> str | None:
    try:
        return sha256_of(repository / _LOCK)
    except FileNotFoundError:
        return None


def _gpu() -> str | None:
    """The GPU that torch uses; a job that has not imported torch uses none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return None
    return torch.cuda.get_device_name()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
