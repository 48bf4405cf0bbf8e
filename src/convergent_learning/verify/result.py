"""A rerun compared with its reference: what each part of it, figure and claim came to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from convergent_learning.claims.entries import read_claims
from convergent_learning.files import replace_when_done
from convergent_learning.verify import anchors, roles
from convergent_learning.verify.consistency import contradicted_claims, contradicted_summaries
from convergent_learning.verify.fingerprints import STIMULI, WEIGHTS, other_weights, same
from convergent_learning.verify.numbers import ComparedTable, compare_tables
from convergent_learning.verify.reference import (
    BadReferenceError,
    check_digests,
    config_differences,
    is_portable,
    read_config,
    read_fingerprints,
)
from convergent_learning.verify.spread import LARGEST, SUMMED_UP, Pools
from convergent_learning.verify.tolerances import Tolerances
from convergent_learning.verify.verdicts import ClaimResult, compare_claims
from convergent_learning.words import counted


class Part(NamedTuple):
    """A part of a verification: whether it passed, and a sentence on why."""

    name: str
    passed: bool
    reason: str


class Same(NamedTuple):
    """How many digests are the reference's, of how many that it lists."""

    found: int
    listed: int

    def __str__(self) -> str:
        return f"{self.found} of {self.listed}"


@dataclass(frozen=True)
class Verification:
    """What was compared.

    `setting`, and the problems of tables, are sentences on what must be equal and is not;
    `contradictions` has those on what does not follow from the tables beside it, by table, those of
    claims under ``claims``. `unpromised` names the checkpoints that differ from the reference's
    though both trainings promise the same weights (`precision: portable`).
    """

    reference: Path
    tolerances: Tolerances
    stimuli: Same
    weights: Same
    setting: list[str]
    tables: list[ComparedTable]
    claims: list[ClaimResult]
    contradictions: dict[str, list[str]] | None
    unpromised: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        return all(part.passed for part in self.parts)

    @property
    def problems(self) -> list[str]:
        """All sentences on what is wrong, besides numbers."""
        of_tables = [problem for table in self.tables for problem in table.problems]
        contradictions = [each for found in (self.contradictions or {}).values() for each in found]
        return [*self.setting, *of_tables, *contradictions]

    @cached_property
    def numbers(self) -> pd.DataFrame:
        """Every measured number of every table (`numbers.NUMBERS`), largest deviation first."""
        numbers = pd.concat([table.numbers for table in self.tables], ignore_index=True)
        return numbers.sort_values("deviation", ascending=False, kind="stable", ignore_index=True)

    @cached_property
    def sums(self) -> pd.DataFrame:
        """Root mean square deviations, in spreads, of networks trained anew, and their limits.

        One row for each table, column, metric, centring, baseline and stage; none where the weights
        are the reference's.
        """
        limits = self.tolerances.limits
        numbers = self.numbers[self._is_trained]
        if self.tolerances.by_rounding or numbers.empty:
            return pd.DataFrame(columns=[*SUMMED_UP, "spreads", "limit"])
        pools = Pools(numbers[roles.POOL].reset_index(drop=True))
        largest = [limits[LARGEST, kind] for kind in pools.kinds]
        spreads = pools.root_mean_squares(numbers.deviation.to_numpy(float) * largest)
        named = zip(pools.statistic_of_sums, pools.sums.column, strict=True)
        limit = [limits.get((statistic, roles.kind(column)), np.inf) for statistic, column in named]
        sums = pools.sums.assign(spreads=spreads, limit=limit)
        sums = sums[np.isfinite(sums.limit)]
        return sums.sort_values("spreads", ascending=False, kind="stable", ignore_index=True)

    @cached_property
    def parts(self) -> list[Part]:
        """In the order in which to read them: the first that fails explains what follows it."""
        of_anchors = [table for table in self.tables if table.name == anchors.NAME]
        untrained = self.numbers[self.numbers.stage == roles.UNTRAINED]
        parts = [self._setting(), _given_weights("untrained networks", untrained, [])]
        if of_anchors:
            numbers = self.numbers[self.numbers.table == anchors.NAME]
            problems = [problem for table in of_anchors for problem in table.problems]
            parts.append(_given_weights("anchors", numbers, problems))
        parts.append(self._trained())
        parts.append(self._consistency())
        failed = [claim.id for claim in self.claims if claim.failed]
        said = (
            f"not the reference's: {', '.join(failed)}" if failed else f"{len(self.claims)} agree"
        )
        return [*parts, Part("claims", not failed, said)]

    def _consistency(self) -> Part:
        if self.contradictions is None:
            return Part("consistency", False, "not checked: the tables have problems of their own")
        wrong = sum(map(len, self.contradictions.values()))
        said = (
            f"{wrong} summaries or claims do not follow from the tables beside them"
            if wrong
            else "summaries follow from the pairs beside them, claims from the tables"
        )
        return Part("consistency", not wrong, said)

    @property
    def _is_trained(self) -> pd.Series:
        given = (self.numbers.stage == roles.UNTRAINED) | (self.numbers.table == anchors.NAME)
        return ~given

    def _setting(self) -> Part:
        tables = [table for table in self.tables if table.name != anchors.NAME]
        wrong = len(self.setting) + sum(len(table.problems) for table in tables)
        said = (
            f"{counted(wrong, 'problem')}, listed below"
            if wrong
            else "config, raw data and rows agree"
        )
        if self.stimuli.listed:
            said += f"; {self.stimuli} stimulus sets have the reference's bytes"
        return Part("setting", not wrong, said)

    def _trained(self) -> Part:
        numbers, name = self.numbers[self._is_trained], "trained networks"
        if self.unpromised:
            said = (
                f"{self.weights} weights are the same, but `precision: portable` promises all of"
                f" them, on any processor; the first that differs is {self.unpromised[0]}. The code"
                " of training, the data or the version of torch is not the reference's. To ask how"
                " far networks that were trained in another way lie from it, train with"
                " `precision: float32`"
            )
            return Part(name, False, said)
        beyond = int((numbers.deviation > 1).sum())
        if self.tolerances.by_rounding:
            if self.tolerances.same_weights or not beyond:
                before = f"{self.weights} weights are the same: " if self.weights.listed else ""
                return _given_weights(name, numbers, [], before)
            said = (
                f"trained anew ({self.weights} weights are the same), and the reference has no"
                " honest runs that say how far they may then lie apart"
            )
            return Part(name, not beyond, said)
        over = int((self.sums.spreads > self.sums.limit).sum())
        said = (
            f"trained anew ({self.weights} weights are the same): {beyond} of {len(numbers):,}"
            f" numbers and {over} of {len(self.sums):,} root mean squares lie farther from the"
            " reference than honest reruns do"
        )
        return Part(name, not (beyond or over), said)

    def summary(self) -> pd.DataFrame:
        """One row per figure (and accuracy, anchors, setting): result, rows, numbers, largest."""
        rows: dict[str, list[ComparedTable]] = {}
        for table in self.tables:
            rows.setdefault(roles.figure_of(table.name), []).append(table)
        over = self.sums[self.sums.spreads > self.sums.limit]
        records = []
        for what, tables in sorted(rows.items()):
            deviations = pd.concat([table.numbers.deviation for table in tables])
            setting = self.setting if what == "setting" else []
            contradicted = [(self.contradictions or {}).get(table.name, []) for table in tables]
            problems = len(setting) + sum(map(len, [*contradicted, *(t.problems for t in tables)]))
            sums = int(over.table.isin([table.name for table in tables]).sum())
            beyond = int((deviations > 1).sum())
            records.append(
                {
                    "what": what,
                    "passed": not (problems or sums or beyond),
                    "rows": sum(table.rows for table in tables),
                    "numbers": len(deviations),
                    "beyond": beyond,
                    "largest": float(deviations.max()) if len(deviations) else 0.0,
                    "sums_beyond": sums,
                    "problems": problems,
                }
            )
        return pd.DataFrame(records)


