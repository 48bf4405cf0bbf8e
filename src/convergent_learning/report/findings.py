"""What each claim came to, in a paragraph: every word about a result follows from claims.json.

`python -m convergent_learning.report.findings results/cifar10/claims.json` prints the paragraphs of
an experiment as Markdown; `docs/findings.md` is that of the default experiment.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from convergent_learning.claims.evaluation import is_whole, read_claims

# What a part says if its statistic lies above the threshold, and if it does not.
_MEANING = {
    "C1a": (
        "Procrustes reaches 80% of the linear score",
        "Procrustes does not reach 80% of the linear score",
    ),
    "C1b": (
        "Procrustes is nearer to linear than to permutation",
        "Procrustes is no nearer to linear than to permutation",
    ),
    "C2a": (
        "permutation scores fall when the basis is rotated",
        "permutation scores do not fall when the basis is rotated",
    ),
    "C2b": (
        "they fall by more than in untrained networks",
        "they fall by no more than in untrained networks, so training need not have made the basis",
    ),
    "C3a": (
        "best matches lie within one layer of the counterpart",
        "best matches lie within one layer of the counterpart too seldom",
    ),
    "C3b": (
        "they do so more often than in untrained networks",
        "they do so no more often than in untrained networks",
    ),
    "C3c": ("early layers align more than late ones", "early layers do not align more"),
    "C4a": (
        "epoch 1 brings more than 90% of the gain in alignment",
        "epoch 1 brings less than 90% of the gain in alignment",
    ),
    "C4b": ("training adds alignment", "training takes alignment away"),
    "C5a": (
        "epoch 1 brings a larger share of the final alignment than of the final accuracy",
        "epoch 1 brings no larger share of the final alignment than of the final accuracy",
    ),
    "C6a": (
        "alignment drops more in later layers",
        "alignment does not drop more in later layers",
    ),
    "C6b": ("early layers lose less than 0.05", "early layers lose 0.05 or more"),
    "C7a": (
        "late layers lose alignment as accuracy is lost",
        "late layers do not lose alignment as accuracy is lost",
    ),
    "C7b": (
        "they lose it more steeply than early layers",
        "they lose it no more steeply than early layers",
    ),
}
_NARROW = 0.25  # of half the interval: how near to the threshold its end has to be


class Finding(NamedTuple):
    """A claim, its verdict, and what was found, in words."""

    id: str
    claim: str
    verdict: str
    paragraph: str


def findings(claims: list[dict[str, Any]]) -> list[Finding]:
    """A paragraph per claim.

    Parameters
    ----------
    claims : list of dict
        What claims.json holds: the parts of a claim, then the claim.

    Returns
    -------
    list of Finding
        In the order of the claims; with several datasets, the claims of each.

    Raises
    ------
    ValueError
        If a part is unknown here: its meaning has to be added.
    """
    return [
        Finding(whole["id"], whole["claim"], whole["verdict"], _paragraph(whole, parts))
        for whole, parts in _with_parts(claims)
    ]


def markdown(experiment: str, claims: list[dict[str, Any]]) -> str:
    """The findings of an experiment as a Markdown page."""
    found = findings(claims)
    count = dict.fromkeys(("supported", "inconclusive", "not supported"), 0)
    for finding in found:
        count[finding.verdict] += 1
    tally = ", ".join(f"{number} {verdict}" for verdict, number in count.items())
    networks = max((claim["n"] for claim in claims), default=0)
    lines = [
        f"# What the experiment `{experiment}` found",
        "",
        "Made from `claims.json` by `python -m convergent_learning.report.findings`: no number and",
        f"no verdict is typed. Of {len(found)} claims, {tally}; at most {networks} networks",
        "stand behind a verdict. Numbers are means over pairs of networks unless they say",
        "otherwise; `docs/methods.md` defines them, and the report shows the figures.",
    ]
    for finding in found:
        heading = f"## {finding.id}. {finding.claim}: {finding.verdict}"
        lines += ["", heading, "", finding.paragraph]
    return "\n".join(lines) + "\n"


def _with_parts(claims: list[dict[str, Any]]) -> Iterator[tuple[dict, list[dict]]]:
    parts: list[dict[str, Any]] = []
    for entry in claims:
        if is_whole(entry):
            yield entry, parts
            parts = []
        else:
            parts.append(entry)


def _paragraph(whole: dict[str, Any], parts: list[dict[str, Any]]) -> str:
    sentences = [_sentence(part) for part in parts]
    sentences += [remark for part in parts for remark in _remarks(part)]
    if notes := _notes(parts):
        sentences.append(f"Beside it: {'; '.join(notes)}.")
    return " ".join([*sentences, _conclusion(whole, parts)])


def _sentence(part: dict[str, Any]) -> str:
    """What a part says, with its numbers."""
    yes, no = _meaning(part)
    verdict, numbers = part["verdict"], _numbers(part)
    if numbers is None:
        return f"Whether {yes} is open ({part['id']}, {part['reason'].partition(';')[0]})."
    said = {"supported": yes, "not supported": no}.get(verdict, f"whether {yes} is open")
    return f"{said[0].upper()}{said[1:]} ({part['id']}, {_statistic(part)}: {numbers})."


def _meaning(part: dict[str, Any]) -> tuple[str, str]:
    if part["id"] not in _MEANING:
        raise ValueError(
            f"claim part {part['id']} has no meaning in report/findings.py: add what it says"
        )
    return _MEANING[part["id"]]


def _statistic(part: dict[str, Any]) -> str:
    statistic = part["statistic"].partition(" [")[0]
    return statistic.removeprefix("mean over pairs and layers of ").removeprefix(
        "mean over pairs of "
    )


def _numbers(part: dict[str, Any]) -> str | None:
    """Estimate, interval and threshold; None where there is no interval."""
    if None in (part["estimate"], part["ci_low"], part["ci_high"]):
        return None
    estimate, low, high = (in_print(part[key]) for key in ("estimate", "ci_low", "ci_high"))
    return f"{estimate}, 95% interval {low} to {high}, threshold {part['threshold']:g}"


def in_print(value: float) -> str:
    """Three decimals, with a minus sign and no minus before zero."""
    return f"{round(value, 3) + 0.0:.3f}".replace("-", "−")


def _remarks(part: dict[str, Any]) -> Iterator[str]:
    """What a reader has to know of the numbers, where they call for it."""
    if _numbers(part) is None:
        return
    low, high, threshold = part["ci_low"], part["ci_high"], part["threshold"]
    half = (high - low) / 2
    if half == 0:
        yield (
            f"All networks give the same value in {part['id']}, so that its interval has no width "
            "and does not say how others would vary."
        )
    elif part["verdict"] == "supported" and low - threshold < _NARROW * half:
        yield f"{part['id']} holds narrowly: its interval begins at {in_print(low)}."
    elif part["verdict"] == "not supported" and threshold - high < _NARROW * half:
        yield f"{part['id']} fails narrowly: its interval ends at {in_print(high)}."
    elif part["verdict"] == "inconclusive":
        side = "the claim's side" if part["estimate"] > threshold else "the other side"
        yield f"The estimate of {part['id']} is on {side} of the threshold."
    # The statistic of C6b is 0.05 minus the drop: above 0.05 there is a rise.
    if part["id"] == "C6b" and part["estimate"] > 0.05:
        yield (
            f"Early layers lose nothing: their mean score is {in_print(part['estimate'] - 0.05)} "
            "higher on these stimuli than on the unaltered ones."
        )


def _notes(parts: list[dict[str, Any]]) -> list[str]:
    """What the reasons say besides the numbers: once, and with the part where only one says it."""
    said: dict[str, list[str]] = {}
    for part in parts:
        for note in part["reason"].split("; ")[1:]:
            if not note.startswith("the statistic itself is"):
                said.setdefault(note, []).append(part["id"])
    alone = len(parts) == 1
    return [
        note if alone or len(ids) > 1 else f"{ids[0]}: {note}"
        for note, ids in said.items()
        if not any(set(note.split()) < set(other.split()) for other in said)
    ]


def _conclusion(whole: dict[str, Any], parts: list[dict[str, Any]]) -> str:
    deciding = [part["id"] for part in parts if part["verdict"] == whole["verdict"]]
    named = " and ".join(deciding)
    if whole["verdict"] == "supported":
        return "So the claim is supported at this scale."
    if whole["verdict"] == "not supported":
        return f"So the claim is not supported at this scale: {named} decides."
    return f"So the claim is inconclusive at this scale: {named} would have to be decided."


def main(path: str) -> None:
    """Print the findings of a claims.json; the experiment is the name of its folder."""
    sys.stdout.write(markdown(Path(path).resolve().parent.name, read_claims(path)))


if __name__ == "__main__":
    main(sys.argv[1])
