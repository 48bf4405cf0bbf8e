"""Where results come from: code, environment, machine, and the time each rule took."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from convergent_learning.job_times import stage_times
from convergent_learning.provenance.origin import origin
from convergent_learning.verify.reference import ORIGIN, TIMES

_SHORT_DIGEST = 12


@dataclass(frozen=True)
class Source:
    """Where the numbers of a page come from.

    `statement` is a sentence for its head; `facts` are code, environment and machine as text under
    the name a reader sees; `times` is a `stage_times` table.
    """

    statement: str
    facts: dict[str, str]
    times: pd.DataFrame

    @classmethod
    def computed(cls, results: Path, repository: Path) -> Source:
        """They were computed here, into the folder `results`."""
        return cls(
            "Every number below was computed by this run; verdicts follow from the numbers.",
            _facts(origin(repository)),
            stage_times(results / "benchmarks"),
        )

    @classmethod
    def reference(cls, reference: Path, repository: Path) -> Source:
        """They are those of the committed folder `reference`; figures and page were drawn here."""
        facts = _facts(json.loads((reference / ORIGIN).read_text(encoding="utf-8")))
        return cls(
            "Nothing was computed here: figures, verdicts and this page were drawn from the"
            " reference tables that come with the repository. Provenance tells what computed them.",
            facts | {"Drawn by": _facts(origin(repository))["Code"]},
            pd.read_csv(reference / TIMES),
        )


def _facts(about: dict[str, Any]) -> dict[str, str]:
    """An `origin` record as text."""
    code, machine, versions = (about[key] for key in ("code", "machine", "versions"))
    gpu = f", {machine['gpu']}" if machine["gpu"] else ""
    memory = f", {machine['memory_gib']} GiB memory" if "memory_gib" in machine else ""
    return {
        "Code": _commit(code),
        "Lock file": f"sha256 {code['lock'][:_SHORT_DIGEST]}" if code["lock"] else "missing",
        "Python": versions["python"],
        "Packages": ", ".join(f"{k} {v}" for k, v in versions.items() if k != "python"),
        "Machine": f"{machine['system']}, {machine['cpu']}, {machine['cores']} cores{memory}{gpu}",
    }


def _commit(code: dict[str, Any]) -> str:
    if code["commit"] is None:
        return "not a git checkout"
    return f"commit {code['commit']}{' with local changes' if code['local_changes'] else ''}"
