"""Published checkpoints: one file that `make archive` writes and `make scores` goes on from.

The archive is a plain tar: archive.json (experiment, config, digests of the raw data, what made
it, and the sha256 of every file), then checkpoints, curves and provenance records of the trained
networks, under their paths in `results/`.
"""

from __future__ import annotations

import csv
import io
import json
import os
import tarfile
import tempfile
from pathlib import Path
from typing import Any

from convergent_learning.archives import unpack_files
from convergent_learning.config.design import Design
from convergent_learning.config.experiment import Experiment
from convergent_learning.config.paths import PRECISION
from convergent_learning.files import replace_when_done, sha256_of
from convergent_learning.training.plan import TrainingPlan, refuse_other_plan
from convergent_learning.workflow.checksums import checked_digest, write_checksums
from convergent_learning.workflow.origin import origin
from convergent_learning.workflow.record import record_path

_MANIFEST = "archive.json"
_FORMAT = 2
_SHOWN = 3


class ArchiveError(ValueError):
    """The archive is damaged, of another config, holds more, or would overwrite checkpoints."""


def pack(results: Path, config: dict[str, Any], out: Path, repository: Path) -> int:
    """Write the archive `out` of a config's experiment; return its size in bytes.

    `results` is the folder of all results.

    Raises ArchiveError naming a checkpoint that is missing, DamagedFileError naming one that is not
    what was trained, and ValueError naming one of another config and the key that differs.
    """
    design = Design(Experiment.of(config))
    names = _network_files(design)
    for name, plan in names.items():
        if not (results / name).exists():
            raise ArchiveError(f"{results / name} is missing: run `make reproduce` first")
        checked_digest(results / name)
        if name.endswith(".safetensors"):
            refuse_other_plan(results / name, plan)
    records = [name for name in _records(design) if (results / name).exists()]
    files = {name: sha256_of(results / name) for name in [*sorted(names), *records]}
    manifest = {
        "format": _FORMAT,
        "experiment": config["experiment"],
        "config": config,
        "datasets": _data_digests(results / config["experiment"] / "tables/datasets.csv"),
        "files": files,
        **origin(repository),
    }
    with replace_when_done(out) as partial, tarfile.open(partial, "w") as tar:
        _add(tar, _MANIFEST, json.dumps(manifest, indent=1, sort_keys=True).encode())
        for name in files:
            _add(tar, name, (results / name).read_bytes())
    return out.stat().st_size


def unpack(archive: Path, results: Path, config: dict[str, Any]) -> dict[str, Any]:
    """Put the checkpoints of `archive` into `results`, if they are whole and of this config.

    `results` is the folder of all results. Nothing is put in place before every file was checked;
    what is there already, of this archive or equal to it, stays. Returns the manifest.

    Raises
    ------
    ArchiveError
        For a file whose digest is not the manifest's, one that is no checkpoint, curve or record of
        the config's networks, an archive of another experiment, a network that the config wants and
        the archive lacks, and for checkpoints in `results` that are not the archive's.
    ValueError
        For checkpoints of another config; it names the keys that differ.
    """
    results.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=results, prefix=".archive-") as scratch:
        folder = Path(scratch)
        manifest = _extracted(archive, folder)
        _check(archive, manifest, folder, results, config)
        networks = _network_files(Design(Experiment.of(config)))
        # Older than the data, Snakemake would train them again; newer, it goes on where it was.
        data = [path.stat().st_mtime for path in results.glob("datasets/*.h5")]
        for name in manifest["files"]:
            path = results / name
            if path.exists() and (
                name not in networks or path.stat().st_mtime > max(data, default=0)
            ):
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            os.replace(folder / name, path)
            os.utime(path)
        for name in (*networks, _inside(PRECISION)):
            if (results / name).exists():
                write_checksums(results / name)
    return manifest


def _extracted(archive: Path, folder: Path) -> dict[str, Any]:
    try:
        with tarfile.open(archive) as tar:
            unpack_files(tar, folder)
        return json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if Path(archive).exists():
            raise ArchiveError(f"{archive} holds no {_MANIFEST}: not of `make archive`") from error
        raise ArchiveError(f"{archive}: no such archive; `make archive` makes one") from None
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise ArchiveError(f"{archive} is damaged: {error}") from error


def _check(
    archive: Path, manifest: dict[str, Any], folder: Path, results: Path, config: dict[str, Any]
) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != _FORMAT:
        raise ArchiveError(f"{archive}: its {_MANIFEST} is not of this version's `make archive`")
    if manifest["experiment"] != config["experiment"]:
        raise ArchiveError(
            f"{archive} is of experiment {manifest['experiment']}, not {config['experiment']}: set"
            " EXPERIMENT"
        )
    for name, digest in manifest["files"].items():
        if not (folder / name).resolve().is_relative_to(folder.resolve()):
            raise ArchiveError(f"{archive} lists {name}, which leads out of the results folder")
        if not (folder / name).exists() or sha256_of(folder / name) != digest:
            raise ArchiveError(f"{archive} is damaged: {name} is not what {_MANIFEST} lists")
    design = Design(Experiment.of(config))
    networks = _network_files(design)
    for name, plan in networks.items():
        if name not in manifest["files"]:
            # Of the same seed, but trained otherwise: the message says in what.
            alike = f"{plan.architecture}_*_seed{plan.seed}_*/step0.safetensors"
            for other in sorted((folder / name).parents[1].glob(alike)):
                refuse_other_plan(other, plan)
            raise ArchiveError(f"{archive} has no {name}, which the config asks for")
        if name.endswith(".safetensors"):
            refuse_other_plan(folder / name, plan)
        there = results / name
        if there.exists() and sha256_of(there) != manifest["files"][name]:
            raise ArchiveError(
                f"{there} was trained here and is not the archive's: move {there.parent} away first"
            )
    held = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    more = sorted(({*manifest["files"]} | held) - {_MANIFEST, *networks, *_records(design)})
    if more:
        raise ArchiveError(
            f"{archive} holds {', '.join(more[:_SHOWN])}{' …' if len(more) > _SHOWN else ''}: no"
            f" checkpoint, curve or record of the networks of {config['experiment']}, so nothing of"
            " it was taken. Everything else is computed anew; if the archive has more networks"
            f" than the config, use the config that its {_MANIFEST} holds"
        )


def _network_files(design: Design) -> dict[str, TrainingPlan]:
    """What training ends with, for all networks, and the plan of each; relative to the results."""
    experiment = design.experiment
    return {
        _inside(f"{design.network_folder(dataset, network)}/{name}"): plan
        for dataset in experiment.datasets
        for network in experiment.trained
        for plan in [experiment.plan(dataset, network)]
        for name in plan.products
    }


def _records(design: Design) -> list[str]:
    """What says how the networks were trained; relative to the results."""
    logs = [design.log(job) for job in design.jobs if job.shared]
    return [*(_inside(record_path(log)) for log in logs), _inside(PRECISION)]


def _inside(path: str | Path) -> str:
    """A path below the folder of all results, relative to it."""
    return str(Path(path).relative_to("results"))


def _data_digests(datasets_csv: Path) -> dict[str, dict[str, str]]:
    with open(datasets_csv, newline="") as file:
        return {
            row["dataset"]: {key: row[key] for key in ("sha256_train", "sha256_test")}
            for row in csv.DictReader(file)
        }


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """A member without owner and time: the same checkpoints give the same archive."""
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))
