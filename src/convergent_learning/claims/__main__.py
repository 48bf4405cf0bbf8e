"""`python -m convergent_learning.claims` prints docs/claims.md."""

from __future__ import annotations

import sys

from .definitions import CLAIMS, Claim, brain_claim, driver_claim

_HEAD = """# The claims and what decides them

Every claim of the paper has one or more parts, and every part is a statistic with a threshold.
A part is *supported* if the 95% interval of its statistic lies above the threshold, *not supported*
if it lies at or below it, and *inconclusive* otherwise. It is inconclusive, too, where there is no
interval, for which a group needs three networks. A claim has the weakest verdict of its parts:
*not supported* if one of them is, else *inconclusive* if one of them is.

The paper states its claims in words; the statistics and their thresholds are this project's.
[Methods](methods/claims.md) explains them, and [Findings](findings.md) has the verdicts of the
default experiment.

Layers are all scored layers but the logits, unless a row says `role = block`. An estimate is the
mean over groups of the mean over the pairs of the group. `s0`, `s1` and `sF` are the scores of a
pair at step 0, after the first epoch and at the last step, `acc1` and `accF` its accuracies, and
`b0`, `b1` and `bF` the scores of a network with a biological system. The columns are those of
[the tables](tables.md)."""

_TEMPLATES = """
C8 is asked of each group *G* of an experiment with several groups of one architecture, where *S*
are its supervised networks and *U* a group of networks that stay untrained (`objective: none`).
C9 is asked of each *system* of each *recording*."""


_FOOT = """
*`make pages` writes this page from `claims/definitions.py`.*"""


def markdown() -> str:
    """A section per claim, with a table of its parts."""
    sections = [_section(claim) for claim in CLAIMS]
    templates = [_section(driver_claim(["G"])), _section(brain_claim([("recording", "system")]))]
    return "\n".join([_HEAD, *sections, _TEMPLATES, *templates, _FOOT]) + "\n"


def _section(claim: Claim) -> str:
    lines = [f"\n## {claim.id}. {claim.text}\n"]
    lines += ["| part | says | statistic | threshold | computed from |", "|---|---|---|---|---|"]
    for part in claim.parts:
        says = part.text if part.counted else f"{part.text} (reported, but not counted)"
        source = f"figure {part.figure}, {part.source}"
        statistic = f"{part.over}{part.quantity}".removesuffix(", G = G")
        cells = part.id, says, statistic, f"{part.threshold:g}", source
        lines.append(f"| {' | '.join(cells)} |")
    moot = [
        f"{part.id} is inconclusive unless {part.gate} is supported."
        for part in claim.parts
        if part.gate
    ]
    return "\n".join([*lines, *(["", *moot] if moot else [])])


if __name__ == "__main__":
    sys.stdout.write(markdown())
