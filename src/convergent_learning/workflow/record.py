"""The record of a job: what it read, with what code and environment, on what machine.

Every job leaves one JSON file, `results/<experiment>/provenance/…` beside `logs/…`: its record and
the names of its outputs, whose checksums lie apart (`checksums`). The record is inside the outputs
that have room for it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from convergent_learning.files import replace_when_done
from convergent_learning.workflow.checksums import write_checksums
from convergent_learning.workflow.digests import declared, digest_of_values
from convergent_learning.workflow.origin import origin
from convergent_learning.workflow.stamps import stamp


def record_of(snakemake: Any, digest: Callable[[Path], str]) -> dict[str, Any]:
    """The record of the job behind a script's `snakemake` object, before it runs.

    Parameters: the object, and what gives the digest of an input (`checksums.checked_digest`).
    Paths are relative to the working directory. No time of day: the same job on the same inputs
    has the same record.
    """
    about = origin(repository(snakemake))
    inputs = dict.fromkeys(map(relative, snakemake.input))  # each once
    return {
        "rule": snakemake.rule,
        "wildcards": dict(snakemake.wildcards),
        "inputs": {path: digest(Path(path)) for path in inputs},
        "params": digest_of_values({k: _plain(v) for k, v in dict(snakemake.params).items()}),
        **about_config(snakemake.config),
        **about,
        "code": {**about["code"], "digest": snakemake.params.get("code")},
    }


def repository(snakemake: Any) -> Path:
    """The folder that the workflow lies in. No parameter: a moved folder is no reason to rerun."""
    return Path(snakemake.scriptdir).resolve().parents[1]  # of workflow/scripts


def about_config(config: dict[str, Any]) -> dict[str, Any]:
    """Experiment, digest and seeds of a config."""
    return {
        "experiment": config["experiment"],
        "config": digest_of_values(config),
        "seeds": {
            "experiment": config["seed"],
            **{e.get("name", e["architecture"]): e["seeds"] for e in config["networks"]},
        },
    }


def finish(record: dict[str, Any], outputs: Sequence[str | Path], path: Path) -> None:
    """Stamp `outputs` with `record`, note their checksums, write it to the JSON file `path`."""
    described = {}
    for output in map(Path, outputs):
        stamp(output, record)
        write_checksums(output)
        described[relative(output)] = declared(output)
    with replace_when_done(path) as partial:
        text = json.dumps({**record, "outputs": described}, indent=1, sort_keys=True)
        partial.write_text(text + "\n", encoding="utf-8")


def record_path(log: str) -> Path:
    """Where the record of the job with the log file `log` lies."""
    folder, name = log.split("/logs/", 1)
    return Path(folder) / "provenance" / Path(name).with_suffix(".json")


def relative(path: str | Path) -> str:
    return os.path.relpath(path)


def _plain(value: Any) -> Any:
    """Snakemake's own lists are lists with names."""
    return list(value) if isinstance(value, list | tuple) else value
