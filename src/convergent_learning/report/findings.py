"""What each claim came to, in a paragraph: every word about a result follows from claims.json.

`python -m convergent_learning.report.findings results/cifar10/claims.json` prints the paragraphs of
an experiment as Markdown; `docs/findings.md` is that of the default experiment. The claims.json of
other experiments may follow: their verdicts and numbers are then listed beside its own.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from convergent_learning.claims.definitions import Part, part_named
from convergent_learning.claims.entries import (
    NUMBERS,
    Entry,
    claim_key,
    is_whole,
    read_claims,
    reason_alone,
)
from convergent_learning.tables.printed import in_print
from convergent_learning.words import counted

# Figures: of layer × layer maps, made of `map_seeds` networks, and of out-of-distribution inputs.
_MAPS, _CONDITIONS = 4, 6
_MANY = 50  # networks of a group; nobody trains more to decide a part
_NARROW = 0.25  # of half the interval: how near to the threshold its end has to be


class Finding(NamedTuple):
    """A claim, its verdict, and what was found, in words."""

    id: str
    claim: str
    verdict: str
    paragraph: str


def findings(claims: list[Entry]) -> list[Finding]:
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
        If a part is not among the definitions.
    """
    most = max((claim["n"] for claim in claims), default=0)
    return [
        Finding(whole["id"], whole["claim"], whole["verdict"], _paragraph(whole, parts, most))
        for whole, parts in _with_parts(claims)
    ]


def markdown(
    experiment: str,
    claims: list[Entry],
    others: Mapping[str, list[Entry]] | None = None,
    configs: Mapping[str, dict[str, Any]] | None = None,
) -> str:
    """The findings of an experiment as a Markdown page.

    others : claims of further experiments, by name, for a table of all of them
    configs : of these experiments, by name, for their settings at the head of the table
    """
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
        f"no verdict was typed by hand. Of {len(found)} claims, {tally}; at most {networks}",
        "networks stand behind a verdict. Numbers are means over pairs of networks unless they say",
        "otherwise. [Claims](claims.md) lists what they are computed from, and",
        "[Methods](methods/claims.md) explains them.",
    ]
    if others:
        lines += ["", *_side_by_side({experiment: claims} | dict(others), configs or {})]
    for finding in found:
        heading = f"## {finding.id}. {finding.claim}: {finding.verdict}"
        lines += ["", heading, "", finding.paragraph]
    return "\n".join(lines) + "\n"


def _side_by_side(
    claims: Mapping[str, list[Entry]], configs: Mapping[str, dict[str, Any]]
) -> Iterator[str]:
    """Verdicts and numbers of the same statements in several experiments, as a table."""
    first, *others = claims
    yield "## In several experiments"
    yield ""
    pages = ", ".join(f"[`{name}`](findings_{name}.md)" for name in others)
    yield f"The findings of {pages} have a page of their own. Each cell has the verdict and, below"
    yield "it, the estimate with its 95% interval."
    yield ""
    yield f"| | {' | '.join(f'`{name}`' for name in claims)} |"
    yield "|---" * (1 + len(claims)) + "|"
    if configs:
        yield f"| what was trained | {' | '.join(_setting(configs[name]) for name in claims)} |"
    known = [{claim_key(entry): entry for entry in entries} for entries in claims.values()]
    for whole, parts in _with_parts(claims[first]):
        for entry in (whole, *parts):
            cells = [_cell(entries.get(claim_key(entry))) for entries in known]
            yield f"| {_statement(entry)} | {' | '.join(cells)} |"


def _setting(config: dict[str, Any]) -> str:
    """How many networks, for how long, on how many images."""
    seeds = sorted({len(group["seeds"]) for group in config["networks"]})
    images = {dataset["train_images"] for dataset in config["datasets"]}
    shown = " or ".join("all" if number is None else f"{number:,}" for number in images)
    epochs = counted(config["training"]["epochs"], "epoch")
    return f"{' or '.join(map(str, seeds))} networks of each group, {epochs} on {shown} images"


def _statement(entry: Entry) -> str:
    if is_whole(entry):
        return f"**{entry['id']}. {entry['claim']}**"
    return f"{entry['id']}: {_definition(entry).quantity} (threshold {entry['threshold']:g})"


def _cell(entry: Entry | None) -> str:
    if entry is None:
        return "not asked"
    if is_whole(entry):
        return f"**{entry['verdict']}**"
    if None in (entry[field] for field in NUMBERS):
        return entry["verdict"]
    estimate, low, high = (in_print(entry[field]) for field in NUMBERS)
    return f"{entry['verdict']}<br>{estimate} ({low} to {high})"


def _with_parts(claims: list[Entry]) -> Iterator[tuple[Entry, list[Entry]]]:
    parts: list[Entry] = []
    for entry in claims:
        if is_whole(entry):
            yield entry, parts
            parts = []
        else:
            parts.append(entry)


def _paragraph(whole: Entry, parts: list[Entry], most: int) -> str:
    """What was found of a claim, in an experiment of which `most` networks stand behind a part."""
    sentences = [_sentence(part) for part in parts]
    sentences += [remark for part in parts for remark in _remarks(part, most)]
    if notes := _notes(parts):
        sentences.append(f"Also reported: {'; '.join(notes)}.")
    return " ".join([*sentences, _conclusion(whole, parts)])


