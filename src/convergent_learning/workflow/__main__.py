"""`python -m convergent_learning.workflow`: what `make` does besides running Snakemake."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from convergent_learning.config.costs import COMMITTED
from convergent_learning.config.design import Design
from convergent_learning.config.experiment import Experiment
from convergent_learning.config.overlay import overlay_option, resolved_config
from convergent_learning.config.paths import DATASET, Paths
from convergent_learning.files import DamagedFileError
from convergent_learning.verify.anchors import write_anchor_scores, write_anchors
from convergent_learning.verify.fingerprints import fingerprints
from convergent_learning.verify.page import page
from convergent_learning.verify.reference import (
    CROISSANT,
    check_digests,
    finish_reference,
    make_reference,
    write_sums,
)
from convergent_learning.words import counted
from convergent_learning.workflow.archive import ArchiveError, pack, unpack
from convergent_learning.workflow.croissant import write_croissant
from convergent_learning.workflow.drawn import clear_drawings
from convergent_learning.workflow.honest import honest_runs, make_honest_run
from convergent_learning.workflow.job_times import stage_times
from convergent_learning.workflow.origin import origin
from convergent_learning.workflow.record import record_path

RESULTS = Path("results")


def main(arguments: list[str] | None = None) -> None:
    """Run from the root of the repository; errors that a user can act on are one line."""
    parser = argparse.ArgumentParser(prog="python -m convergent_learning.workflow")
    commands = parser.add_subparsers(required=True)

    def command(name: str, run, about: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=about)
        made.add_argument("experiment")
        made.set_defaults(run=run)
        return made

    archive = command("archive", _archive, "pack the checkpoints of a finished experiment")
    archive.add_argument("archive", type=Path)
    scores = command("scores", _scores, "from packed checkpoints to the report")
    scores.add_argument("archive", type=Path)
    scores.add_argument("--cores", default="1")
    reference = command("reference", _reference, "make the reference of an experiment")
    reference.add_argument("--results", type=Path, help="its results (default: results/EXPERIMENT)")
    reference.add_argument("--cores", default="1", help="for the scores of its anchors")
    reference.add_argument(
        "--no-anchors", action="store_true", help="its networks are anchors of another reference"
    )
    reference.add_argument("--commit", help="commit that made them (default: the one checked out)")
    command("croissant", _croissant, "describe the tables of a reference anew, for machines")
    honest = command("honest", _honest, "honest runs, and the limits of verify from them")
    honest.add_argument("--sets", type=int, default=4, help="of seeds, each for six runs")
    honest.add_argument("--cores", default="1")
    honest.add_argument("--keep", action="store_true", help="keep the results of each run too")
    calibrate = commands.add_parser("calibrate", help="unit costs of the plan from finished runs")
    calibrate.add_argument("experiments", nargs="+")
    calibrate.add_argument("--out", type=Path, default=COMMITTED, help="default: the committed")
    calibrate.set_defaults(run=_calibrate)
    drawing = command("figures", _figures, "draw figures and report from the reference")
    drawing.add_argument("only", nargs="*", help="names of figures (fig2); without any, all")
    command("clear", _clear, "remove what `figures` drew")
    chosen = parser.parse_args(arguments)
    try:
        chosen.run(chosen)
    except (ValueError, FileNotFoundError, DamagedFileError) as error:
        sys.exit(f"{parser.prog}: {error}")
    except subprocess.CalledProcessError as failed:
        sys.exit(failed.returncode)


def _archive(chosen: argparse.Namespace) -> None:
    size = pack(RESULTS, resolved_config(chosen.experiment), chosen.archive, Path.cwd())
    print(f"{chosen.archive}: {size / 1e6:.0f} MB, checkpoints of experiment {chosen.experiment}")


def _calibrate(chosen: argparse.Namespace) -> None:
    # Runs a convolution: costs the other commands the import of torch.
    from convergent_learning.workflow.calibrate import calibrate

    jobs = calibrate(chosen.experiments, chosen.out)
    print(f"{counted(jobs, 'job')} of {', '.join(chosen.experiments)}: {chosen.out}")


def _scores(chosen: argparse.Namespace) -> None:
    from convergent_learning.datasets.canonical import read_summary

    start = time.perf_counter()
    config, results = resolved_config(chosen.experiment), _results(chosen)
    clear_drawings(results)
    # The data first: checkpoints must be newer than what they were trained on.
    data = {entry["name"]: DATASET.format(dataset=entry["name"]) for entry in config["datasets"]}
    _snakemake(chosen, *data.values())
    manifest = unpack(chosen.archive, RESULTS, config)
    for name, path in data.items():
        found = read_summary(Path(path))
        for key, value in manifest["datasets"][name].items():
            if found[key] != value:
                raise ArchiveError(f"{path}: {key} is {found[key]}, in the archive {value}")
    unpacked = [RESULTS / name for name in manifest["files"]]
    _forget_trainings(chosen, [*map(str, unpacked)])
    _refuse_training(chosen)
    _snakemake(chosen, "all", "claims")
    _check_computed(config, unpacked)
    print(
        f"{len(manifest['files'])} files of {chosen.archive} extracted, nothing trained; report:"
        f" {results}/report.html, after {time.perf_counter() - start:.0f} s"
    )


def _check_computed(config: dict[str, Any], unpacked: list[Path]) -> None:
    """Raise ArchiveError naming what was made of networks, but before these came here."""
    design = Design(Experiment.of(config))
    came = min(path.stat().st_mtime for path in unpacked if path.suffix == ".safetensors")
    of_networks, before = {*map(str, unpacked)}, []
    for job in design.jobs:
        read = {path for paths in job.inputs.values() for path in paths}
        if not job.shared and read & of_networks:
            of_networks.update(job.outputs)
            if record_path(design.log(job)).stat().st_mtime < came:
                before.append(job.outputs[0])
    if before:
        raise ArchiveError(
            f"{before[0]} and {len(before) - 1} more were not computed from the archive's networks"
            f" but lay here before: move results/{config['experiment']} away and try again"
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
    chosen: argparse.Namespace, *arguments: str, check: bool = True, **streams: Any
) -> subprocess.CompletedProcess:
    options = [] if "--configfile" in arguments else overlay_option(chosen.experiment)
    command = [sys.executable, "-m", "snakemake", *arguments, "--cores", chosen.cores, *options]
    return subprocess.run(command, check=check, text=True, **streams)


def _reference(chosen: argparse.Namespace) -> None:
    from convergent_learning.workflow.crate import commit_date  # RO-Crate takes a while to import

    about = origin(Path.cwd())
    if chosen.commit:
        about["code"] |= {"commit": chosen.commit, "local_changes": False}
    commit_date(Path.cwd(), about["code"]["commit"])  # which croissant.json needs in the end
    results, out = chosen.results or _results(chosen), _reference_folder(chosen)
    if results.parent.name != RESULTS.name:
        raise ValueError(f"--results {results}: give the folder results/EXPERIMENT of a checkout")
    config = resolved_config(chosen.experiment)
    benchmarks = Design(Experiment.of(config)).benchmarks(results.parents[1])
    digests = fingerprints(Design(Experiment.of(config)), results.parents[1])
    make_reference(results, out, config, about, stage_times(benchmarks), digests)
    if not chosen.no_anchors:
        _add_anchors(chosen, results, out, config)
    write_croissant(out, Path.cwd())
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {size / 1e6:.1f} MB")


def _add_anchors(
    chosen: argparse.Namespace, results: Path, out: Path, config: dict[str, Any]
) -> None:
    write_anchors(Design(Experiment.of(config)), results.parents[1], out)
    design = Design(Experiment.of(config))  # which has found the anchors
    if design.anchors:
        _snakemake(chosen, *(path for job in design.anchors for path in job.outputs[:2]))
        write_anchor_scores(design, out)
    write_sums(out)


def _croissant(chosen: argparse.Namespace) -> None:
    reference = _checked_reference(chosen)
    write_croissant(reference, Path.cwd())
    print(f"{reference / CROISSANT}: the tables of experiment {chosen.experiment}")


def _honest(chosen: argparse.Namespace) -> None:
    reference, config = _reference_folder(chosen), resolved_config(chosen.experiment)
    if not reference.is_dir():
        raise FileNotFoundError(f"{reference}: make it first, with `make reference`")
    runs = [*honest_runs(config, chosen.sets)]
    for number, run in enumerate(runs, start=1):
        print(f"honest run {number} of {len(runs)}: {run.name}", flush=True)
        snakemake = partial(_snakemake, chosen)
        kept = make_honest_run(run, config, reference, snakemake, chosen.keep)
        print(f"  {kept}", flush=True)
    measured = finish_reference(reference)
    if measured is None:
        raise ValueError(f"{reference}: too few runs for limits; ask for more --sets")
    print(*page(chosen.experiment, measured), sep="\n")


def _figures(chosen: argparse.Namespace) -> None:
    # Draws: costs the other commands a second.
    from convergent_learning.workflow.drawing import draw_from_reference

    start = time.perf_counter()
    reference, results = _checked_reference(chosen), _results(chosen)
    drawn = draw_from_reference(reference, results, Path.cwd(), chosen.only)
    print(
        f"{counted(drawn, 'figure')}, claims and report drawn from {reference} into {results} in"
        f" {time.perf_counter() - start:.0f} s; nothing was computed"
    )


def _clear(chosen: argparse.Namespace) -> None:
    clear_drawings(_results(chosen))


def _results(chosen: argparse.Namespace) -> Path:
    return RESULTS / chosen.experiment


def _reference_folder(chosen: argparse.Namespace) -> Path:
    return Path(Paths(chosen.experiment).reference)


def _checked_reference(chosen: argparse.Namespace) -> Path:
    """The reference, which must be there as it was committed."""
    reference = _reference_folder(chosen)
    if not reference.is_dir():
        raise FileNotFoundError(f"{reference}: no reference of experiment {chosen.experiment}")
    check_digests(reference)
    return reference


if __name__ == "__main__":
    main()
