"""Honest runs of one experiment: the numbers of each, in the rows of one reference.

A run has other networks than the reference, or trained them with another precision, thread count,
instruction set or processor; its networks stand in the rows of the reference's in the order of
their seeds. `runs/<name>.h5` in a reference holds one: dataset ``values`` (numbers, float16), and
as attributes ``rows`` (the digest of the rows that they are in) and ``about`` (JSON: seeds of each
group, how they were trained, processor).
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from convergent_learning.claims.entries import NUMBERS, claim_key, is_whole, read_claims
from convergent_learning.files import damaged_file_named, replace_when_done
from convergent_learning.tables.storage import Tables, read_tables, tables_in
from convergent_learning.verify import roles


@dataclass(frozen=True)
class Run:
    """A run's measured numbers in the order of `Rows.pools`, NaN where it has none.

    about : ``seeds`` (of each group that is trained), and how and where the run was made
    """

    name: str
    about: dict[str, Any]
    values: np.ndarray

    @property
    def networks(self) -> set[tuple[str, int]]:
        return {(group, seed) for group, seeds in self.about["seeds"].items() for seed in seeds}


class Rows:
    """The measured numbers of trained networks in the tables and claims of a folder.

    experiment : digest of what all runs of it have in common; runs of another are refused

    Raises ValueError where a table is missing, DamagedFileError for claims that cannot be read.
    """

    def __init__(self, folder: Path, experiment: str = ""):
        self.experiment = experiment
        self._tables = _ranked(read_tables(folder / "tables", tables_in(folder / "tables")))
        parts = [*itertools.filterfalse(is_whole, read_claims(folder / "claims.json"))]
        self._claims = [(*claim_key(claim), column) for claim in parts for column in NUMBERS]

    @property
    def pools(self) -> pd.DataFrame:
        """The pool of each number (`roles.POOL`), those of contrasts among metrics included."""
        parts = [
            roles.pools(name, table).assign(table=name, column=column)[trained]
            for name, table, column, trained in _columns(self._tables)
        ]
        claims = pd.DataFrame(
            [("claims", column, claim) for _, claim, column in self._claims],
            columns=["table", "column", "metric"],
        )
        return pd.concat([*parts, claims], ignore_index=True)[roles.POOL].fillna("")

    @property
    def digest(self) -> str:
        """Sha256 of the names of the numbers and of the keys of their rows, seeds by rank."""
        named: dict[str, list[str]] = {}
        for name, _, column, _ in _columns(self._tables):
            named.setdefault(name, []).append(column)
        sha256 = hashlib.sha256(json.dumps([named, self._claims]).encode())
        for name in named:
            sha256.update(self._tables[name][roles.keys(name)].to_csv(index=False).encode())
        return sha256.hexdigest()

    def read(self, folder: Path, about: dict[str, Any]) -> Run:
        """The run in a results folder, its tables and claims, in these rows."""
        tables = read_tables(folder / "tables", self._tables)
        ranked = _ranked(tables)
        for name, rows in self._tables.items():
            keys = roles.keys(name)
            both = rows[keys].merge(
                ranked[name], on=keys, how="outer", validate="1:1", indicator=True
            )
            if (alone := both[both._merge != "both"]).size:
                raise ValueError(
                    f"{folder} is no run of the reference's experiment: {len(alone)} rows of {name}"
                    f" are not alike, first {roles.row_name(alone.iloc[0][keys])}"
                )
            ranked[name] = rows[keys].merge(ranked[name], on=keys, how="left")
        parts = [
            table[column].to_numpy(float)[trained]
            for name, table, column, trained in _columns(ranked)
        ]
        found = {claim_key(claim): claim for claim in read_claims(folder / "claims.json")}
        if missing := {(dataset, claim) for dataset, claim, _ in self._claims} - found.keys():
            raise ValueError(f"{folder}: claims.json lacks {' '.join(min(missing))}")
        claims = [found[dataset, claim][column] for dataset, claim, column in self._claims]
        values = np.concatenate([*parts, np.array(claims, float)])
        about = about | {"experiment": self.experiment, "seeds": _seeds(tables)}
        return Run(folder.name, about, values)

    def write(self, run: Run, path: Path) -> None:
        """Put the run into a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_when_done(path) as partial, h5py.File(partial, "w") as file:
            values = run.values.astype(np.float16)
            if (np.isfinite(run.values) & ~np.isfinite(values)).any():
                raise ValueError(f"{path}: a number is too large to be kept in float16")
            file.create_dataset("values", data=values, compression="gzip", shuffle=True)
            file.attrs["rows"] = self.digest
            file.attrs["about"] = json.dumps(run.about, sort_keys=True)

    def stored(self, path: Path) -> Run:
        """The run that `write` put into a file.

        Raises ValueError if it is in other rows, DamagedFileError naming the file if it is damaged.
        """
        with damaged_file_named(path, OSError, KeyError), h5py.File(path) as file:
            if file.attrs["rows"] != self.digest:
                raise ValueError(
                    f"{path.parent.name}/{path.name} of the reference holds numbers in the rows of"
                    " other tables; delete it and make the honest runs again"
                )
            about = json.loads(file.attrs["about"])
            if about["experiment"] != self.experiment:
                raise ValueError(
                    f"{path.parent.name}/{path.name} of the reference is a run of another config;"
                    " delete it and make the honest runs again"
                )
            return Run(path.stem, about, file["values"][:].astype(float))


def _columns(tables: Tables) -> Iterator[tuple[str, pd.DataFrame, str, np.ndarray]]:
    """Every measured column: table, the table with contrasts, column, which rows are trained."""
    for name, table in tables.items():
        trained = (roles.pools(name, table).stage != roles.UNTRAINED).to_numpy()
        contrasted = roles.with_contrasts(name, table)
        for column in roles.measured(name, contrasted):
            yield name, contrasted, column, trained


def _seeds(tables: Tables) -> dict[str, list[int]]:
    """Seeds of each group that is trained here: given networks are the same in all runs."""
    groups, seeds_of = tables["groups"], _all_seeds(tables["accuracy"])
    trained = dict.fromkeys(groups.group[groups.objective != ""])
    return {group: seeds_of[group] for group in trained}


def _all_seeds(accuracy: pd.DataFrame) -> dict[str, list[int]]:
    return {
        str(group): sorted(map(int, rows.seed.unique()))
        for group, rows in accuracy.groupby("group")
    }


def _ranked(tables: Tables) -> Tables:
    """The tables with each seed replaced by its rank within its group."""
    ranks = {
        (group, seed): rank
        for group, seeds in _all_seeds(tables["accuracy"]).items()
        for rank, seed in enumerate(seeds)
    }
    ranked = {}
    for name, table in tables.items():
        columns = {}
        for column in table:
            if column == "seed" or column.startswith("seed_") or column.endswith("_seed"):
                side = column.replace("seed", "group")
                side = side if side in table else "group"
                pairs = zip(table[side], table[column], strict=True)
                columns[column] = [ranks[pair] for pair in pairs]
        ranked[name] = table.assign(**columns)
    return ranked
