"""Rebuilt claims against reference claims: estimates within tolerance, verdicts unless on edge."""

from __future__ import annotations

from typing import NamedTuple

from convergent_learning.claims.definitions import part_named
from convergent_learning.claims.entries import NUMBERS, Entry, claim_key, is_whole, whole_id
from convergent_learning.verify.tolerances import Tolerances

_EXACT = ("claim", "threshold", "n")
# The verdict that holds once the end of the interval is across the threshold.
_ENDS = {"ci_low": "supported", "ci_high": "not supported"}


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
    dataset: str

    @property
    def key(self) -> tuple[str, str]:
        return self.dataset, self.id


def compare_claims(
    reference: list[Entry], rebuilt: list[Entry], tolerances: Tolerances
) -> list[ClaimResult]:
    """Compare claim by claim.

    A verdict may change where the reference's interval ends within tolerance of the threshold
    ("verdict at its threshold"), that of a whole claim where it may for the parts that changed.
    """
    old, new = ({claim_key(claim): claim for claim in claims} for claims in (reference, rebuilt))
    results: dict[tuple[str, str], ClaimResult] = {}
    for key, claim in sorted(old.items(), key=lambda item: is_whole(item[1])):
        if key not in new:
            results[key] = _missing(key, "is missing")
        elif is_whole(claim):
            parts = [
                results[other]
                for other, part in old.items()
                if other[0] == key[0] and not is_whole(part) and whole_id(part) == key[1]
            ]
            results[key] = _compare_whole(claim, new[key], tolerances, parts)
        else:
            gate = old.get((key[0], part_named(key[1]).gate))
            results[key] = _compare_part(claim, new[key], tolerances, gate)
    more = [_missing(key, "not in the reference") for key in new if key not in old]
    return [*(results[key] for key in old), *more]


def _compare_part(
    old: Entry, new: Entry, tolerances: Tolerances, gate: Entry | None
) -> ClaimResult:
    deviation, problems = _deviation(old, new, tolerances, old["id"])
    note = "; ".join(problems)
    failed = deviation > 1 or bool(problems)
    if old["verdict"] != new["verdict"]:
        edge = _explained(old, new, tolerances)
        if gate and (_is_moot(old) or _is_moot(new)):
            edge = edge or any(_at_threshold(gate, end, tolerances) for end in _ENDS)
        note = note or ("verdict at its threshold" if edge else "another verdict")
        failed = failed or not edge
    tolerance = tolerances.of_claim(old["id"], "estimate")
    return _result(old, new, tolerance, deviation, failed, note)


def _compare_whole(
    old: Entry, new: Entry, tolerances: Tolerances, parts: list[ClaimResult]
) -> ClaimResult:
    """Compare a claim, which carries the numbers of the first of its `parts`."""
    first = parts[0]
    deviation, problems = _deviation(old, new, tolerances, first.id)
    bad = [result.id for result in parts if result.failed]
    changed = [result.id for result in parts if result.reference != result.rebuilt]
    failed = deviation > 1 or bool(problems) or bool(bad)
    note = "; ".join(problems) or (f"see {', '.join(bad)}" if bad else "")
    if old["verdict"] != new["verdict"]:
        failed = failed or not changed
        note = note or (f"{', '.join(changed)} at the threshold" if changed else "another verdict")
    return _result(old, new, first.tolerance, deviation, failed, note)


def _deviation(
    old: Entry, new: Entry, tolerances: Tolerances, part: str
) -> tuple[float, list[str]]:
    """The largest deviation of the numbers, which are those of `part`, and what has to be equal."""
    problems = [
        f"{field} is {new[field]}, in the reference {old[field]}"
        for field in _EXACT
        if new[field] != old[field]
    ]
    largest = 0.0
    for field in NUMBERS:
        a, b = old[field], new[field]
        if (a is None) != (b is None):
            problems.append(f"{field} is {b}, in the reference {a}")
        elif a is not None:
            largest = max(largest, abs(a - b) / tolerances.of_claim(part, field))
    return largest, problems


def _explained(old: Entry, new: Entry, tolerances: Tolerances) -> bool:
    """Whether the ends of the interval that tell the two verdicts apart may cross the threshold."""
    verdicts = {old["verdict"], new["verdict"]}
    crossing = [end for end, beyond in _ENDS.items() if beyond in verdicts]
    return all(_at_threshold(old, end, tolerances) for end in crossing)


def _at_threshold(claim: Entry, end: str, tolerances: Tolerances) -> bool:
    """Whether an end of the interval may lie on the other side of the threshold."""
    if claim[end] is None:
        return False
    return abs(claim[end] - claim["threshold"]) <= tolerances.of_claim(claim["id"], end)


def _is_moot(claim: Entry) -> bool:
    """Whether the claim has no verdict though its interval would give one."""
    low, high = claim["ci_low"], claim["ci_high"]
    decided = low is not None and (low > claim["threshold"] or high <= claim["threshold"])
    return decided and claim["verdict"] == "inconclusive"


def _result(
    old: Entry, new: Entry, tolerance: float, deviation: float, failed: bool, note: str
) -> ClaimResult:
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
        old["dataset"],
    )


def _missing(key: tuple[str, str], why: str) -> ClaimResult:
    return ClaimResult(key[1], "", "", None, None, 0.0, float("inf"), True, why, key[0])
