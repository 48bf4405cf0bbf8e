"""What `verify` sees of mistakes: the page docs/power.md.

    python benchmarks/agreement/power.py RUN > docs/power.md

RUN is an honest run without a mistake, like `cifar10-seeds-4-5-6`, which
`python -m convergent_learning.workflow honest cifar10 --keep` has left in `results/`. Each mistake
(`mistakes`) is put into a copy of this checkout, the tables that show it are made again, and their
differences from the reference are compared with what `verify` allows. The anchors are scored again
with the mistake, too. With `--only`, several processes can share the mistakes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from checkouts import ROOT, copy, machine, score_anchors, snakemake
from mistakes import OF_SCORES, OF_TRAINING, Mistake

from convergent_learning.tables.storage import read_table
from convergent_learning.verify import roles
from convergent_learning.verify.anchors import compare_anchors
from convergent_learning.verify.numbers import compare
from convergent_learning.verify.reference import ORIGIN, read_config
from convergent_learning.verify.result import Same, Verification
from convergent_learning.verify.tolerances import Tolerances
from convergent_learning.workflow.origin import origin

_RESPONSES = ("stimuli", "moments", "layers", "accuracy", "checksums")
_NONE = Mistake("", "", "", ("fig1_training", "fig2_pairs", "fig2", "fig6_pairs", "fig6"))
_HEAD = """# What verify sees of mistakes

Made by `python benchmarks/agreement/power.py {run}`: no number was typed by hand. Each mistake was
put into the code, one at a time, and what it came to was compared with the reference of
`{experiment}` in three ways:

- **Anchors**: the reference's trained networks, scored again with the mistake. What share of their
  scores differs by more than [rounding](rounding.md) may do?
- **Untrained networks**. What share of their numbers differs by more than that from those of the
  same networks without the mistake?
