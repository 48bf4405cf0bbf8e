"""What `snakemake verify` prints."""

from __future__ import annotations

from collections.abc import Iterator

from convergent_learning.verify.result import Verification
from convergent_learning.verify.verdicts import ClaimResult
from convergent_learning.words import counted

_LARGEST = 10
_WORTH_PRINTING = 0.01  # tolerances
_PROBLEMS = 20


def lines(found: Verification) -> Iterator[str]:
    """Parts, figures and claims, each PASS or FAIL, and what lies farthest from the reference."""
    yield f"compared with {found.reference}"
    yield ""
    for part in found.parts:
        yield f"{part.name:<19} {_result(part.passed)}  {part.reason}"
    yield ""
    yield (
        f"{'':<12} {'result':<6} {'rows':>7} {'numbers':>8} {'beyond':>6} {'largest':>8}"
        "  (deviations in tolerances)"
    )
    for row in found.summary().itertuples():
        yield (
            f"{row.what:<12} {_result(row.passed):<6} {row.rows:>7,} {row.numbers:>8,}"
            f" {row.beyond:>6,} {row.largest:>8.2f}"
            + (f"  {row.sums_beyond} root mean squares beyond" if row.sums_beyond else "")
            + (f"  {counted(row.problems, 'problem')}" if row.problems else "")
        )
    yield ""
    yield from _claim_lines(found.claims)
    yield from _sum_lines(found)
    yield ""
    yield "largest deviations"
    moved = found.numbers[found.numbers.deviation >= _WORTH_PRINTING]
    if moved.empty:
        yield f"    none is above {_WORTH_PRINTING} of its tolerance"
    for row in moved.head(_LARGEST).itertuples():
        yield (
            f"{row.deviation:>8.2f}  {row.table}.{row.column} {row.rebuilt:.6g}, reference"
            f" {row.reference:.6g} ± {row.tolerance:.2g}: {row.row}"
        )
    if found.problems:
        yield ""
        yield "problems"
        yield from (f"  {problem}" for problem in found.problems[:_PROBLEMS])
        if len(found.problems) > _PROBLEMS:
            yield f"  … and {len(found.problems) - _PROBLEMS} more"
    yield ""
    yield f"verify: {_result(found.passed)}"


def _sum_lines(found: Verification) -> Iterator[str]:
    if found.sums.empty:
        return
    yield ""
    yield "largest root mean squares of deviations, in spreads, and what honest reruns stay below"
    shown = (found.sums.spreads / found.sums.limit).sort_values(ascending=False)[:_LARGEST]
    for row in found.sums.loc[shown.index].itertuples():
        which = " ".join(filter(None, (row.metric, row.center, row.baseline, row.stage)))
        yield f"{row.spreads:>8.2f} ({row.limit:.2f})  {row.table}.{row.column} {which}"


def _claim_lines(claims: list[ClaimResult]) -> Iterator[str]:
    width = max([12, *(len(claim.id) for claim in claims)])
    named = f"{'result':<6} {'estimate':>9} {'reference':>9} {'±':>7} {'largest':>8}"
    yield f"{'claim':<{width}} {named}"
    for claim in claims:
        verdict = claim.rebuilt
        if claim.rebuilt != claim.reference:
            verdict = f"{claim.rebuilt} (reference: {claim.reference})"
        note = f"; {claim.note}" if claim.note else ""
        yield (
            f"{claim.id:<{width}} {_result(not claim.failed):<6}"
            f" {_number(claim.rebuilt_estimate):>9} {_number(claim.estimate):>9}"
            f" {claim.tolerance:>7.3f} {claim.deviation:>8.2f}  {verdict}{note}"
        )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _result(passed: bool) -> str:
    return "PASS" if passed else "FAIL"
