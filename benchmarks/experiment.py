"""What the finished default experiment took, from the files that its jobs left.

    python benchmarks/experiment.py --baseline ../other/results

Wall seconds of each stage, memory and disk come from Snakemake's benchmark files, the time before
work starts from the jobs' logs. Only the run that finds nothing to do is timed now. With the
results of another checkout, made on the same machine, each time is also given as a share of theirs.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pandas as pd
from scoreboard import Row, machine, parser, show

from convergent_learning.config.jobs import STAGES
from convergent_learning.words import counted
from convergent_learning.workflow.job_times import job_time, stage_times

EXPERIMENT = "cifar10"
# As convergent_learning.workflow.job writes it: wall time from the process's creation to its work.
WORK_STARTS = re.compile(r"work starts ([\d.]+) s after the process")


def main() -> None:
    options_of = parser(__doc__)
    options_of.add_argument("--results", type=Path, default=Path("results"))
    options_of.add_argument("--baseline", type=Path, help="results folder of another checkout")
    options = options_of.parse_args()
    if not (options.results / EXPERIMENT / "report.html").exists():
        rows = [Row("default experiment", "not measured: run `make reproduce` first")]
    else:
        made = made_by(options.results)
        theirs = stages(options.baseline) if options.baseline else None
        peer = made_by(options.baseline) if options.baseline else ""
        ours = stages(options.results)
        rows = [
            *(of_stage(name, stage, theirs, peer, made) for name, stage in ours.iterrows()),
            of_all(ours, theirs, peer, made),
            peak_memory(ours, made),
            on_disk(options.results, made),
            before_work(options.results, made),
            nothing_to_do(options.results, options.baseline, peer),
        ]
    show(rows, options)


def made_by(results: Path, experiment: str = EXPERIMENT) -> str:
    """Machine, day and commit of the report, from its job's record."""
    record = results / experiment / "provenance/report.json"
    day = date.fromtimestamp(record.stat().st_mtime)
    return machine(json.loads(record.read_text(encoding="utf-8")), day)


def stages(results: Path) -> pd.DataFrame:
    """Jobs, total and longest seconds and memory of each stage, most seconds first.

    Trainings are shared by experiments, in a folder of their own: those of all are counted.
    Tables, figures, claims and what follows are one stage.
    """
    own, shared = (results / name / "benchmarks" for name in (EXPERIMENT, "networks"))
    files = [(_stage(file.relative_to(own)), file) for file in sorted(own.rglob("*.tsv"))]
    files += [("training", file) for file in sorted(shared.rglob("*.tsv"))]
    return stage_times(files).set_index("stage")


def _stage(file: Path) -> str:
    """The stage of a benchmark file, also of a checkout whose folders were called otherwise."""
    folder = file.parts[0]
    renamed = {"train": "training", "pretrained": "training", "activations": "moments"}
    return folder if folder in STAGES else renamed.get(folder, "figures")


def of_stage(name: str, stage: pd.Series, theirs: pd.DataFrame | None, peer: str, made: str) -> Row:
    return Row(
        f"default experiment, {name}",
        f"{stage.total:,.0f} s in {counted(int(stage.jobs), 'job')},"
        f" longest {stage.longest:,.0f} s, peak {stage.memory:,.0f} MB",
        *share(stage.total, None if theirs is None else theirs.total.get(name), peer),
        made,
    )


def of_all(ours: pd.DataFrame, theirs: pd.DataFrame | None, peer: str, made: str) -> Row:
    total = ours.total.sum()
    return Row(
        "default experiment, all jobs",
        f"{total:,.0f} s in {counted(ours.jobs.sum(), 'job')}",
        *share(total, None if theirs is None else theirs.total.sum(), peer),
        made,
    )


def share(seconds: float, theirs: float | None, peer: str) -> tuple[str, str]:
    """The cells of ratio and peer."""
    if theirs is None:
        return "", ""
    return f"{seconds / theirs:.2f}× the time", f"{theirs:,.1f} s: {peer}"


def peak_memory(ours: pd.DataFrame, made: str) -> Row:
    stage = ours.memory.idxmax()
    figure = "default experiment, peak memory of a job"
    return Row(figure, f"{ours.memory[stage]:,.0f} MB ({stage})", machine=made)


def on_disk(results: Path, made: str) -> Row:
    """Disk space of the results but for the committed reference."""
    files = [p for p in results.rglob("*") if "reference" not in p.relative_to(results).parts]
    taken = sum(path.lstat().st_blocks * 512 for path in files)
    return Row("default experiment, size of results/", f"{taken / 1e6:,.0f} MB", machine=made)


def before_work(results: Path, made: str) -> Row:
    """Share of the job time that passes before work starts, over the jobs that logged it."""
    figure = "default experiment, share of job time before work starts"
    started, lasted = [], []
    for name in (EXPERIMENT, "networks"):
        benchmarks = results / name / "benchmarks"
        for file in benchmarks.rglob("*.tsv"):
            log = results / name / "logs" / file.relative_to(benchmarks).with_suffix(".log")
            said = WORK_STARTS.search(log.read_text(encoding="utf-8")) if log.exists() else None
            if said:
                started.append(float(said[1]))
                lasted.append(job_time(file)["s"])
    if not started:
        return Row(figure, "not measured: no job logged when its work started", machine=made)
    before, total = sum(started), sum(lasted)
    measured = (
        f"{before / total:.1%} ({before:,.0f} of {total:,.0f} s in {counted(len(started), 'job')})"
    )
    return Row(figure, measured, machine=made)


def nothing_to_do(results: Path, baseline: Path | None, peer: str) -> Row:
    """The second run, in this checkout and by turns in the other."""
    figure = "`snakemake --cores 2` on the finished default experiment"
    checkouts = [folder.resolve().parent for folder in (results, baseline) if folder]
    for checkout in checkouts:
        if not finds_nothing(checkout, "--dry-run"):
            return Row(figure, f"not measured: Snakemake finds jobs to do in {checkout.name}")
    seconds: dict[Path, list[float]] = {checkout: [] for checkout in checkouts}
    for _ in range(3):
        for checkout in checkouts:
            began = time.perf_counter()
            finds_nothing(checkout)
            seconds[checkout].append(time.perf_counter() - began)
    ours, *others = (min(values) for values in seconds.values())
    return Row(figure, f"{ours:.1f} s", *share(ours, next(iter(others), None), peer))


def finds_nothing(checkout: Path, *arguments: str) -> bool:
    """Whether Snakemake says that nothing is left to do."""
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *arguments],
        cwd=checkout,
        env=os.environ | {"PYTHONPATH": str(checkout / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return "Nothing to be done" in done.stdout


if __name__ == "__main__":
    main()
