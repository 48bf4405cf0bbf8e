"""What rounding moves the numbers of the same weights by.

    python benchmarks/agreement/rounding.py RESULTS OTHER…

RESULTS and OTHER are results folders of one experiment with the same networks, scored with other
kernels, instruction sets or threads, for example after
`ONEDNN_MAX_CPU_ISA=AVX2 ATEN_CPU_CAPABILITY=avx2 make scores ARCHIVE=…`. Prints the largest
difference of each kind of number and what `verify` allows. docs/reproducing.md has what was seen.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

from convergent_learning.alignment.registry import metrics
from convergent_learning.verify import roles
from convergent_learning.verify.numbers import compare_tables
from convergent_learning.verify.tolerances import Tolerances


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("others", type=Path, nargs="+", metavar="other")
    chosen = parser.parse_args()
    exact = Tolerances(pd.Series(dtype=float), {}, same_weights=True)
    parts = []
    for other in chosen.others:
        compared = compare_tables(chosen.results / "tables", other / "tables", exact)
        for problem in (problem for table in compared for problem in table.problems):
            print(f"{other}: {problem}")
        parts += [table.numbers for table in compared]
    numbers = pd.concat(parts, ignore_index=True)
    numbers["difference"] = (numbers.reference - numbers.rebuilt).abs()
    numbers["of"] = [
        kind(*row) for row in zip(numbers.column, numbers.metric, numbers.baseline, strict=True)
    ]
    numbers["networks"] = (numbers.stage == roles.UNTRAINED).map(
        {True: "untrained", False: "trained"}
    )
    print("| number | networks | numbers | 99.9% below | largest | allowed | where |")
    print("|---|---|---|---|---|---|---|")
    for (of, networks), rows in numbers.groupby(["of", "networks"]):
        worst = rows.loc[rows.deviation.idxmax()]
        print(
            f"| {of} | {networks} | {len(rows):,} | {rows.difference.quantile(0.999):.1e}"
            f" | {worst.difference:.1e} | {worst.tolerance:.1e}"
            f" | {worst.table}.{worst.column}: {worst.row} |"
        )


def kind(column: str, metric: str, baseline: str) -> str:
    if not metric:
        return (
            "ends of intervals of accuracies"
            if roles.kind(column) == roles.INTERVAL_END
            else column
        )
    matched = metric in ("permutation", "soft_matching")
    of = (
        "matched units"
        if matched
        else "context metrics"
        if metric in metrics(context=True)
        else "maps"
    )
    if baseline == "shuffled" or column == "shuffled":
        of += ", shuffled stimuli"
    if column.startswith(("p", "n_")) or column in ("slope", "intercept"):
        return column
    if column.startswith("accuracy"):
        return "accuracy"
    return f"{of}, {roles.kind(column)}s"


if __name__ == "__main__":
    main()
