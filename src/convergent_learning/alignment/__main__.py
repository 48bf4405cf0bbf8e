"""`python -m convergent_learning.alignment` prints docs/measures.md."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable
from typing import Any

from . import measurement, registry
from .invariances import Transformation

_HEAD = """# Measures and metrics

This page lists what measures and metrics declare; `make pages` writes it.
`tests/alignment/test_invariances.py` transforms generic responses and asserts that each declared
invariance holds and that no other one does."""

_MEASURES = """## Measures

```python
from convergent_learning.alignment import measure, measures

measure(x, y, "cka_debiased")  # one number, in float64, of all stimuli
measure(x, y, "mutual_knn", k=20)
measure(k, l, "cka", gram=True)  # Gram matrices (n, n) of any kernel
{name: measure(x, y, name) for name in measures()}
```

A measure compares all stimuli at once and is symmetric; `score` fits maps on some stimuli and
scores them on others. Arrays and positions are those of `score`. Measures that compare stimuli take
all units at all positions as the pattern of a stimulus. Those that compare units
(`angular_procrustes`, `partial_soft_matching`) take channels as units and positions as samples,
centred per position, as `score` does. Inner products are made by blocks: 10,000 stimuli
of 512 units fit in 4 GB (`benchmarks/measures.py`).

**Two kinds of CKA.** `measure(x, y, "cka")` is the published one, of all stimuli. The context
metric `score(x, y, "cka")` is a mean over folds, each of the held-out stimuli alone, which are
fewer and therefore bias it further upwards: for 100 stimuli and 10 units a side that have nothing
in common the measure is 0.09 and the fold average 0.34. Neither `cka_debiased` has that bias: the
measure takes the estimator of Song et al. (2012), the context metric takes inner products between
the held-out and the training stimuli. Compare published numbers with the measure."""

_INVARIANCES = """## Invariances

The table shows which transformations of the units leave a number as it is. For a measure, the units
of either side may be transformed. For the directed score x->y of a metric, *yes* says that those of
either side may be, *source* only those of x, and *target* only those of y. Scalings are by positive
factors, a unit scaling by one for each unit. `linear` and `r2` are shown with `ridge=0`: a penalty
depends on how the variances of the units compare."""


def markdown() -> str:
    """Measures and what they are; then what measures and metrics are invariant to."""
    measures = [measurement.find(name) for name in measurement.measures()]
    lines = [_HEAD, "", _MEASURES, "", *_row("measure", "is", "options", "computed from", "source")]
    for each in measures:
        what = f"{_summary(each.compute)} Values: {each.values}."
        needs = "responses or Gram matrices" if each.kernel else "responses"
        options = ", ".join(f"`{name}={value}`" for name, value in each.options.items())
        lines += _row(f"`{each.name}`", what, options, needs, each.source)[:1]
    lines += ["", _INVARIANCES, "", *_row("", *(kind.value for kind in Transformation))]
    for each in measures:
        lines += _invariances(f"measure `{each.name}`", each.invariant_to, each.invariant_to)
    for name in (*registry.metrics(), *registry.metrics(context=True)):
        lines += _invariances(f"metric `{name}`", *registry.metric(name).invariant_to)
    return "\n".join(lines) + "\n"


def _invariances(
    name: str, source: Iterable[Transformation], target: Iterable[Transformation]
) -> list[str]:
    sides = {(True, True): "yes", (True, False): "source", (False, True): "target"}
    marks = (sides.get((kind in source, kind in target), "") for kind in Transformation)
    return _row(name, *marks)[:1]


def _row(*cells: str) -> list[str]:
    """A row, and the line that makes it the head of a table."""
    return [f"| {' | '.join(cells)} |", "|---" * len(cells) + "|"]


def _summary(function: Callable[..., Any]) -> str:
    """The first paragraph of a docstring."""
    return " ".join((inspect.getdoc(function) or "").split("\n\n")[0].split())


if __name__ == "__main__":
    sys.stdout.write(markdown())
