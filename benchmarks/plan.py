"""What finished experiments took beside what `make plan` says, from the files that their jobs left.

    python benchmarks/plan.py --results ../other/results

Of each stage of each experiment whose report lies in the results: processor time of all jobs, and
memory of the largest. Nothing is run.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from experiment import EXPERIMENT, made_by
from scoreboard import Row, parser, show

from convergent_learning.config.costs import Costs
from convergent_learning.config.design import Design
from convergent_learning.config.overlay import experiment_named
from convergent_learning.words import counted
from convergent_learning.workflow.calibrate import measured


def main() -> None:
    options_of = parser(__doc__)
    options_of.add_argument("--results", type=Path, default=Path("results"))
    options = options_of.parse_args()
    rows = []
    for report in sorted(options.results.glob("*/report.html")):
        name = report.parent.name
        if name != EXPERIMENT and not Path(f"workflow/experiments/{name}.yaml").exists():
            continue
        costs = Costs(Design(experiment_named(name)))
        taken = measured(costs, options.results.resolve().parent)
        rows += of_stages(name, taken, costs, made_by(options.results, name))
    show(rows, options)


def of_stages(name: str, taken: pd.DataFrame, costs: Costs, made: str) -> Iterator[Row]:
    """Time and memory of each stage of an experiment.

    taken : as `measured` gives it
    """
    units = costs.units
    planned = taken.assign(
        planned_seconds=[units.core_seconds(work) for work in taken.work],
        planned_megabytes=[
            units.peak_megabytes(stage, work)
            for stage, work in zip(taken.stage, taken.work, strict=True)
        ],
    )
    # A job that is also listed by metric has its memory in one row alone.
    planned.loc[planned.megabytes.isna(), "planned_megabytes"] = float("nan")
    for stage, jobs in planned.groupby("stage", sort=False):
        total, expected = jobs.seconds.sum(), jobs.planned_seconds.sum()
        largest, allowed = jobs.megabytes.max(), jobs.planned_megabytes.max()
        yield Row(
            f"plan of `{name}`, {stage}",
            f"{total:,.0f} s of a core in {counted(jobs.megabytes.notna().sum(), 'job')},"
            f" largest {largest:,.0f} MB",
            f"{total / expected:.2f}× the time, {largest / allowed:.2f}× the memory",
            f"planned: {expected:,.0f} s, {allowed:,.0f} MB ({units.machine})",
            made,
        )


if __name__ == "__main__":
    main()
