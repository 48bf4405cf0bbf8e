"""The `Source` of a report page: results computed here, or the committed reference."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from convergent_learning.config.design import Design
from convergent_learning.config.experiment import Experiment
from convergent_learning.config.overlay import overlay_option
from convergent_learning.report.provenance import Source
from convergent_learning.verify.reference import ORIGIN, TIMES
from convergent_learning.words import counted
from convergent_learning.workflow.job_times import stage_times
from convergent_learning.workflow.origin import origin

_SHORT_DIGEST = 12


def computed(experiment: Experiment, repository: Path, checkout: Path = Path()) -> Source:
    """The numbers of `experiment` were computed in the `results` of `checkout`."""
    return Source(
        "Every number below was computed by this run; verdicts follow from the numbers.",
        _facts(origin(repository)),
        stage_times(Design(experiment).benchmarks(checkout)),
        overlay_option(experiment.name, repository),
    )


def drawn(experiment: Experiment, reference: Path, repository: Path) -> Source:
    """The numbers are those of the folder `reference`; figures and page were drawn here."""
    facts = _facts(json.loads((reference / ORIGIN).read_text(encoding="utf-8")))
    return Source(
        "Nothing was computed here: figures, verdicts and this page were drawn from the"
        " reference tables that come with the repository. Provenance tells what computed them.",
        facts | {"Drawn by": _facts(origin(repository))["Code"]},
        pd.read_csv(reference / TIMES),
        overlay_option(experiment.name, repository),
    )


def _facts(about: dict[str, Any]) -> dict[str, str]:
    """An `origin` record as text."""
    code, machine, versions = (about[key] for key in ("code", "machine", "versions"))
    cores = counted(machine["cores"], "core")
    gpu = f", {machine['gpu']}" if machine["gpu"] else ""
    memory = f", {machine['memory_gib']} GiB memory" if "memory_gib" in machine else ""
    return {
        "Code": _commit(code),
        "Lock file": f"sha256 {code['lock'][:_SHORT_DIGEST]}" if code["lock"] else "missing",
        "Python": versions["python"],
        "Packages": ", ".join(f"{k} {v}" for k, v in versions.items() if k != "python"),
        "Machine": f"{machine['system']}, {machine['cpu']}, {cores}{memory}{gpu}",
    }


def _commit(code: dict[str, Any]) -> str:
    if code["commit"] is None:
        return "not a git checkout"
    return f"commit {code['commit']}{' with local changes' if code['local_changes'] else ''}"
