"""Score files: the table of a block of moments files, with what earlier files already hold.

A score is determined by the identities of both networks' responses (`alignment.store`), the metric
with its code, and how it is asked for. Their digest is the score's key; a file lists the keys of
what is in it, and rows whose key an earlier file has are taken from there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from convergent_learning.alignment.comparisons import CONTEXT
from convergent_learning.alignment.reading import (
    MomentsFile,
    Stored,
    StoredNetwork,
    path_of,
)
from convergent_learning.alignment.registry import metrics as registered
from convergent_learning.alignment.score_tables import COLUMNS, MEASURED, score_table
from convergent_learning.files import replace_when_done

_KEYS = b"score keys"
_LIBRARIES = ("numpy", "scipy", "POT", "torch")
# How scores are computed that changes none of them.
_WHERE = ("device", "threads")
_PAIR = ["group_x", "seed_x", "group_y", "seed_y"]
_ORDER = [column for column in COLUMNS if column not in MEASURED]


def write_scores(
    moments: Sequence[Path],
    out: Path,
    metrics: Mapping[str, str],
    *,
    earlier: Iterable[Path] = (),
    transfer_from: Path | None = None,
    **how: Any,
) -> list[Path]:
    """Write the scores of all pairs of networks in `moments` files as one parquet file `out`.

    Parameters
    ----------
    moments : files of ``store.write_moments``.
    metrics : names of metrics, and ``"context"`` for all context metrics, with the digest of the
        code of each.
    earlier : whole score files; `out` itself may be one.
    transfer_from, how : see ``score_table``.

    Returns
    -------
    list of path
        The earlier files that rows were taken from.
    """
    scores = BlockScores(metrics, earlier, **how)
    for alike in _of_the_same_pairs(moments):
        scores.add(alike, transfer_from)
    return scores.write(out)


def _of_the_same_pairs(moments: Sequence[Path]) -> Iterable[Sequence[Path]]:
    """Files by the pairs of networks that they hold: groups may end at different steps."""
    held: dict[tuple[tuple[str, str], ...], list[Path]] = {}
    for path in moments:
        with MomentsFile(path) as file:
            pairs = tuple((x.name, y.name) for x, y in file.pairs())
        held.setdefault(pairs, []).append(path)
    return held.values()


class BlockScores:
    """Scores of a block, file of moments by file of moments; arguments as `write_scores`."""

    def __init__(
        self,
        metrics: Mapping[str, str],
        earlier: Iterable[Path],
        **how: Any,
    ):
        self._metrics, self._how = metrics, how
        self._earlier = [_Earlier(path) for path in earlier]
        self._used: dict[Path, None] = {}
        self._parts: list[pd.DataFrame] = []
        self._keys: list[str] = []

    def add(self, moments: Sequence[Stored], transfer_from: Stored | None = None) -> None:
        """Compute the scores of files or open HDF5 files of the same pairs, or take known ones."""
        settings = {key: self._how[key] for key in sorted(set(self._how) - set(_WHERE))}
        asked = {
            (path_of(file), *what): key
            for file in moments
            for what, key in _asked(file, self._metrics, transfer_from, settings)
        }
        known = {
            what: next((file for file in self._earlier if key in file.keys), None)
            for what, key in asked.items()
        }
        computed = score_table(
            moments,
            [name for name in self._metrics if name != CONTEXT],
            transfer_from=transfer_from,
            context=CONTEXT in self._metrics,
            wanted=lambda *what: known[what] is None,
            **self._how,
        )
        self._parts.append(computed)
        for earlier in filter(None, dict.fromkeys(known.values())):
            self._used[earlier.path] = None
            for file in moments:
                here = [
                    what
                    for (of, *what), there in known.items()
                    if there is earlier and of == path_of(file)
                ]
                self._parts += [earlier.rows(file, here)] if here else []
        self._keys += asked.values()

    def write(self, out: Path) -> list[Path]:
        """Write all scores as one parquet file; return the earlier files that rows are from."""
        parts = [part for part in self._parts if len(part)] or self._parts[:1]
        table = pd.concat(parts, ignore_index=True)
        table = table.sort_values(_ORDER, kind="stable", ignore_index=True)
        content = pa.Table.from_pandas(table, preserve_index=False)
        metadata = {
            **(content.schema.metadata or {}),
            _KEYS: json.dumps(sorted(self._keys)).encode(),
        }
        content = content.replace_schema_metadata(metadata)
        with replace_when_done(out) as partial:
            pq.write_table(content, partial, write_page_checksum=True)
        return list(self._used)


_What = tuple[str, str, str]  # metric or "context", network x, network y


def _asked(
    moments: Stored,
    metrics: Mapping[str, str],
    transfer_from: Stored | None,
    how: Mapping[str, Any],
) -> Iterator[tuple[_What, str]]:
    """What a moments file is asked for, pair by pair and metric by metric, and its key."""
    fitted: dict[str, StoredNetwork] = {}
    if transfer_from is not None:
        with MomentsFile(transfer_from) as file:
            fitted = {network.name: network for network in file.networks}
    libraries = {name: version(name) for name in _LIBRARIES}
    with MomentsFile(moments) as file:
        about = {key: str(file.attrs[key]) for key in ("dataset", "step", "stimuli", "condition")}
        for x, y in file.pairs():
            stored = [file.is_mapped(x, y), file.has_shuffled(x, y)]
            sources = [fitted[n.name].identity for n in (x, y) if n.name in fitted]
            for metric, code in metrics.items():
                said = {
                    "networks": [x.name, y.name],
                    "responses": [x.identity, y.identity],
                    "fitted on": sources,
                    "stored": stored,
                    "metric": [metric, code],
                    "how": how,
                    "libraries": libraries,
                    **about,
                }
                text = json.dumps(said, sort_keys=True, default=str)
                yield (metric, x.name, y.name), hashlib.sha256(text.encode()).hexdigest()


@dataclass(eq=False)
class _Earlier:
    """A score file that was made before, and the keys of its scores."""

    path: Path
    keys: frozenset[str] = field(init=False)
    _file: pq.ParquetFile = field(init=False)
    _table: pd.DataFrame | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        # Open from now on: another job may replace the file.
        self._file = pq.ParquetFile(self.path, page_checksum_verification=True)
        metadata = self._file.schema_arrow.metadata or {}
        self.keys = frozenset(json.loads(metadata.get(_KEYS, b"[]")))

    def rows(self, moments: Stored, asked: Sequence[Sequence[str]]) -> pd.DataFrame:
        """The rows of what a moments file is asked for."""
        table = self._read()
        with MomentsFile(moments) as file:
            same = [
                table[column] == file.attrs[column]
                for column in ("dataset", "step", "stimuli", "condition")
            ]
            names = {network.name: (network.group, network.seed) for network in file.networks}
        here = table[pd.concat(same, axis=1).all(axis=1)]
        kind = here.metric.where(~here.metric.isin(registered(context=True)), CONTEXT)
        wanted = pd.MultiIndex.from_tuples(
            [(metric, *names[x], *names[y]) for metric, x, y in asked]
        )
        found = pd.MultiIndex.from_arrays([kind, *(here[column] for column in _PAIR)])
        return here[found.isin(wanted)]

    def _read(self) -> pd.DataFrame:
        if self._table is None:
            self._table = self._file.read().to_pandas()
        return self._table
