"""Which groups the claims of figures 2 to 6 are judged on: those of one kind."""

from __future__ import annotations

import pandas as pd

from convergent_learning.tables.stages import rows_of
from convergent_learning.tables.storage import Tables


def of_one_kind(tables: Tables) -> tuple[Tables, tuple[str, ...]]:
    """The rows of groups of one kind, and in words which groups were left out.

    Networks that learn the true labels of natural images, if there are any; else those that are
    trained on the first other task; else those that come trained, or not trained at all. The mean
    over groups of different kinds would be of nothing in particular.

    tables : of one dataset
    """
    groups = tables["groups"]
    kinds = pd.MultiIndex.from_frame(groups[["labels", "images", "objective"]])
    ordinary = ("true", "natural", "supervised")
    learned = [kind for kind in kinds if kind[-1] not in ("", "none")]
    chosen = ordinary if ordinary in learned else next(iter(learned), kinds[0])
    kept, others = groups.group[kinds == chosen], groups.group[kinds != chosen]
    if others.empty:
        return tables, ()
    own = {name: rows_of(frame, set(kept)) for name, frame in tables.items()}
    return own, (f"judged on {', '.join(kept)}; of another kind: {', '.join(others)}",)
