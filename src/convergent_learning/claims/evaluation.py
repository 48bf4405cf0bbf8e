"""Verdicts of the claims, from the tables."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np

from convergent_learning.claims.contrasts import Contrast
from convergent_learning.claims.definitions import Claim, Part, claims_of
from convergent_learning.claims.entries import NUMBERS, Entry
from convergent_learning.claims.ingredients import NoStatistic
from convergent_learning.files import replace_when_done
from convergent_learning.tables.intervals import MIN_FAMILIES, MIN_NETWORKS
from convergent_learning.tables.kinds import of_one_kind
from convergent_learning.tables.storage import (
    Tables,
    of_dataset,
    read_tables,
    tables_in,
    with_stages,
)

_OPTIONAL = ("fig4_calibrated", "fig7_pairs", "recordings", "fig8_networks", "fig8")
_TABLES = ["datasets", "groups", "fig2_pairs", "fig3_pairs", "fig3", "fig4_pairs"]
_TABLES += ["fig5_pairs", "fig6_pairs"]
_WEAKEST_FIRST = ["not supported", "inconclusive", "supported"]
_UNKNOWN = (
    "no verdict: the interval, which leaves out each network{families} in turn, cannot be "
    "computed, since no score remains without one of them: add seeds{more}"
)


def evaluate_claims(tables: str | Path) -> list[Entry]:
    """Verdict of every part of every claim, and of every claim.

    The statistic of a part is a mean over groups (of one kind, see `tables.kinds`, but for C8 and
    C9) of the mean over their pairs of networks, with the interval of `tables.intervals`.
    Supported: the interval lies above the threshold; not supported: at or below it; else
    inconclusive. A claim has the weakest verdict of its parts
    and the estimate of the first. With several datasets each has its own claims, its name in front
    of the claim's text.

    Parameters
    ----------
    tables : path
        The tables folder of an experiment.

    Returns
    -------
    list of dict
        Keys id, claim, statistic, estimate, ci_low, ci_high, threshold, n (networks), verdict
        (supported, not supported, inconclusive), reason, dataset, part (its letter; empty for a
        claim), figure (None for a claim), notes and groups (whose networks the statistic is over);
        numbers are None where there is none.

    Raises
    ------
    ValueError
        If a table is missing or lacks a column.
    """
    there = [name for name in tables_in(tables) if name in _OPTIONAL]
    return evaluate_frames(read_tables(tables, [*_TABLES, *there]))


def evaluate_frames(frames: Tables) -> list[Entry]:
    """`evaluate_claims` on tables in memory."""
    datasets = list(frames["datasets"].dataset)
    entries = []
    for dataset in datasets:
        own = of_dataset(with_stages(frames), dataset)
        prefix = f"{dataset}: " if len(datasets) > 1 else ""
        for claim in claims_of(own):
            parts = [part_entry(part, own) for part in claim.parts]
            for entry in (*parts, _claim_entry(claim, parts)):
                named = {"claim": prefix + entry["claim"], "dataset": dataset}
                entries.append(entry | named)
    return entries


def write_claims(tables: str | Path, out_json: str | Path) -> None:
    """Write `evaluate_claims(tables)` as JSON."""
    text = json.dumps(evaluate_claims(tables), indent=2, ensure_ascii=False, allow_nan=False)
    with replace_when_done(Path(out_json)) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def part_entry(part: Part, tables: Tables) -> Entry:
    """The entry of one part, from the tables of one dataset, with their stages."""
    try:
        contrast = part.contrast(tables if part.across_kinds else of_one_kind(tables))
    except NoStatistic as missing:
        return _entry(part, reason=f"no verdict: {missing}")
    interval = contrast.interval()
    numbers = [float(value) for value in (interval.estimate, interval.low, interval.high)]
    verdict, why = _verdict(part, contrast, *numbers)
    return _entry(
        part,
        **dict(zip(NUMBERS, map(_number, numbers), strict=True)),
        n=int(interval.n_networks),
        verdict=verdict,
        reason="; ".join([why, *contrast.notes]),
        notes=list(contrast.notes),
        groups=list(dict.fromkeys(group for group, _ in _networks_of(contrast))),
    )


def _entry(part: Part, **found: object) -> Entry:
    return {
        "id": part.id,
        "claim": part.text,
        "statistic": part.statistic,
        **dict.fromkeys(NUMBERS),
        "threshold": part.threshold,
        "n": 0,
        "verdict": "inconclusive",
        "reason": "",
        "dataset": "",
        "part": part.letter,
        "figure": part.figure,
        "notes": [],
        "groups": [],
        **found,
    }


def _verdict(
    part: Part, contrast: Contrast, estimate: float, low: float, high: float
) -> tuple[str, str]:
    few = _too_few(contrast)
    if few:
        return (
            "inconclusive",
            f"no verdict: fewer than {MIN_NETWORKS} networks of {', '.join(few)}",
        )
    if contrast.left_out is not None and len(contrast.left_out) < MIN_FAMILIES:
        return "inconclusive", f"no verdict: fewer than {MIN_FAMILIES} families of conditions"
    if not np.isfinite([estimate, low, high]).all():
        families, more = "", ""
        if contrast.left_out is not None:
            families, more = " and each family of conditions", " or families of stimuli"
        return "inconclusive", _UNKNOWN.format(families=families, more=more)
    numbers = f"{estimate:.3f} (95% interval {low:.3f} to {high:.3f})"
    if contrast.moot:
        return "inconclusive", f"{contrast.moot}; the statistic itself is {numbers}"
    at = f"the threshold {part.threshold:g}"
    if low > part.threshold:
        return "supported", f"{numbers} lies above {at}"
    if high <= part.threshold:
        return "not supported", f"{numbers} lies at or below {at}"
    return "inconclusive", f"{numbers} includes {at}"


def _too_few(contrast: Contrast) -> list[str]:
    """Groups with fewer than three networks among the pairs."""
    counts = Counter(group for group, _ in _networks_of(contrast))
    return sorted(group for group, count in counts.items() if count < MIN_NETWORKS)


def _networks_of(contrast: Contrast) -> list[tuple[str, int]]:
    """Group and seed of the networks that the statistic is over, each once."""
    pairs = contrast.values.index.to_frame(index=False)
    group_x, group_y = (name if name in pairs else "group" for name in ("group_x", "group_y"))
    networks = [
        *zip(pairs[group_x].astype(str), pairs.seed_x, strict=True),
        *zip(pairs[group_y].astype(str), pairs.seed_y, strict=True),
    ]
    return list(dict.fromkeys(networks))


def _claim_entry(claim: Claim, every: list[Entry]) -> Entry:
    counted = {part.id for part in claim.parts if part.counted}
    parts = [entry for entry in every if entry["id"] in counted]
    verdict = min((p["verdict"] for p in parts), key=_WEAKEST_FIRST.index)
    verdicts = ", ".join(f"{p['id']} {p['verdict']}" for p in parts)
    deciding = next(p for p in parts if p["verdict"] == verdict)
    names = ", ".join(p["id"] for p in parts)
    return parts[0] | {
        "id": claim.id,
        "claim": claim.text,
        "statistic": f"weakest verdict of {names}; numbers are {parts[0]['id']}'s",
        "verdict": verdict,
        "reason": f"weakest of its parts ({verdicts}): {deciding['id']}: {deciding['reason']}",
        "part": "",
        "figure": None,
        "notes": [],
    }


def _number(value: float) -> float | None:
    return round(value, 6) if np.isfinite(value) else None