- **Trained networks** of the rerun, which were trained anew with seeds {seeds} in {precision}. The
  largest of their [statistics](reproducing.md#networks-trained-anew), in limits: above 1, they
  differ from the reference by more than [honest reruns](agreement.md) do.

A mistake fails the verification if one of the three shows it, which is printed in bold. Mistakes of
training do not reach the anchors, whose weights are given; a portable training with such a mistake
has other weights than the reference, which fails by itself ([Verify](reproducing.md#verify)). Only
the tables that show a mistake most directly were made again: `verify` compares all of them. A dash
stands where these have no untrained networks.

- The reference was computed on {theirs}.
- The rerun, on {ours}, {today}.

| mistake | anchors | untrained networks | trained networks | of what |
|---|---|---|---|---|"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run")
    parser.add_argument("--experiment", default="cifar10", help="whose reference it is")
    parser.add_argument("--only", nargs="*", default=[*OF_SCORES, *OF_TRAINING])
    parser.add_argument("--cores", default="1")
    chosen = parser.parse_args()
    config = yaml.safe_load((ROOT / f"results/{chosen.run}.yaml").read_text(encoding="utf-8"))
    reference = ROOT / "results/reference" / chosen.experiment
    print(head(chosen, config, reference))
    honest = of_trained(ROOT, config, reference, _NONE)
    print(row("none", "0", "0", honest), flush=True)
    for name, mistake in (OF_SCORES | OF_TRAINING).items():
        if name not in chosen.only:
            continue
        print(f"{name} …", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            made = Path(scratch)
            prepare(made, config, chosen.experiment, mistake)
            tables = [f"results/{chosen.run}/tables/{table}.csv" for table in mistake.tables]
            snakemake(made, tables, chosen.cores, "--configfile", f"results/{chosen.run}.yaml")
            untrained = of_untrained(made, config, reference, mistake)
            trained = of_trained(made, config, reference, mistake)
            anchors = of_anchors(made, chosen.experiment, reference, mistake, chosen.cores)
        print(row(name, anchors, share(untrained), trained), flush=True)


def head(chosen: argparse.Namespace, config: dict[str, Any], reference: Path) -> str:
    """The page down to its table."""
    return _HEAD.format(
        run=chosen.run,
        experiment=chosen.experiment,
        seeds=", ".join(map(str, config["networks"][0]["seeds"])),
        precision=config["training"]["precision"],
        theirs=machine(json.loads((reference / ORIGIN).read_text(encoding="utf-8"))),
        ours=machine(origin(ROOT)),
        today=date.today(),
    )


def prepare(checkout: Path, config: dict[str, Any], experiment: str, mistake: Mistake) -> None:
    """This checkout with the mistake, and the results that it does not touch."""
    run = config["experiment"]
    kept = [f"{run}.yaml", f"reference/{experiment}", "datasets", "networks"]
    if not (mistake.trains or mistake.shows):
        kept += [f"{run}/{made}" for made in _RESPONSES]
    copy(checkout, kept)
    if mistake.trains:
        first = min(config["networks"][-1]["seeds"])
        pattern = mistake.trains.format(first=first)
        for network in (checkout / "results/networks").glob(f"*/{pattern}"):
            shutil.rmtree(network)
    mistake.make(checkout)


def of_untrained(
    checkout: Path, config: dict[str, Any], reference: Path, mistake: Mistake
) -> pd.DataFrame:
    """Numbers of the untrained networks beside those of this checkout, as of the same weights."""
    tolerances = Tolerances.read(reference, same_weights=True)
    parts = []
    for name in mistake.tables:
        old, new = (
            read_table(folder / f"results/{config['experiment']}/tables", name)
            for folder in (ROOT, checkout)
        )
        parts.append(compare(name, old, new, tolerances).numbers)
    numbers = pd.concat(parts)
    return numbers[numbers.stage == roles.UNTRAINED]


def of_trained(
    checkout: Path, config: dict[str, Any], reference: Path, mistake: Mistake
) -> Verification:
    """The tables that show the mistake against the reference, seeds by rank, as of honest runs."""
    tolerances = Tolerances.read(reference, same_weights=False)
    known = read_config(reference)
    own, expected = (each["networks"][0]["seeds"] for each in (config, known))
    seeds = dict(zip(sorted(own), sorted(expected), strict=True))
    found = []
    for name in mistake.tables:
        old = read_table(reference / "tables", name)
        new = read_table(checkout / f"results/{config['experiment']}/tables", name)
        for column in new:
            if "seed" in column:
                new[column] = new[column].map(seeds)
        found.append(compare(name, old, new, tolerances))
    return Verification(reference, tolerances, Same(0, 0), Same(0, 0), [], found, [], {})


def of_anchors(
    checkout: Path, experiment: str, reference: Path, mistake: Mistake, cores: str
) -> str:
    """What the anchors show of a mistake, on the block of samples that it is about."""
    if mistake.trains and "networks/" not in mistake.module:
        return "not touched"
    block = "pixel_values" if "fig6" in mistake.tables else "final"
    try:
        scored = score_anchors(checkout, experiment, block, cores)
    except subprocess.CalledProcessError:
        return "**cannot be scored**"
    return share(pd.concat([table.numbers for table in compare_anchors(reference, scored)]))


def share(numbers: pd.DataFrame) -> str:
    """How many numbers lie beyond their tolerance, in bold if any does; a dash if none is there."""
    if numbers.empty:
        return "–"
    beyond = (numbers.deviation > 1).mean()
    return f"**{beyond:.1%}**" if beyond else "0"


def row(name: str, anchors: str, untrained: str, trained: Verification) -> str:
    """A line of the table."""
    numbers = trained.numbers[trained.numbers.stage != roles.UNTRAINED]
    sums = trained.sums.assign(deviation=trained.sums.spreads / trained.sums.limit)
    largest = numbers.deviation.max(), sums.deviation.max()
    which = numbers if largest[0] >= largest[1] else sums
    worst = which.loc[which.deviation.idxmax()]
    kind = "number" if which is numbers else "root mean square"
    said = " ".join(str(worst[key]) for key in ("table", "column", "metric") if worst[key])
    beyond = f"{max(largest):.2f}"
    cells: Sequence[str] = (
        name,
        anchors,
        untrained,
        f"**{beyond}**" if max(largest) > 1 else beyond,
        f"{kind} of {said}" + "".join(f"; {_short(each)}" for each in trained.problems[:1]),
    )
    return f"| {' | '.join(cells)} |"


def _short(problem: str) -> str:
    """A problem of a table without the rows that it names."""
    return ":".join(problem.split(":")[:2])


if __name__ == "__main__":
    main()
