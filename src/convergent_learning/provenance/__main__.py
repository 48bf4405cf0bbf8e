"""`python -m convergent_learning.provenance`: pack checkpoints, and go on from packed ones."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

from convergent_learning.config.overlay import resolved_config
from convergent_learning.datasets.canonical import read_summary
from convergent_learning.experiment import Experiment
from convergent_learning.provenance.archive import ArchiveError, pack, unpack
from convergent_learning.verification.drawn import clear_drawings


def main(arguments: list[str] | None = None) -> None:
    """Run from the root of the repository; errors that a user can act on are one line."""
    parser = argparse.ArgumentParser(prog="python -m convergent_learning.provenance")
    commands = parser.add_subparsers(required=True)
    archive = commands.add_parser("archive", help="pack the checkpoints of a finished experiment")
    archive.add_argument("experiment")
    archive.add_argument("archive", type=Path)
    archive.set_defaults(run=_archive)
    scores = commands.add_parser("scores", help="from packed checkpoints to the report")
    scores.add_argument("experiment")
    scores.add_argument("archive", type=Path)
    scores.add_argument("--cores", default="1")
    scores.set_defaults(run=_scores)
    chosen = parser.parse_args(arguments)
    try:
        chosen.run(chosen)
    except ValueError as error:
        sys.exit(f"{parser.prog}: {error}")
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)


def _archive(chosen: argparse.Namespace) -> None:
    config = resolved_config(chosen.experiment)
    size = pack(Path("results") / chosen.experiment, config, chosen.archive, Path.cwd())
    print(f"{chosen.archive}: {size / 1e6:.0f} MB, checkpoints of experiment {chosen.experiment}")


def _scores(chosen: argparse.Namespace) -> None:
    start = time.perf_counter()
    config = resolved_config(chosen.experiment)
    results = Path("results") / chosen.experiment
    clear_drawings(results)
    # The data first: checkpoints must be newer than what they were trained on.
    data = [f"results/datasets/{name}.h5" for name in Experiment(config).datasets]
    _snakemake(chosen, *data)
    manifest = unpack(chosen.archive, results, config)
    for name, path in zip(Experiment(config).datasets, data, strict=True):
        found = read_summary(Path(path))
        for key, value in manifest["datasets"][name].items():
            if found[key] != value:
                raise ArchiveError(f"{path}: {key} is {found[key]}, in the archive {value}")
    _forget_trainings(chosen, [str(results / name) for name in manifest["files"]])
    _refuse_training(chosen)
    _snakemake(chosen)
    print(
        f"{len(manifest['files'])} files of {chosen.archive} extracted, nothing trained; report:"
        f" {results}/report.html, after {time.perf_counter() - start:.0f} s"
    )


def _forget_trainings(chosen: argparse.Namespace, files: list[str]) -> None:
    """Snakemake must not compare the archive's checkpoints with a training that once was here."""
    if Path(".snakemake/metadata").is_dir():
        _snakemake(chosen, "--cleanup-metadata", *files, check=False, stderr=subprocess.DEVNULL)


def _refuse_training(chosen: argparse.Namespace) -> None:
    plan = _snakemake(
        chosen, "--dry-run", check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if plan.returncode:
        raise ArchiveError(f"the checkpoints are in place, but the dry run failed:\n{plan.stdout}")
    trainings = [line for line in plan.stdout.splitlines() if line.startswith("train_")]
    if trainings:
        raise ArchiveError(
            f"the checkpoints are in place, yet Snakemake plans {trainings[0].split()[0]}"
        )


def _snakemake(
    chosen: argparse.Namespace, *arguments: str, check: bool = True, **streams: int
) -> subprocess.CompletedProcess:
    overlay = Path(f"workflow/experiments/{chosen.experiment}.yaml")
    options = ["--configfile", str(overlay)] if overlay.exists() else []
    command = [sys.executable, "-m", "snakemake", *arguments, "--cores", chosen.cores, *options]
    return subprocess.run(command, check=check, text=True, **streams)


if __name__ == "__main__":
    main()
