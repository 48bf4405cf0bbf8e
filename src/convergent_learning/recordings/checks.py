"""Refusal of recordings that cannot be scored, before any work starts: names, files and shapes.

Read while the DAG is built: no image is opened and no value is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from convergent_learning.array_files import open_arrays
from convergent_learning.recordings.layouts import count_stimuli, shape_problems
from convergent_learning.recordings.objects92 import NAME, missing_files
from convergent_learning.recordings.recording import KINDS

_FEWEST_STIMULI = 4  # six dissimilarities: with three of them a rank correlation says nothing


def recording_problems(entries: Sequence[Mapping[str, Any]], n_folds: int) -> Iterator[str]:
    """What is wrong with the entries of `recordings`, each message naming the key.

    Parameters
    ----------
    entries : sequence of mapping
        Entries that keep to the schema.
    n_folds : int
        Folds over stimuli; each needs two of them.
    """
    names: list[str] = []
    for index, entry in enumerate(entries):
        key, name, layout = f"recordings[{index}]", entry["name"], entry.get("layout")
        if name in names:
            yield f"{key}.name: {name!r} is the name of another recording; choose another"
        names.append(name)
        if layout is None:
            yield from _named_problems(entry, key)
        elif name == NAME:
            yield f"{key}.name: {name!r} is the published recording; call your own file otherwise"
        elif layout not in KINDS:
            yield f"{key}.layout: unknown {layout!r}; allowed: {', '.join(KINDS)}"
        elif entry.get("source") is None:
            yield f"{key}.source: a recording with a `layout` needs it"
        else:
            yield from _file_problems(entry, key, n_folds)


def _named_problems(entry: Mapping[str, Any], key: str) -> Iterator[str]:
    if entry["name"] != NAME:
        yield (
            f"{key}.name: unknown {entry['name']!r}; allowed: {NAME}, or, for your own file, any"
            f" other name with a `layout` ({', '.join(KINDS)}) and a `source`"
        )
        return
    if entry.get("images") is not None:
        yield f"{key}.images: {NAME} has its own images; remove it"
    if entry.get("source") is None:
        return
    source = Path(entry["source"])
    if not source.exists():
        yield f"{key}.source: no folder or archive {source}"
    elif source.is_dir():
        missing = missing_files(source)
        if missing:
            yield f"{key}.source: {source} has no {' and no '.join(missing)}"


def _file_problems(entry: Mapping[str, Any], key: str, n_folds: int) -> Iterator[str]:
    source, layout = entry["source"], entry["layout"]
    try:
        with open_arrays(Path(source)) as arrays:
            problems = list(shape_problems(entry, arrays))
            stimuli = None if problems else count_stimuli(entry, arrays)
    except (ValueError, FileNotFoundError, ImportError) as error:
        yield f"{key}.source: {error}"
        return
    yield from (f"{key}.{of}: {problem}" for of, problem in problems)
    if stimuli is None:
        return
    if layout == "responses" and stimuli < 2 * n_folds:
        yield (
            f"{key}.source: {source} has {stimuli} stimuli;"
            f" alignment.folds: {n_folds} needs {2 * n_folds}, two per fold"
        )
    elif layout == "dissimilarities" and stimuli < _FEWEST_STIMULI:
        yield f"{key}.source: {source} has {stimuli} stimuli; {layout} need {_FEWEST_STIMULI}"