def verify(
    reference: Path,
    results: Path,
    config: dict[str, Any] | None = None,
    scored: tuple[pd.DataFrame, pd.DataFrame] | None = None,
    found: pd.DataFrame | None = None,
) -> Verification:
    """Compare `results` (tables/, claims.json) with the reference folder `reference`.

    scored : scores and accuracies of the reference's anchors (`anchors.anchor_tables`)
    found : digests of stimuli and weights (`fingerprints.fingerprints`); None: nobody knows them

    Results must agree with themselves, too: summaries and claims follow from the tables of pairs.

    Raises BadReferenceError where there is no reference, or where its files are not those that it
    was committed with; DamagedFileError for claims that cannot be parsed.
    """
    reference, results = Path(reference), Path(results)
    if not reference.is_dir():
        raise BadReferenceError(
            f"{reference}: no such reference; make it of trusted results with `make reference"
            f" EXPERIMENT={reference.name}`, or verify an experiment that has one"
        )
    check_digests(reference)
    expected = read_fingerprints(reference)
    found = expected[:0] if found is None else found
    stimuli, weights = (Same(*same(expected, found, what)) for what in (STIMULI, WEIGHTS))
    promised = is_portable(read_config(reference)) and is_portable(config or {})
    unpromised = other_weights(expected, found) if promised else []
    tolerances = Tolerances.read(reference, weights.listed > 0 and weights.found == weights.listed)
    tables = compare_tables(reference / "tables", results / "tables", tolerances)
    old, claims = (read_claims(folder / "claims.json") for folder in (reference, results))
    setting = config_differences(reference, config) if config else []
    compared = compare_claims(old, claims, tolerances)
    contradictions: dict[str, list[str]] | None = None
    scores_of_anchors = anchors.compare_anchors(reference, scored)
    if stimuli.found < stimuli.listed and not scores_of_anchors:
        setting.append(
            f"stimuli: {stimuli.listed - stimuli.found} of {stimuli.listed} sets have not the"
            " reference's bytes, and it has no anchors that tell whether that matters"
        )
    if not any(table.problems for table in tables):
        try:
            summaries = contradicted_summaries(results / "tables")
            wrong = contradicted_claims(results / "tables", claims)
        except (ValueError, KeyError) as error:
            setting.append(f"tables: what they hold cannot be summarised ({error})")
        else:
            of_claims = [f"{' '.join(key)}: {why}" for key, why in wrong.items()]
            contradictions = summaries | {"claims": of_claims}
            compared = [
                claim._replace(failed=True, note=wrong[claim.key]) if claim.key in wrong else claim
                for claim in compared
            ]
    tables += scores_of_anchors
    return Verification(
        reference,
        tolerances,
        stimuli,
        weights,
        setting,
        tables,
        compared,
        contradictions,
        unpromised,
    )


