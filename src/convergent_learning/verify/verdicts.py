"""Rebuilt claims against reference claims: estimates within tolerance, verdicts unless on edge."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from convergent_learning.verify.tolerances import Tolerances

_NUMBERS = ("estimate", "ci_low", "ci_high")
_EXACT = ("claim", "threshold", "n")
# The verdict that holds once the end of the interval is across the threshold.
_ENDS = {"ci_low": "supported", "ci_high": "not supported"}
# Where training adds no alignment, the verdicts on when it came are moot, whatever their interval.
_GAIN = "C4b"


class ClaimResult(NamedTuple):
    """A claim compared; `deviation` is the largest of its numbers, in tolerances."""

    id: str
    reference: str
    rebuilt: str
    estimate: float | None
    rebuilt_estimate: float | None
    tolerance: float
    deviation: float
    failed: bool
    note: str


def compare_claims(
    reference: list[dict[str, Any]], rebuilt: list[dict[str, Any]], tolerances: Tolerances
) -> list[ClaimResult]:
    """Compare claim by claim.

    A verdict may change where the reference's interval ends within tolerance of the threshold
    ("verdict at its threshold"), that of a whole claim where it may for the parts that changed.
    """
    old, new = (_by_id(claims) for claims in (reference, rebuilt))
    results = {
        key: _compare_part(old[key], new.get(key), tolerances, old.get(f"{key[:-3]}{_GAIN}"))
        for key in old
        if not _is_whole(key)
    }
    for key in filter(_is_whole, old):
        results[key] = _compare_whole(key, old[key], new.get(key), tolerances, results)
    missing = [_missing(key, "not in the reference") for key in new if key not in old]
    return [*(results[key] for key in old), *missing]


def _by_id(claims: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Claims by id; of several datasets each has its own, named in front of the text."""
    several = sum(claim["id"] == "C1" for claim in claims) > 1
    prefix = {id(c): f"{c['claim'].split(':')[0]} " if several else "" for c in claims}
    return {prefix[id(claim)] + claim["id"]: claim for claim in claims}


def _is_whole(key: str) -> bool:
    return key[-1].isdigit()


def _whole(key: str) -> str:
    return re.sub("[a-z]$", "", key)


def _compare_part(
    old: dict[str, Any],
    new: dict[str, Any] | None,
    tolerances: Tolerances,
    gain: dict[str, Any] | None,
) -> ClaimResult:
    key = old["id"]
    if new is None:
        return _missing(key, "is missing")
    deviation, problems = _deviation(old, new, tolerances)
    note = "; ".join(problems)
    failed = deviation > 1 or bool(problems)
    if old["verdict"] != new["verdict"]:
        edge = _explained(old, new, tolerances)
        if gain and (_is_moot(old) or _is_moot(new)):
            edge = edge or any(_at_threshold(gain, end, tolerances) for end in _ENDS)
        note = note or ("verdict at its threshold" if edge else "another verdict")
        failed = failed or not edge
    return _result(old, new, tolerances, deviation, failed, note)


def _compare_whole(
    key: str,
    old: dict[str, Any],
    new: dict[str, Any] | None,
    tolerances: Tolerances,
    parts: Mapping[str, ClaimResult],
) -> ClaimResult:
    if new is None:
        return _missing(key, "is missing")
    deviation, problems = _deviation(old, new, tolerances)
    own = [result for name, result in parts.items() if _whole(name) == key]
    bad = [result.id for result in own if result.failed]
    changed = [result.id for result in own if result.reference != result.rebuilt]
    failed = deviation > 1 or bool(problems) or bool(bad)
    note = "; ".join(problems) or (f"see {', '.join(bad)}" if bad else "")
    if old["verdict"] != new["verdict"]:
        failed = failed or not changed
        note = note or (f"{', '.join(changed)} at the threshold" if changed else "another verdict")
    return _result(old, new, tolerances, deviation, failed, note)


def _deviation(
    old: dict[str, Any], new: dict[str, Any], tolerances: Tolerances
) -> tuple[float, list[str]]:
    problems = [
        f"{field} is {new.get(field)}, in the reference {old[field]}"
        for field in _EXACT
        if new.get(field) != old[field]
    ]
    largest = 0.0
    for field in _NUMBERS:
        a, b = old[field], new.get(field)
        if (a is None) != (b is None):
            problems.append(f"{field} is {b}, in the reference {a}")
        elif a is not None:
            largest = max(largest, abs(a - b) / tolerances.of_claim(_part_id(old), field))
    return largest, problems


def _part_id(claim: dict[str, Any]) -> str:
    """A whole claim carries the numbers of its first part."""
    return f"{claim['id']}a" if _is_whole(claim["id"]) else claim["id"]


def _explained(old: dict[str, Any], new: dict[str, Any], tolerances: Tolerances) -> bool:
    """Whether the ends of the interval that tell the two verdicts apart may cross the threshold."""
    verdicts = {old["verdict"], new["verdict"]}
    crossing = [end for end, beyond in _ENDS.items() if beyond in verdicts]
    return all(_at_threshold(old, end, tolerances) for end in crossing)


def _at_threshold(claim: dict[str, Any], end: str, tolerances: Tolerances) -> bool:
    """Whether an end of the interval may lie on the other side of the threshold."""
    if claim[end] is None:
        return False
    return abs(claim[end] - claim["threshold"]) <= tolerances.of_claim(claim["id"], end)


def _is_moot(claim: dict[str, Any]) -> bool:
    """Whether the claim has no verdict though its interval would give one."""
    low, high = claim["ci_low"], claim["ci_high"]
    decided = low is not None and (low > claim["threshold"] or high <= claim["threshold"])
    return decided and claim["verdict"] == "inconclusive"


def _result(
    old: dict[str, Any],
    new: dict[str, Any],
    tolerances: Tolerances,
    deviation: float,
    failed: bool,
    note: str,
) -> ClaimResult:
    tolerance = tolerances.of_claim(_part_id(old), "estimate")
    return ClaimResult(
        old["id"],
        old["verdict"],
        new["verdict"],
        old["estimate"],
        new["estimate"],
        tolerance,
        deviation,
        failed,
        note,
    )


def _missing(key: str, why: str) -> ClaimResult:
    return ClaimResult(key, "", "", None, None, 0.0, float("inf"), True, why)
