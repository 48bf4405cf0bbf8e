"""`snakemake verify`: PASS or FAIL for every figure and claim, the largest deviations first."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from convergent_learning.claims.entries import read_claims
from convergent_learning.files import replace_when_done
from convergent_learning.verify import roles
from convergent_learning.verify.anchors import compare_anchors
from convergent_learning.verify.consistency import contradicted_claims, contradicted_summaries
from convergent_learning.verify.numbers import ComparedTable, compare_tables
from convergent_learning.verify.reference import (
    ReferenceError,
    check_digests,
    config_differences,
)
from convergent_learning.verify.tolerances import Tolerances
from convergent_learning.verify.verdicts import ClaimResult, compare_claims

_LARGEST = 10
_PROBLEMS = 20


@dataclass(frozen=True)
class Verification:
    """What was compared; `passed` says whether everything lies within its tolerance."""

    reference: Path
    setting: list[str]
    tables: list[ComparedTable]
    claims: list[ClaimResult]

    @property
    def passed(self) -> bool:
        failed = [*(table.failed for table in self.tables), *(c.failed for c in self.claims)]
        return not self.setting and not any(failed)

    @property
    def numbers(self) -> pd.DataFrame:
        """Every measured number of every table, largest deviation first."""
        numbers = pd.concat([table.numbers for table in self.tables], ignore_index=True)
        return numbers.sort_values("deviation", ascending=False, kind="stable")

    def summary(self) -> pd.DataFrame:
        """One row per figure (and accuracy, setting): result, rows, numbers, beyond, largest."""
        rows: dict[str, list[ComparedTable]] = {}
        for table in self.tables:
            rows.setdefault(roles.figure_of(table.name), []).append(table)
        records = []
        for what, tables in sorted(rows.items()):
            deviations = pd.concat([table.numbers.deviation for table in tables])
            setting = self.setting if what == "setting" else []
            records.append(
                {
                    "what": what,
                    "result": _result(any(table.failed for table in tables) or bool(setting)),
                    "rows": sum(table.rows for table in tables),
                    "numbers": len(deviations),
                    "beyond": int((deviations > 1).sum()),
                    "largest": float(deviations.max()) if len(deviations) else 0.0,
                    "problems": sum(len(table.problems) for table in tables) + len(setting),
                }
            )
        return pd.DataFrame(records)


def verify(
    reference: Path,
    results: Path,
    config: dict[str, Any] | None = None,
    anchors: tuple[pd.DataFrame, pd.DataFrame] | None = None,
) -> Verification:
    """Compare `results` (tables/, claims.json) with the reference folder `reference`.

    anchors : scores and accuracies of the reference's anchors (`anchors.anchor_tables`)

    Results must agree with themselves, too: summaries and claims follow from the tables of pairs.

    Raises ReferenceError where there is no reference, or where its files are not those that it was
    committed with; DamagedFileError for claims that cannot be parsed.
    """
    reference, results = Path(reference), Path(results)
    if not reference.is_dir():
        raise ReferenceError(
            f"{reference}: no such reference; make it of trusted results with `make reference"
            f" EXPERIMENT={reference.name}`, or verify an experiment that has one"
        )
    check_digests(reference)
    tolerances = Tolerances.read(reference)
    tables = compare_tables(reference / "tables", results / "tables", tolerances)
    old, claims = (read_claims(folder / "claims.json") for folder in (reference, results))
    setting = config_differences(reference, config) if config else []
    compared = compare_claims(old, claims, tolerances)
    if not any(table.problems for table in tables):
        try:
            contradicted = contradicted_summaries(results / "tables")
            wrong = contradicted_claims(results / "tables", claims)
        except (ValueError, KeyError) as error:
            contradicted, wrong = {}, {}
            setting.append(f"tables: what they hold cannot be summarised ({error})")
        for table in tables:
            table.problems += contradicted.get(table.name, [])
        compared = [
            claim._replace(failed=True, note=wrong[claim.key]) if claim.key in wrong else claim
            for claim in compared
        ]
    tables += compare_anchors(reference, anchors)
    return Verification(reference, setting, tables, compared)


def write_verification(found: Verification, out_json: Path, out_csv: Path) -> None:
    """Write the summary, problems and claims as JSON, and every number compared as CSV."""
    content = {
        "reference": str(found.reference),
        "passed": found.passed,
        "figures": found.summary().to_dict("records"),
        "claims": [claim._asdict() for claim in found.claims],
        "problems": [*found.setting, *(p for table in found.tables for p in table.problems)],
    }
    with replace_when_done(out_json) as partial:
        partial.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
    with replace_when_done(out_csv) as partial:
        found.numbers.to_csv(partial, index=False, float_format="%.6g")


def lines(found: Verification) -> Iterator[str]:
    """The printed table."""
    yield f"compared with {found.reference}; deviations are in units of the tolerance"
    yield ""
    yield f"{'':<12} {'result':<6} {'rows':>7} {'numbers':>8} {'beyond':>6} {'largest':>8}"
    for row in found.summary().itertuples():
        yield (
            f"{row.what:<12} {row.result:<6} {row.rows:>7,} {row.numbers:>8,} {row.beyond:>6,}"
            f" {row.largest:>8.2f}" + (f"  {row.problems} problems" if row.problems else "")
        )
    yield ""
    yield from _claim_lines(found.claims)
    yield ""
    yield "largest deviations"
    moved = found.numbers[found.numbers.deviation > 0]
    if moved.empty:
        yield "    none: every number is the reference's"
    for row in moved.head(_LARGEST).itertuples():
        yield (
            f"{row.deviation:>8.2f}  {row.table}.{row.column} {row.rebuilt:.6g}, reference"
            f" {row.reference:.6g} ± {row.tolerance:.2g}: {row.row}"
        )
    problems = [*found.setting, *(p for table in found.tables for p in table.problems)]
    if problems:
        yield ""
        yield "problems"
        yield from (f"  {problem}" for problem in problems[:_PROBLEMS])
        if len(problems) > _PROBLEMS:
            yield f"  … and {len(problems) - _PROBLEMS} more"
    yield ""
    yield f"verify: {_result(not found.passed)}"


def _claim_lines(claims: list[ClaimResult]) -> Iterator[str]:
    yield f"{'claim':<12} {'result':<6} {'estimate':>9} {'reference':>9} {'±':>7} {'largest':>8}"
    for claim in claims:
        verdict = claim.rebuilt
        if claim.rebuilt != claim.reference:
            verdict = f"{claim.rebuilt} (reference: {claim.reference})"
        note = f"; {claim.note}" if claim.note else ""
        yield (
            f"{claim.id:<12} {_result(claim.failed):<6} {_number(claim.rebuilt_estimate):>9}"
            f" {_number(claim.estimate):>9} {claim.tolerance:>7.3f} {claim.deviation:>8.2f}"
            f"  {verdict}{note}"
        )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _result(failed: bool) -> str:
    return "FAIL" if failed else "PASS"
