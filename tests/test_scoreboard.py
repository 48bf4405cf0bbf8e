"""The table of docs/performance.md is made by the scripts of benchmarks/, all of them."""

import contextlib
import importlib.util
import json
import subprocess
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from convergent_learning.config.costs import UnitCosts
from convergent_learning.config.work import Work

ROOT = Path(__file__).parents[1]
ABOUT = {
    "code": {"commit": "0123456789abcdef", "local_changes": True},
    "machine": {"cpu": "A processor", "cores": 2},
}
PAGE = "# Title\n\n{begin}\nold\n{end}\n\nText stays | as it is.\n"


@contextlib.contextmanager
def loaded(name):
    """A script of benchmarks/ by its path: their names are names of packages too."""
    found = importlib.util.spec_from_file_location(name, ROOT / f"benchmarks/{name}.py")
    module = importlib.util.module_from_spec(found)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, name, module)
        found.loader.exec_module(module)
        yield module


@pytest.fixture(scope="module")
def scoreboard():
    with loaded("scoreboard") as module:
        yield module


@pytest.fixture
def page(scoreboard, tmp_path):
    path = tmp_path / "page.md"
    path.write_text(PAGE.format(begin=scoreboard.BEGIN, end=scoreboard.END), encoding="utf-8")
    return path


def test_only_what_is_between_the_markers_is_replaced(scoreboard, page):
    rows = [
        scoreboard.Row("speed", "3 images/s", "2× as fast", "a peer", "elsewhere"),
        scoreboard.Row("size", "1 GB"),
    ]
    scoreboard.write(page, rows, "here")
    text = page.read_text(encoding="utf-8")
    table = text.partition(scoreboard.BEGIN)[2].partition(scoreboard.END)[0]
    assert text.replace(table, "\nold\n") == PAGE.format(begin=scoreboard.BEGIN, end=scoreboard.END)
    assert table.strip().splitlines() == [
        "| figure | measured | ratio | peer or limit | machine |",
        "| --- | --- | --- | --- | --- |",
        "| speed | 3 images/s | 2× as fast | a peer | elsewhere |",
        "| size | 1 GB |  |  | here |",
    ]
    scoreboard.write(page, rows, "here")
    assert page.read_text(encoding="utf-8") == text


def test_some_rows_are_measured_anew(scoreboard, page):
    old = [
        scoreboard.Row("speed", "3", "", "a limit", "m"),
        scoreboard.Row("size", "1", machine="m"),
    ]
    scoreboard.write(page, old, "here")
    assert scoreboard.read(page) == old
    new = [scoreboard.Row("more", "5"), scoreboard.Row("size", "2", machine="n")]
    assert scoreboard.replaced(old, new) == [old[0], new[1], new[0]]
    twice = [scoreboard.Row("the same", str(n)) for n in range(4)]
    assert scoreboard.replaced([twice[0], old[0], twice[1]], twice[2:]) == [
        twice[2],
        old[0],
        twice[3],
    ]


def test_a_page_without_markers_is_left_alone(scoreboard, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(f"{scoreboard.END}\n{scoreboard.BEGIN}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="lacks the line"):
        scoreboard.write(page, [], "here")


def test_the_page_of_the_repository_has_its_markers(scoreboard):
    text = (ROOT / "docs/performance.md").read_text(encoding="utf-8")
    assert text.count(scoreboard.BEGIN) == text.count(scoreboard.END) == 1


def test_every_script_is_run(scoreboard, page, monkeypatch):
    run = []

    def fake(command, **_):
        run.append(command[1:])
        row = scoreboard.Row(Path(command[1]).stem, "1")
        return SimpleNamespace(stdout=json.dumps(asdict(row)) + "\n")

    monkeypatch.setattr(scoreboard, "origin", lambda repository: ABOUT)
    monkeypatch.setattr(subprocess, "run", fake)
    monkeypatch.setattr(sys, "argv", ["scoreboard.py", str(page), "--baseline", "other/results"])
    scoreboard.main()
    names = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py"))
    names.remove("scoreboard")
    assert [Path(script).stem for script, *_ in run] == names
    for script, *arguments in run:
        given = ["--baseline", "other/results"] if Path(script).stem == "experiment" else []
        assert arguments == ["--quick", "--json", *given]
    text = page.read_text(encoding="utf-8")
    assert all(f"| {name} | 1 |" in text for name in names)
    assert f"| A processor, 2 cores, {date.today()}, 0123456 + changes |" in text


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda p: p.stem)
def test_every_script_has_the_options_of_the_scoreboard(script):
    known = subprocess.run(
        [sys.executable, script, "--help"], capture_output=True, text=True, check=True
    )
    named = ["page"] if script.stem == "scoreboard" else ["--quick", "--json"]
    assert all(name in known.stdout for name in named)


def test_a_script_prints_rows(scoreboard):
    rows = scoreboard.run(ROOT / "benchmarks/coverage.py")
    assert len(rows) == 8 + 8 + 4
    assert all("network" in row.figure and row.measured for row in rows)


def test_the_time_before_work_is_summed_over_the_jobs_that_logged_it(scoreboard, tmp_path):
    jobs = {"cifar10/{}/claims": (3, 1.0), "networks/{}/a": (5, 3.0), "networks/{}/b": (100, None)}
    for name, (lasted, started) in jobs.items():
        log = tmp_path / f"{name.format('logs')}.log"
        times = tmp_path / f"{name.format('benchmarks')}.tsv"
        for file in (log, times):
            file.parent.mkdir(parents=True, exist_ok=True)
        times.write_text(f"s\th:m:s\tmax_rss\n{lasted}\t0:00:00\t90\n")
        said = "" if started is None else f"INFO work starts {started:.2f} s after the process\n"
        log.write_text(f"{said}INFO done\n")
    with loaded("experiment") as experiment:
        row = experiment.before_work(tmp_path, "here")
    assert row.measured == "50.0% (4 of 8 s in 2 jobs)"
    assert row.machine == "here"


def test_time_and_memory_are_given_beside_the_plan(scoreboard):
    units = UnitCosts({"x": 2.0}, {"scores": (100.0, 1.0)}, "a machine", [])
    # Two jobs; the first also logged what a part of its work took, which has no memory of its own.
    taken = pd.DataFrame(
        [
            ("scores", Work({"x": 10}), 15.0, float("nan")),
            ("scores", Work({"x": 5}, memory=300), 10.0, 200.0),
            ("scores", Work({"x": 5}, memory=100), 5.0, 150.0),
        ],
        columns=["stage", "work", "seconds", "megabytes"],
    )
    with loaded("experiment"), loaded("plan") as plan:
        [row] = plan.of_stages("mine", taken, SimpleNamespace(units=units), "here")
    assert row.figure == "plan of `mine`, scores"
    assert row.measured == "30 s of a core in 2 jobs, largest 200 MB"
    assert row.ratio == "0.75× the time, 0.50× the memory"
    assert row.limit == "planned: 40 s, 400 MB (a machine)"