def write_verification(found: Verification, out_json: Path, out_csv: Path) -> None:
    """Write parts, summary, problems and claims as JSON, and every number compared as CSV."""
    content = {
        "reference": str(found.reference),
        "passed": found.passed,
        "parts": [part._asdict() for part in found.parts],
        "figures": found.summary().to_dict("records"),
        "claims": [_without_infinity(claim._asdict()) for claim in found.claims],
        "root_mean_squares": found.sums.to_dict("records"),
        "problems": found.problems,
    }
    with replace_when_done(out_json) as partial:
        partial.write_text(json.dumps(content, indent=1, default=str) + "\n", encoding="utf-8")
    with replace_when_done(out_csv) as partial:
        found.numbers.to_csv(partial, index=False, float_format="%.6g")


def _without_infinity(claim: dict[str, Any]) -> dict[str, Any]:
    """JSON has none: a claim that only one side has deviates by no number."""
    return claim | {"deviation": claim["deviation"] if np.isfinite(claim["deviation"]) else None}


def _given_weights(
    name: str, numbers: pd.DataFrame, problems: Sequence[str], before: str = ""
) -> Part:
    """A part of which only rounding may move the numbers."""
    beyond = int((numbers.deviation > 1).sum())
    if problems:
        said = f"{counted(len(problems), 'problem')}, listed below"
    elif beyond:
        said = f"{beyond:,} of {len(numbers):,} numbers differ by more than rounding"
    elif numbers.empty:
        said = "none"
    else:
        said = (
            f"{len(numbers):,} numbers differ by rounding at most (the largest by"
            f" {numbers.deviation.max():.2g} of what is allowed)"
        )
    return Part(name, not (beyond or problems), before + said)
