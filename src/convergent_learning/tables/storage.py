"""The one way to read and write a table, and what every reader takes from one."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

import pandas as pd

from convergent_learning.files import replace_when_done
from convergent_learning.tables.schema import COLUMNS, OPTIONAL, Role, column, with_role
from convergent_learning.tables.stages import has_stages, with_stage

Tables = dict[str, pd.DataFrame]


def tables_in(folder: str | Path) -> list[str]:
    """Names of the tables of an experiment: those that all have, and others that lie there.

    Examples
    --------
    >>> from convergent_learning.tables.storage import tables_in
    >>> "fig2" in tables_in("."), "fig8" in tables_in(".")  # fig8 needs recordings
    (True, False)
    """
    there = {path.name.split(".")[0] for path in Path(folder).glob("*.csv*")}
    return [name for name in COLUMNS if name not in OPTIONAL or name in there]


def remove_others(folder: str | Path, made: Collection[str]) -> None:
    """Remove the tables of a folder whose names are not among `made`."""
    for path in Path(folder).glob("*.csv*"):
        name = path.name.split(".")[0]
        if name in COLUMNS and name not in made:
            path.unlink()


def read_tables(folder: str | Path, names: Iterable[str]) -> Tables:
    """The named tables of a folder.

    Examples
    --------
    >>> import pandas as pd
    >>> from convergent_learning.tables.storage import read_tables
    >>> row = {"condition": "low_pass-1", "duplicate_of": "colour-bw", "largest_difference": 0.002}
    >>> pd.DataFrame([row]).to_csv("duplicate_conditions.csv", index=False)
    >>> {name: len(table) for name, table in read_tables(".", ["duplicate_conditions"]).items()}
    {'duplicate_conditions': 1}
    """
    return {name: read_table(folder, name) for name in names}


def read_table(folder: str | Path, name: str) -> pd.DataFrame:
    """Read `<folder>/<name>.csv`, or the same compressed, checked against the schema.

    Text columns are text whatever they hold (condition `5`, `inf`), with "" for empty.

    Raises
    ------
    ValueError
        If the file is missing or cannot be parsed, or lacks a column; it names both.

    Examples
    --------
    >>> import pandas as pd
    >>> from convergent_learning.tables.storage import read_table
    >>> row = {"condition": "low_pass-1", "duplicate_of": "colour-bw", "largest_difference": 0.002}
    >>> pd.DataFrame([row]).to_csv("duplicate_conditions.csv", index=False)
    >>> read_table(".", "duplicate_conditions").duplicate_of.tolist()
    ['colour-bw']
    """
    path = Path(folder) / f"{name}.csv"
    compressed = path.with_name(f"{path.name}.gz")
    return read_csv(compressed if compressed.exists() and not path.exists() else path, name)


def read_csv(path: str | Path, name: str) -> pd.DataFrame:
    """`read_table` for a table that lies elsewhere."""
    text = [known for known in COLUMNS[name] if column(name, known).type is str]
    try:
        frame = pd.read_csv(
            path, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values=[""]
        )
    except FileNotFoundError:
        raise ValueError(f"{path}: no such table; run the rule that writes it") from None
    except (OSError, EOFError, ValueError) as e:  # of which pandas' parser errors are subclasses
        raise ValueError(f"{path}: cannot be read as a table ({e}); delete it and rerun") from e
    missing = [known for known in COLUMNS[name] if known not in frame]
    if missing:
        raise ValueError(f"{path}: column {', '.join(missing)} is missing; delete it and rerun")
    if frame.empty:  # a table without rows does not tell numbers from text
        frame = frame.astype(float)
    frame[text] = frame[text].astype(object).fillna("")
    return frame


def read_accuracy(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Accuracy files as one table; of a row that several jobs have made, the first."""
    parts = [read_csv(path, "accuracy") for path in paths]
    table = pd.concat(parts, ignore_index=True)
    return table.drop_duplicates(with_role("accuracy", Role.KEY), ignore_index=True)


def write_table(frame: pd.DataFrame, folder: str | Path, name: str) -> None:
    """Write `<folder>/<name>.csv`: the columns of the schema, eight significant digits."""
    with replace_when_done(Path(folder) / f"{name}.csv") as partial:
        frame.to_csv(partial, index=False, columns=COLUMNS[name], float_format="%.8g")


def of_dataset(tables: Tables, dataset: str) -> Tables:
    """The rows of one dataset; tables without a dataset column are whole."""
    return {
        name: frame[frame.dataset == dataset] if "dataset" in frame else frame
        for name, frame in tables.items()
    }


def with_stages(tables: Tables) -> Tables:
    """Tables, of which `groups` is one, with the column `stage` where rows have steps."""
    groups = tables["groups"]
    return {
        name: with_stage(frame, groups) if has_stages(frame) else frame
        for name, frame in tables.items()
    }
