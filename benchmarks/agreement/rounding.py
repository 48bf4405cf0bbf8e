"""What rounding moves the scores of the same weights by: the page docs/rounding.md.

    python benchmarks/agreement/rounding.py > docs/rounding.md

The anchors of a committed reference are scored again on every condition, in a copy of this
checkout, by numerical libraries that are told to compute in other ways.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from checkouts import ROOT, copy, machine, score_anchors

from convergent_learning.alignment.registry import metrics
from convergent_learning.verify.anchors import KEYS, read_anchor_tables
from convergent_learning.verify.reference import ORIGIN
from convergent_learning.verify.rounding import MATCHES, rounding, with_ridge
from convergent_learning.words import counted
from convergent_learning.workflow.origin import origin

_MATCHING = ("permutation", "soft_matching")
WAYS = {
    "as installed": {},
    "AVX2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "OPENBLAS_CORETYPE": "Haswell",
        "MKL_CBWR": "COMPATIBLE",
    },
    "SSE 4.1": {
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "ATEN_CPU_CAPABILITY": "default",
        "OPENBLAS_CORETYPE": "Nehalem",
        "MKL_CBWR": "COMPATIBLE",
    },
}
_HEAD = """# What rounding may do

Made by `python benchmarks/agreement/rounding.py`: no number was typed by hand. The anchors of the
reference of `{experiment}`, {networks}, were scored again on every condition, and compared with the
scores in the reference. Of each kind of number, the largest difference is given, beside what
[`make verify`](reproducing.md#verify) allows between numbers that were computed from the same
weights.

- The reference was computed on {theirs}.
- Scored again on {ours}.
{ways}"""
_ALL = "one thread, with all instructions that the processor has"
_TAIL = """
An end of an interval may differ by {stretched:g} times as much as the numbers that it is the
interval of. The λ of a fold is one of nine: where two of them do equally well, rounding decides
which one is taken. A share of best matches may differ by {match:g}, about one match: where two
layers score nearly the same, rounding decides which one is best."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment", nargs="?", default="cifar10")
    parser.add_argument("--ways", nargs="*", choices=WAYS, default=[*WAYS])
    parser.add_argument("--cores", default="1")
    chosen = parser.parse_args()
    reference = ROOT / "results/reference" / chosen.experiment
    expected = read_anchor_tables(reference)
    if expected is None:
        parser.error(f"{reference} has no anchors: make them with `make reference`")
    with tempfile.TemporaryDirectory() as scratch:
        checkout = Path(scratch)
        datasets = ["datasets"] * (ROOT / "results/datasets").exists()
        copy(checkout, [f"reference/{chosen.experiment}", *datasets])
        seen = {
            way: differences(expected, scored(checkout, chosen.experiment, way, chosen.cores))
            for way in chosen.ways
        }
    print("\n".join(page(chosen.experiment, reference, seen)))


def scored(checkout: Path, experiment: str, way: str, cores: str) -> tuple[pd.DataFrame, ...]:
    """Scores and accuracies of the anchors, computed in one of the `WAYS`."""
    print(f"{way} …", file=sys.stderr, flush=True)
    return score_anchors(checkout, experiment, None, cores, environment=WAYS[way])


def differences(
    expected: tuple[pd.DataFrame, ...], found: tuple[pd.DataFrame, ...]
) -> pd.DataFrame:
    """Of each kind of number: how many there are, what may differ, and what differs most."""
    parts = []
    for (name, keys), old, new in zip(KEYS.items(), expected, found, strict=True):
        column = "accuracy" if name == "accuracy" else "score"
        both = old.merge(new, on=keys, suffixes=("", " found"), validate="1:1")
        if not len(both) == len(old) == len(new):
            raise ValueError(f"{name}: {len(old)} rows in the reference, {len(new)} found")
        parts.append(
            pd.DataFrame(
                {
                    "kind": kinds(both) if column == "score" else "accuracies",
                    "allowed": rounding(column, both),
                    "largest": (both[column] - both[f"{column} found"]).abs(),
                }
            )
        )
    numbers = pd.concat(parts)
    return numbers.groupby("kind", sort=False).agg(
        numbers=("largest", "size"), allowed=("allowed", "max"), largest=("largest", "max")
    )


def kinds(scores: pd.DataFrame) -> pd.Series:
    """What the metric of each row does, and the baseline that it is scored against, if any."""
    of = dict.fromkeys(_MATCHING, "scores where units are matched")
    of |= dict.fromkeys(metrics(context=True), "scores of context metrics")
    kind = scores.metric.map(of).fillna("scores of maps")
    kind += np.where(scores.metric.isin(with_ridge()), " with a chosen λ", "")
    against = scores.baseline.map({"learned": "", "none": "", "": ""}).fillna(
        ", " + scores.baseline.astype(str)
    )
    return kind + against


def page(experiment: str, reference: Path, seen: dict[str, pd.DataFrame]) -> list[str]:
    """The page, from what was seen in each way."""
    theirs = json.loads((reference / ORIGIN).read_text(encoding="utf-8"))
    anchors = counted(len([*reference.glob("anchors/*/*.safetensors")]), "network")
    ways = [
        f"- {way}: " + (", ".join(f"`{name}={value}`" for name, value in WAYS[way].items()) or _ALL)
        for way in seen
    ]
    head = _HEAD.format(
        experiment=experiment,
        networks=anchors,
        theirs=machine(theirs),
        ours=f"{machine(origin(ROOT))}, {date.today()}",
        ways="\n".join(ways),
    )
    first = next(iter(seen.values()))
    lines = [head, "", f"| number | how many | allowed | {' | '.join(seen)} |"]
    lines.append("|---" * (3 + len(seen)) + "|")
    for kind, row in first.iterrows():
        largest = " | ".join(f"{found.largest[kind]:.2g}" for found in seen.values())
        lines.append(f"| {kind} | {row.numbers:,.0f} | {row.allowed:g} | {largest} |")
    of = pd.DataFrame({"metric": ["linear"], "baseline": [""]})
    [end], [score], [match] = (
        rounding(column, of, table)
        for column, table in (("low", ""), ("score", ""), ("mean", MATCHES))
    )
    return [*lines, _TAIL.format(stretched=end / score, match=match)]


if __name__ == "__main__":
    main()
