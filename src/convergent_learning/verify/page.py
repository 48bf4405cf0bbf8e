"""What the honest runs of a reference say, as Markdown: docs/agreement.md.

`python -m convergent_learning.verify.page REFERENCE` prints it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convergent_learning.verify.tolerances import AGREEMENT
from convergent_learning.words import counted

_HEAD = """# How far honest reruns lie apart

Made by `make findings` from the honest runs of the experiment `{name}`; no number was typed by
hand. [Networks trained anew](reproducing.md#networks-trained-anew) says what honest runs, spreads,
statistics and limits are."""


def page(name: str, measured: dict[str, Any]) -> Iterator[str]:
    """`agreement.measure_agreement`'s result for the experiment `name`, as lines of Markdown."""
    yield _HEAD.format(name=name)
    yield from ("", "## Runs", "")
    yield "| run | seeds of each group | precision | threads | processor |"
    yield "|---|---|---|---|---|"
    for run in measured["runs"]:
        seeds = "; ".join(sorted({", ".join(map(str, each)) for each in run["seeds"].values()}))
        made = f"{run['precision']} | {run['threads']} | {run['processor']}"
        yield f"| {run['name']} | {seeds} | {made} |"
    yield from ("", "## Limits", "")
    margin = measured["margin"]
    yield (
        "Each limit is the largest value that any two of these runs show, times"
        f" {margin:.2f}, in spreads."
    )
    yield from ("", "| statistic | of | limit |", "|---|---|---|")
    for each in measured["limits"]:
        yield f"| {each['statistic']} | {each['kind']}s | {each['limit']:.2f} |"
    yield from ("", "## False alarms", "")
    yield (
        "Spreads and limits are fitted on some runs and tried on others, which share no network"
        " with them."
    )
    yield ""
    yield "| tried on | fitted on | verifications | false alarms | largest, in limits |"
    yield "|---|---|---|---|---|"
    for each in measured["false_alarms"]:
        key, share = max(each["largest"].items(), key=lambda item: item[1])
        yield (
            f"| {each['counted_on']} | {counted(each['fitted_on'], 'run')}"
            f" | {each['verifications']} | {each['failed']} | {share:.2f} ({key}s) |"
        )


def main() -> None:
    reference = Path(sys.argv[1])
    measured = json.loads((reference / AGREEMENT).read_text(encoding="utf-8"))
    print(*page(reference.name, measured), sep="\n")


if __name__ == "__main__":
    main()
