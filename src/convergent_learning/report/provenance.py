"""Where results come from: code, environment, machine, and the time each rule took."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import psutil

from convergent_learning.provenance.origin import origin

_SHORT_DIGEST = 12


def provenance(repository: Path) -> dict[str, str]:
    """Commit, lock digest, versions and hardware, each as text under the name a reader sees."""
    about = origin(repository)
    code, machine, versions = (about[key] for key in ("code", "machine", "versions"))
    memory = psutil.virtual_memory().total / 2**30
    gpu = f", {machine['gpu']}" if machine["gpu"] else ""
    return {
        "Code": _commit(code),
        "Lock file": f"sha256 {code['lock'][:_SHORT_DIGEST]}" if code["lock"] else "missing",
        "Python": versions["python"],
        "Packages": ", ".join(f"{k} {v}" for k, v in versions.items() if k != "python"),
        "Machine": f"{machine['system']}, {machine['cpu']}, {machine['cores']} cores,"
        f" {memory:.0f} GiB memory{gpu}",
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


def _commit(code: dict) -> str:
    if code["commit"] is None:
        return "not a git checkout"
    return f"commit {code['commit']}{' with local changes' if code['local_changes'] else ''}"
