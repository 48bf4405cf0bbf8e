"""Reading score files: fold means, one file and one batch of rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from convergent_learning.alignment.registry import metrics
from convergent_learning.alignment.score_tables import COLUMNS, MEASURED

_CELL = [column for column in COLUMNS if column not in ("fold", *MEASURED)]
_BATCH_ROWS = 1 << 18


def read_scores(
    paths: Sequence[str | Path], rotated: bool = True, context: bool = True
) -> pd.DataFrame:
    """Scores averaged over folds.

    Parameters
    ----------
    paths : sequence of path
        Score files in the format of docs/methods.md; which rows lie in which file does not matter.
    rotated, context : bool
        Whether the rows of the rotated basis, which are most of the rows, and those of context
        metrics are wanted.

    Returns
    -------
    DataFrame
        One row per pair, step, stimulus set, layer pair, metric, centring, baseline, draw and
        direction: the mean `score` (NaN if any fold is NaN), the largest `n_dead_x` and
        `n_dead_y`, and `n_folds`. Rows are sorted.

    Raises
    ------
    ValueError
        If there is no file, or one is truncated, lacks a column, or repeats another's rows.
    """
    if not paths:
        raise ValueError("no score files: the scores rule made none")
    wanted = pc.scalar(True)
    if not rotated:
        wanted &= pc.field("baseline") != "rotated"
    if not context:
        wanted &= ~pc.field("metric").isin(metrics(context=True))
    frame = pd.concat([_read_one(Path(path), wanted) for path in paths], ignore_index=True)
    frame = frame.sort_values(_CELL, kind="stable", ignore_index=True)
    repeated = frame.duplicated(_CELL)
    if repeated.any():
        cell = frame.loc[repeated.idxmax(), _CELL].to_dict()
        raise ValueError(f"two score files hold the same rows, for example {cell}")
    return frame


def _read_one(path: Path, wanted: pc.Expression) -> pd.DataFrame:
    parts = []
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            missing = [name for name in COLUMNS if name not in file.schema_arrow.names]
            if missing:
                raise ValueError(
                    f"{path}: column {', '.join(missing)} is missing; delete it and rerun"
                )
            for batch in file.iter_batches(_BATCH_ROWS, columns=_CELL + MEASURED):
                parts.append(_fold_sums(pa.Table.from_batches([batch]).filter(wanted)))
            if not parts:  # networks that a metric cannot compare
                parts.append(_fold_sums(file.schema_arrow.empty_table()))
    except (pa.ArrowException, OSError) as error:
        raise ValueError(
            f"{path}: truncated or not a parquet file ({error}); delete it and rerun"
        ) from error
    sums = pd.concat(parts, ignore_index=True)
    if len(parts) > 1:
        how = dict.fromkeys(("score", "n_folds", "unknown"), "sum")
        how |= dict.fromkeys(("n_dead_x", "n_dead_y"), "max")
        sums = sums.groupby(_CELL, as_index=False, sort=False).agg(how)
    sums["score"] = np.where(sums.unknown > 0, np.nan, sums.score / sums.n_folds)
    sums["condition"] = sums.condition.fillna("")
    text = [column for column in _CELL if not pd.api.types.is_numeric_dtype(sums[column])]
    sums[text] = sums[text].astype(object)
    return sums.drop(columns="unknown")


def _fold_sums(rows: pa.Table) -> pd.DataFrame:
    """Sum over the folds in this batch; pandas writes NaN as null, and both count as unknown."""
    score = rows["score"].to_numpy().astype(float)
    unknown = ~np.isfinite(score)
    rows = rows.set_column(
        rows.schema.get_field_index("score"), "score", pa.array(np.where(unknown, 0.0, score))
    ).append_column("unknown", pa.array(unknown.astype(np.int64)))
    sums = rows.group_by(_CELL).aggregate(
        [
            *(("score", "sum"), ("score", "count"), ("unknown", "sum")),
            *(("n_dead_x", "max"), ("n_dead_y", "max")),
        ]
    )
    names = {"score_sum": "score", "score_count": "n_folds", "unknown_sum": "unknown"}
    names |= {"n_dead_x_max": "n_dead_x", "n_dead_y_max": "n_dead_y"}
    return sums.rename_columns([names.get(n, n) for n in sums.column_names]).to_pandas()
