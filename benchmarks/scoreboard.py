"""Every benchmark on its quick setting, as one table in docs/performance.md.

    python benchmarks/scoreboard.py docs/performance.md        what `make benchmark` runs
    python benchmarks/scoreboard.py docs/performance.md --only coverage wide    these anew

Each script of this folder prints rows, as a Markdown table or with `--json` as JSON, one a line;
its full setting is the script without `--quick`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

from convergent_learning.files import replace_when_done
from convergent_learning.words import counted
from convergent_learning.workflow.origin import origin

FOLDER = Path(__file__).resolve().parent
BEGIN, END = "<!-- scoreboard: begin -->", "<!-- scoreboard: end -->"
# Of the numerical libraries. Trainings and Snakemake set those of their own processes.
THREADS = {"alignment": 2}


@dataclass(frozen=True)
class Row:
    """One line of the table.

    figure : what was measured; for a ratio, of what to what.
    measured, ratio : with their units, "" if there is none.
    limit : the peer that it is compared with, or the limit it should keep.
    machine : see `machine`; "" means this one, now.
    """

    figure: str
    measured: str
    ratio: str = ""
    limit: str = ""
    machine: str = ""


def main() -> None:
    """Run every script and write the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("page", type=Path, help="file that holds the two markers")
    parser.add_argument("--baseline", help="results folder of another checkout, for experiment.py")
    known = {script.stem: script for script in scripts()}
    parser.add_argument("--only", nargs="*", choices=known, help="other rows stay as they are")
    options = parser.parse_args()
    here = machine(origin(FOLDER.parent), date.today())
    rows = []
    for script in known.values() if options.only is None else map(known.get, options.only):
        passed = ["--baseline", options.baseline] if options.baseline else []
        rows += run(script, passed if script.stem == "experiment" else [])
    if options.only is not None:
        rows = replaced(
            read(options.page), [replace(row, machine=row.machine or here) for row in rows]
        )
    write(options.page, rows, here)


def scripts() -> list[Path]:
    """The benchmarks, by name."""
    return sorted(path for path in FOLDER.glob("*.py") if path != Path(__file__).resolve())


def run(script: Path, arguments: Sequence[str] = ()) -> list[Row]:
    """What a script prints on its quick setting; CalledProcessError if it fails."""
    print(f"{script.name} …", file=sys.stderr, flush=True)
    threads = str(THREADS.get(script.stem, 1))
    libraries = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    done = subprocess.run(
        [sys.executable, str(script), "--quick", "--json", *arguments],
        cwd=FOLDER.parent,
        env=os.environ | dict.fromkeys(libraries, threads),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [Row(**json.loads(line)) for line in done.stdout.splitlines()]


def replaced(old: Sequence[Row], new: Sequence[Row]) -> list[Row]:
    """The old rows, new ones of the same figures in their places; those of other figures follow.

    Of several rows of one figure, the first takes the place of the first, and so on.
    """
    anew: dict[str, deque[Row]] = {}
    for row in new:
        anew.setdefault(row.figure, deque()).append(row)
    kept = [anew[row.figure].popleft() if anew.get(row.figure) else row for row in old]
    return [*kept, *(row for rows in anew.values() for row in rows)]


def read(page: Path) -> list[Row]:
    """The rows between the markers of a page."""
    _, between, _ = split(page)
    lines = between.strip().splitlines()[2:]
    return [Row(*(cell.strip() for cell in line.strip("| ").split(" | "))) for line in lines]


def split(page: Path) -> tuple[str, str, str]:
    """A page before, between and after its markers; ValueError if they are not there."""
    before, begin, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    between, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{page} lacks the line {BEGIN} or, after it, {END}")
    return before, between, after


def write(page: Path, rows: Sequence[Row], here: str) -> None:
    """Replace what stands between the markers of a page; ValueError if they are not there."""
    before, _, after = split(page)
    with replace_when_done(page) as partial:
        partial.write_text(f"{before}{BEGIN}\n{table(rows, here)}\n{END}{after}", encoding="utf-8")


def table(rows: Sequence[Row], here: str = "") -> str:
    """Rows as a Markdown table; no column for the machine if none is named."""
    named = here or any(row.machine for row in rows)
    columns = [field.name for field in fields(Row) if named or field.name != "machine"]
    names = {"limit": "peer or limit"}
    lines = [[names.get(column, column) for column in columns], ["---"] * len(columns)]
    for row in rows:
        values = asdict(row) | {"machine": row.machine or here}
        lines.append([values[column] for column in columns])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine(about: dict[str, Any], day: date) -> str:
    """Processor, cores, day and commit of an `origin` record."""
    code, hardware = about["code"], about["machine"]
    commit = (code["commit"] or "no commit")[:7] + (" + changes" if code["local_changes"] else "")
    return f"{hardware['cpu']}, {counted(hardware['cores'], 'core')}, {day}, {commit}"


def parser(description: str) -> argparse.ArgumentParser:
    """The options that every script has."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--quick", action="store_true", help="a minute or two")
    made.add_argument("--json", action="store_true", help="print rows as JSON, one a line")
    return made


def show(rows: Sequence[Row], options: argparse.Namespace) -> None:
    """Print the rows of a script."""
    if options.json:
        for row in rows:
            print(json.dumps(asdict(row), ensure_ascii=False))
    else:
        print(table(rows))


if __name__ == "__main__":
    main()
