"""Anchors: trained networks in the reference, whose scores must come out the same everywhere.

Training is chaotic, so that scores of networks that were trained again say little about how they
were computed. The anchors' weights are given: their scores and accuracies on every condition may
differ by rounding only, and a mistake anywhere between raw data and scores shows in them.

A reference holds ``anchors/plans.json`` (how they were trained), ``anchors/<dataset>/<network>
.safetensors``, and what was found with them, ``anchors/scores.csv.gz`` and ``accuracy.csv``.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from convergent_learning.activations.accuracy import ACCURACY_COLUMNS
from convergent_learning.alignment.score_tables import COLUMNS, MEASURED, TEXTS
from convergent_learning.config.design import Design
from convergent_learning.config.experiment import Network
from convergent_learning.files import damaged_file_named
from convergent_learning.verify import roles
from convergent_learning.verify.numbers import NUMBERS, ComparedTable, side_by_side
from convergent_learning.verify.rounding import rounding

NAME = "anchors"
PLANS, SCORES, ACCURACY = (
    f"{NAME}/{file}" for file in ("plans.json", "scores.csv.gz", "accuracy.csv")
)
_SCORE_KEYS = [
    column for column in COLUMNS if column not in (*MEASURED, "fold", "depth_x", "depth_y")
]
KEYS = {
    "scores": _SCORE_KEYS,
    "accuracy": [column for column in ACCURACY_COLUMNS if column not in ("accuracy", "n")],
}
_TEXTS = dict.fromkeys([*TEXTS, "group"], str)
_SEEDS = 2  # of a group: one pair
_MOST_BYTES = 8_000_000


def write_anchors(design: Design, checkout: Path, out: Path) -> None:
    """Put the final checkpoints of some networks, and their plans, into the reference `out`.

    The first seeds of each group, small groups first, as many as 8 MB hold. Kernels are rounded to
    float16: they are the anchors' weights then, and half the size.

    checkout : where the networks of `design` lie
    """
    experiment = design.experiment
    plans: dict[str, dict[str, dict]] = {}
    left = _MOST_BYTES
    for dataset in experiment.datasets:
        for networks in _smallest_first(design, dataset, checkout):
            files = [checkout / design.last_checkpoint(dataset, network) for network in networks]
            written = [out / NAME / dataset / f"{n.name}.safetensors" for n in networks]
            for source, target in zip(files, written, strict=True):
                _write_rounded(source, target)
            size = sum(path.stat().st_size for path in written)
            if size > left:
                for path in written:
                    path.unlink()
                break
            left -= size
            for network in networks:
                plan = experiment.plan(dataset, network)
                plans.setdefault(dataset, {})[network.name] = plan.fields
    if plans:
        (out / PLANS).write_text(json.dumps(plans, indent=1, sort_keys=True) + "\n")


def write_anchor_scores(design: Design, out: Path) -> None:
    """Put what `design.anchors` found into the reference `out`."""
    scores, accuracy = anchor_tables(design)
    content = scores.to_csv(index=False, float_format="%.8g").encode()
    (out / SCORES).write_bytes(gzip.compress(content, mtime=0))
    accuracy.to_csv(out / ACCURACY, index=False, float_format="%.8g")


def anchor_tables(design: Design, block: str | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Scores of the anchors, means over folds, and their accuracies, from the finished jobs.

    block : that of the only jobs which are read, if not all are
    """
    parts, accuracies = [], []
    for job in design.anchors:
        if block not in (None, job.wildcards["block"]):
            continue
        with damaged_file_named(Path(job.outputs[0]), OSError, ValueError):
            parts.append(pd.read_parquet(job.outputs[0]))
        with damaged_file_named(Path(job.outputs[1]), OSError, ValueError):
            accuracies.append(pd.read_csv(job.outputs[1], dtype=_TEXTS, keep_default_na=False))
    scores = pd.concat(parts, ignore_index=True)
    means = scores.groupby(_SCORE_KEYS, sort=True, dropna=False)[MEASURED].mean().reset_index()
    accuracy = pd.concat(accuracies, ignore_index=True)
    return means, accuracy.sort_values(KEYS["accuracy"], ignore_index=True)