def _sentence(part: Entry) -> str:
    """What a part says, with its numbers."""
    about = _definition(part)
    if None in (part[field] for field in NUMBERS):
        return f"Whether {about.holds} is open ({part['id']}, {reason_alone(part)})."
    said = {"supported": about.holds, "not supported": about.fails}.get(
        part["verdict"], f"whether {about.holds} is open"
    )
    estimate, low, high = (in_print(part[field]) for field in NUMBERS)
    return (
        f"{said[0].upper()}{said[1:]} ({part['id']}, {about.quantity}: {estimate}, "
        f"95% interval {low} to {high}, threshold {part['threshold']:g})."
    )


def _definition(part: Entry) -> Part:
    try:
        return part_named(part["id"])
    except KeyError:
        raise ValueError(
            f"claim part {part['id']} is not in claims/definitions.py: add it"
        ) from None


def _remarks(part: Entry, most: int) -> Iterator[str]:
    """What a reader has to know of the numbers, where they call for it."""
    estimate, low, high = (part[field] for field in NUMBERS)
    if None in (estimate, low, high):
        return
    threshold, narrow = part["threshold"], _NARROW * (high - low) / 2
    if high == low:
        yield (
            f"All networks give the same value in {part['id']}, so that its interval has no width "
            "and does not say how others would vary."
        )
    elif part["verdict"] == "supported" and low - threshold < narrow:
        yield f"{part['id']} holds narrowly: its interval begins at {in_print(low)}."
    elif part["verdict"] == "not supported" and threshold - high < narrow:
        yield f"{part['id']} fails narrowly: its interval ends at {in_print(high)}."
    elif low <= threshold < high:
        side = "the claim's side" if estimate > threshold else "the other side"
        yield f"The estimate of {part['id']} is on {side} of the threshold; {_decider(part, most)}."
    if remark := _definition(part).remark(estimate):
        yield remark


def _decider(part: Entry, most: int) -> str:
    """What would decide a part whose interval includes the threshold."""
    if part["figure"] == _CONDITIONS:
        return "more networks and more families of conditions would narrow its interval"
    networks = enough_networks(part)
    enough = f"about {networks} networks of each group would"
    if networks is None:
        enough = f"{_MANY} networks of each group would not"
    fewer = (
        f"; it rests on {part['n']} networks of the {most} in all (`alignment.map_seeds`)"
        if part["figure"] == _MAPS and part["n"] < most
        else ""
    )
    return f"with estimate and spread as they are, {enough} decide it{fewer}"


def enough_networks(part: Entry) -> int | None:
    """How many networks of each group would take the threshold out of the interval of a part.

    This takes the estimate and the spread of the networks as they are. With S networks in each of G
    groups the interval is t standard errors to either side, with G (S − 1) degrees of freedom, and
    the variance falls as 1/S (`tables.intervals.jackknife`).

    Returns
    -------
    int or None
        None if more than 50 would be needed.
    """
    groups = len(part["groups"])
    now = part["n"] / groups
    half = (part["ci_high"] - part["ci_low"]) / 2
    distance = abs(part["estimate"] - part["threshold"])
    networks = np.arange(math.floor(now) + 1, _MANY + 1)
    quantile = special.stdtrit(groups * (networks - 1), 0.975)
    then = half * quantile / special.stdtrit(groups * (now - 1), 0.975) * np.sqrt(now / networks)
    return next((int(n) for n, width in zip(networks, then, strict=True) if width < distance), None)


def _notes(parts: list[Entry]) -> list[str]:
    """What is said besides the numbers: once, and with the part where only one says it."""
    said: dict[str, list[str]] = {}
    for part in parts:
        for note in part["notes"]:
            said.setdefault(note, []).append(part["id"])
    alone = len(parts) == 1
    return [
        note if alone or len(ids) > 1 else f"{ids[0]}: {note}"
        for note, ids in said.items()
        if not any(set(note.split()) < set(other.split()) for other in said)
    ]


def _conclusion(whole: Entry, parts: list[Entry]) -> str:
    deciding = [
        part["id"]
        for part in parts
        if _definition(part).counted and part["verdict"] == whole["verdict"]
    ]
    *first, last = deciding or [whole["id"]]
    named, several = " and ".join([*filter(None, [", ".join(first)]), last]), bool(first)
    if whole["verdict"] == "supported":
        return "So the claim is supported at this scale."
    if whole["verdict"] == "not supported":
        return f"So the claim is not supported at this scale: {named} decide{'s' * (not several)}."
    verb = "are" if several else "is"
    return f"So the claim is inconclusive at this scale, because {named} {verb}."


def main(*paths: str) -> None:
    """Print the findings of the first claims.json; experiments are the names of their folders."""
    folders = {Path(path).resolve().parent.name: Path(path).parent for path in paths}
    (first, claims), *others = (
        (name, read_claims(folder / "claims.json")) for name, folder in folders.items()
    )
    configs = {}
    if all((folder / "config.json").exists() for folder in folders.values()):  # of references
        for name, folder in folders.items():
            configs[name] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    sys.stdout.write(markdown(first, claims, dict(others), configs))


if __name__ == "__main__":
    main(*sys.argv[1:])
