"""How far mistakes move a run that was trained anew.

    python benchmarks/agreement/power.py RUN

RUN is an honest run without a mistake, like `cifar10-seeds-4-5-6`, which
`python -m convergent_learning.workflow honest cifar10 --keep` has left in `results/`. Each mistake
(`mistakes`) is put into a copy of this checkout, the tables that show it are made again, and their
differences from the reference are compared with the limits. Anchors and untrained networks, which
`verify` compares by rounding, are left out here: tests/workflow/test_mistakes.py has them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml
from checkouts import copy, snakemake
from mistakes import OF_SCORES, OF_TRAINING, Mistake

from convergent_learning.tables.storage import read_table
from convergent_learning.verify import roles
from convergent_learning.verify.numbers import compare
from convergent_learning.verify.result import Same, Verification
from convergent_learning.verify.tolerances import Tolerances


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--reference", type=Path, default=Path("results/reference/cifar10"))
    parser.add_argument("--only", nargs="*", default=[*OF_SCORES, *OF_TRAINING])
    parser.add_argument("--cores", default="1")
    chosen = parser.parse_args()
    config = yaml.safe_load(Path(f"results/{chosen.run}.yaml").read_text(encoding="utf-8"))
    print("| mistake | numbers beyond | largest | root mean squares beyond | largest |")
    print("|---|---|---|---|---|")
    honest = Mistake("", "", "", ("fig1_training", "fig2_pairs", "fig2", "fig6_pairs", "fig6"))
    print(row("none", compared(Path(), chosen, honest.tables)), flush=True)
    for name, mistake in (OF_SCORES | OF_TRAINING).items():
        if name not in chosen.only:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            made = Path(scratch)
            prepare(made, config, mistake)
            tables = [f"results/{chosen.run}/tables/{table}.csv" for table in mistake.tables]
            overlay = f"results/{chosen.run}.yaml"
            snakemake(made, tables, chosen.cores, "--configfile", overlay)
            print(row(name, compared(made, chosen, mistake.tables)), flush=True)


def prepare(checkout: Path, config: dict, mistake: Mistake) -> None:
    """This checkout with the mistake, and the results that it does not touch."""
    copy(checkout, [f"{config['experiment']}.yaml", "datasets", "networks"])
    if mistake.trains:
        first = min(config["networks"][-1]["seeds"])
        pattern = mistake.trains.format(first=first)
        for network in (checkout / "results/networks").glob(f"*/{pattern}*"):
            shutil.rmtree(network)
    mistake.make(checkout)


def compared(checkout: Path, chosen: argparse.Namespace, tables: Sequence[str]) -> Verification:
    """The tables against the reference, seeds by rank, by what honest runs show."""
    tolerances = Tolerances.read(chosen.reference, same_weights=False)
    overlay = yaml.safe_load(Path(f"results/{chosen.run}.yaml").read_text(encoding="utf-8"))
    known = json.loads((chosen.reference / "config.json").read_text(encoding="utf-8"))
    own, expected = (each["networks"][0]["seeds"] for each in (overlay, known))
    seeds = dict(zip(sorted(own), sorted(expected), strict=True))
    found = []
    for name in tables:
        old = read_table(chosen.reference / "tables", name)
        new = read_table(checkout / f"results/{chosen.run}/tables", name)
        for column in new:
            if "seed" in column:
                new[column] = new[column].map(seeds)
        found.append(compare(name, old, new, tolerances))
    return Verification(chosen.reference, tolerances, Same(0, 0), Same(0, 0), [], found, [], {})


def row(name: str, found: Verification) -> str:
    """A line of the table."""
    deviations = found.numbers[found.numbers.stage != roles.UNTRAINED].deviation
    ratio = found.sums.spreads / found.sums.limit
    problems = f"; {len(found.problems)} problems: {found.problems[0]}" if found.problems else ""
    return (
        f"| {name}{problems} | {(deviations > 1).sum():,} of {len(deviations):,}"
        f" | {deviations.max():.2f} | {(ratio > 1).sum()} of {len(ratio)} | {ratio.max():.2f} |"
    )


if __name__ == "__main__":
    main()