def read_anchor_tables(reference: Path) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """What `write_anchor_scores` wrote; None where a reference has no anchors."""
    if not (reference / PLANS).exists():
        return None
    scores, accuracy = (
        pd.read_csv(reference / name, dtype=_TEXTS, keep_default_na=False)
        for name in (SCORES, ACCURACY)
    )
    return scores, accuracy


def compare_anchors(
    reference: Path, found: tuple[pd.DataFrame, pd.DataFrame] | None
) -> list[ComparedTable]:
    """Scores and accuracies of the anchors, as `anchor_tables` gives them, against the reference's.

    Empty where the reference has no anchors; `found` is None where they were not scored.
    """
    expected = read_anchor_tables(reference)
    if expected is None:
        return []
    if found is None:
        return [ComparedTable(NAME, problems=[f"{NAME}: they were not scored"])]
    return [_compared(name, old, new) for name, old, new in zip(KEYS, expected, found, strict=True)]


def _compared(name: str, old: pd.DataFrame, new: pd.DataFrame) -> ComparedTable:
    keys = KEYS[name]
    columns = [column for column in MEASURED if column in old] or ["accuracy"]
    result = ComparedTable(NAME, rows=len(old))
    both = old.merge(new, on=keys, how="outer", suffixes=("", " found"), indicator=True)
    for side, what in (("left_only", "missing"), ("right_only", "too many")):
        rows = both[both._merge == side]
        if len(rows):
            first = roles.row_name(rows.iloc[0][keys])
            result.problems.append(f"{NAME}: {len(rows)} {name} are {what}, first {first}")
    both = both[both._merge == "both"].reset_index(drop=True)
    parts = []
    for column in columns:
        known, rebuilt = (
            pd.to_numeric(both[side], errors="coerce").to_frame(column)
            for side in (column, f"{column} found")
        )
        tolerance = rounding(column, both)
        numbers, empty = side_by_side(NAME, column, known, rebuilt, tolerance)
        if empty.any():
            first = roles.row_name(both.loc[empty.idxmax(), keys])
            result.problems.append(f"{NAME}: only one of two has a {column} in {first}")
        numbers["row"] = [roles.row_name(row) for row in both.loc[numbers.index, keys].to_numpy()]
        parts.append(numbers)
    result.numbers = pd.concat(parts, ignore_index=True).reindex(columns=NUMBERS, fill_value="")
    return result


def anchor_files(reference: Path) -> Iterator[str]:
    """Names of the files of a reference's anchors, as its plans list them."""
    path = reference / PLANS
    if path.exists():
        yield from (PLANS, SCORES, ACCURACY)
        for dataset, plans in json.loads(path.read_text(encoding="utf-8")).items():
            for network in plans:
                yield f"{NAME}/{dataset}/{network}.safetensors"


def _smallest_first(design: Design, dataset: str, checkout: Path) -> Sequence[list[Network]]:
    """The first networks of each trained group, groups with small files first."""
    groups: dict[str, list[Network]] = {}
    for network in design.experiment.trained:
        groups.setdefault(network.group, []).append(network)
    chosen = [networks[:_SEEDS] for networks in groups.values()]

    def size(networks: list[Network]) -> int:
        return (checkout / design.last_checkpoint(dataset, networks[0])).stat().st_size

    return sorted(chosen, key=size)


def _write_rounded(source: Path, target: Path) -> None:
    # Figures are drawn from a reference without it.
    from safetensors import safe_open
    from safetensors.numpy import save_file

    with safe_open(source, framework="numpy") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    rounded = {
        name: tensor.astype(np.float16) if tensor.ndim > 1 else tensor
        for name, tensor in tensors.items()
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    save_file(rounded, target, metadata)
