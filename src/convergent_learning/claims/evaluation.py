"""The paper's claims C1…C7 as verdicts computed from the tables; nothing here is set by hand."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from convergent_learning.claims.contrasts import Contrast
from convergent_learning.claims.definitions import PARTS, Part
from convergent_learning.claims.ingredients import NoStatistic
from convergent_learning.files import damaged_file_named
from convergent_learning.tables.intervals import (
    MIN_FAMILIES,
    MIN_NETWORKS,
    Pairs,
    jackknife,
)
from convergent_learning.tables.schema import read_table

CLAIMS = {
    "C1": "Rotations align networks nearly as well as linear maps",
    "C2": "Permutation alignment is far above chance: a privileged basis, and a learned one",
    "C3": "Layers match their counterparts, and early layers align more",
    "C4": "Nearly all convergence happens in epoch 1",
    "C5": "Convergence happens before the task is solved",
    "C6": "Out-of-distribution inputs pull later layers apart while early ones stay",
    "C7": "Late layers come apart in proportion to the shift",
}
_TABLES = ["datasets", "fig2_pairs", "fig3_pairs", "fig3", "fig4_pairs", "fig5_pairs", "fig6_pairs"]
_NUMBER = int | float | None
_TYPES = {
    **dict.fromkeys(("id", "claim", "statistic"), str),
    **dict.fromkeys(("estimate", "ci_low", "ci_high", "threshold"), _NUMBER),
    "n": int,
    "verdict": str,
    "reason": str,
}
_WEAKEST_FIRST = ["not supported", "inconclusive", "supported"]
_UNKNOWN = (
    "no verdict: the interval cannot be computed, as too little remains without some network or "
    "family of conditions"
)


def evaluate_claims(tables: str | Path) -> list[dict]:
    """Verdict of every part of every claim, and of every claim.

    The statistic of a part is a mean over groups of the mean over their pairs of networks,
    with the interval of `statistics.intervals`. Supported: the interval lies above the threshold;
    not supported: at or below it; else inconclusive. A claim has the weakest verdict of its parts
    and the estimate of the first. With several datasets each has its own claims, its name in front
    of the claim's text.

    Parameters
    ----------
    tables : path
        The tables folder of an experiment, as `statistics.tables.write_tables` leaves it.

    Returns
    -------
    list of dict
        Keys id, claim, statistic, estimate, ci_low, ci_high, threshold, n (networks), verdict
        (supported, not supported, inconclusive) and reason; numbers are None where there is none.

    Raises
    ------
    ValueError
        If a table is missing or lacks a column.
    """
    return evaluate_frames({name: read_table(tables, name) for name in _TABLES})


def evaluate_frames(frames: dict[str, pd.DataFrame]) -> list[dict]:
    """`evaluate_claims` on tables in memory."""
    datasets = list(frames["datasets"].dataset)
    entries = []
    for dataset in datasets:
        own = {name: frame[frame.dataset == dataset] for name, frame in frames.items()}
        prefix = f"{dataset}: " if len(datasets) > 1 else ""
        for claim, text in CLAIMS.items():
            parts = [part_entry(part, own) for part in PARTS if part.id.startswith(claim)]
            entries += [entry | {"claim": prefix + entry["claim"]} for entry in parts]
            entries.append(_claim_entry(claim, prefix + text, parts))
    return entries


def write_claims(tables: str | Path, out_json: str | Path) -> None:
    """Write `evaluate_claims(tables)` as JSON."""
    text = json.dumps(evaluate_claims(tables), indent=2, ensure_ascii=False, allow_nan=False)
    Path(out_json).write_text(text + "\n", encoding="utf-8")


def read_claims(path: str | Path) -> list[dict]:
    """The entries of a claims.json; DamagedFileError names a file that is none."""
    with damaged_file_named(Path(path), OSError, ValueError, TypeError, AttributeError):
        claims = json.loads(Path(path).read_text(encoding="utf-8"))
        for claim in claims:
            if claim.keys() != _TYPES.keys():
                raise ValueError(
                    f"a claim has the keys {', '.join(claim)}, not {', '.join(_TYPES)}"
                )
            for field, types in _TYPES.items():
                if not isinstance(claim[field], types):
                    raise TypeError(f"{field} of {claim['id']} is {claim[field]!r}")
    return claims


def is_whole(entry: dict) -> bool:
    """Whether an entry is a claim (C1) and not one of its parts (C1a)."""
    return entry["id"][-1].isdigit()


def print_claims(path: str | Path) -> None:
    """Print a claims.json as a plain table, reasons below each line."""
    print(
        f"{'id':<4} {'verdict':<14} {'estimate':>9} {'95% interval':>20} {'threshold':>9} {'n':>3}"
    )
    for line in _lines(read_claims(path)):
        print(line)


def part_entry(part: Part, tables: dict[str, pd.DataFrame]) -> dict:
    """The entry of one part, from the tables of one dataset."""
    entry = {
        "id": part.id,
        "claim": part.text,
        "statistic": f"{part.statistic} [figure {part.figure}; {part.source}]",
        "estimate": None,
        "ci_low": None,
        "ci_high": None,
        "threshold": part.threshold,
        "n": 0,
        "verdict": "inconclusive",
    }
    try:
        contrast = part.contrast(tables)
    except NoStatistic as missing:
        return entry | {"reason": f"no verdict: {missing}"}
    estimate, low, high, n = _interval(contrast)
    entry |= {
        "estimate": _number(estimate),
        "ci_low": _number(low),
        "ci_high": _number(high),
        "n": n,
    }
    verdict, why = _verdict(part, contrast, estimate, low, high)
    return entry | {"verdict": verdict, "reason": "; ".join([why, *contrast.notes])}


def _interval(contrast: Contrast) -> tuple[float, float, float, int]:
    pairs = Pairs.of(contrast.values.index.to_frame())
    left_out = None
    if contrast.left_out is not None:
        aligned = [v.reindex(contrast.values.index).to_numpy() for v in contrast.left_out]
        left_out = np.array(aligned)
    got = jackknife(contrast.values.to_numpy(), pairs, left_out)
    return float(got.estimate), float(got.low), float(got.high), got.n_networks


def _verdict(
    part: Part, contrast: Contrast, estimate: float, low: float, high: float
) -> tuple[str, str]:
    few = _too_few(contrast.values.index)
    if few:
        return (
            "inconclusive",
            f"no verdict: fewer than {MIN_NETWORKS} networks of {', '.join(few)}",
        )
    if contrast.left_out is not None and len(contrast.left_out) < MIN_FAMILIES:
        return "inconclusive", f"no verdict: fewer than {MIN_FAMILIES} families of conditions"
    if not np.isfinite([estimate, low, high]).all():
        return "inconclusive", _UNKNOWN
    numbers = f"{estimate:.3f} (95% interval {low:.3f} to {high:.3f})"
    if contrast.moot:
        return "inconclusive", f"{contrast.moot}; the statistic itself is {numbers}"
    at = f"the threshold {part.threshold:g}"
    if low > part.threshold:
        return "supported", f"{numbers} lies above {at}"
    if high <= part.threshold:
        return "not supported", f"{numbers} lies at or below {at}"
    return "inconclusive", f"{numbers} includes {at}"


def _too_few(index: pd.MultiIndex) -> list[str]:
    """Architectures with fewer than three networks among the pairs."""
    pairs = index.to_frame(index=False)
    few = []
    for group, members in pairs.groupby("group", sort=True):
        if len(set(members.seed_x) | set(members.seed_y)) < MIN_NETWORKS:
            few.append(str(group))
    return few


def _claim_entry(claim: str, text: str, parts: list[dict]) -> dict:
    verdict = min((p["verdict"] for p in parts), key=_WEAKEST_FIRST.index)
    verdicts = ", ".join(f"{p['id']} {p['verdict']}" for p in parts)
    deciding = next(p for p in parts if p["verdict"] == verdict)
    reason = f"weakest of its parts ({verdicts}): {deciding['id']}: {deciding['reason']}"
    first = {key: parts[0][key] for key in ("estimate", "ci_low", "ci_high", "threshold", "n")}
    statistic = (
        f"weakest verdict of {', '.join(p['id'] for p in parts)}; numbers are {parts[0]['id']}'s"
    )
    return {
        "id": claim,
        "claim": text,
        "statistic": statistic,
        **first,
        "verdict": verdict,
        "reason": reason,
    }


def _number(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


def _lines(entries: list[dict]) -> Iterator[str]:
    for entry in entries:
        number, low, high = (entry[key] for key in ("estimate", "ci_low", "ci_high"))
        shown = "" if number is None else f"{number:.3f}"
        interval = "" if low is None or high is None else f"{low:.3f} to {high:.3f}"
        yield (
            f"{entry['id']:<4} {entry['verdict']:<14} {shown:>9} {interval:>20} "
            f"{entry['threshold']:>9g} {entry['n']:>3}"
        )
        indent = " " * 5
        for text in (entry["claim"], entry["reason"]):
            yield textwrap.fill(text, 100, initial_indent=indent, subsequent_indent=indent)
