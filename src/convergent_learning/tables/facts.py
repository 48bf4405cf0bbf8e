"""Tables of what an experiment consists of: datasets, layers, conditions, accuracy, training.

Figures and claims read them beside the scores.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from convergent_learning.datasets.canonical import read_summary
from convergent_learning.files import damaged_file_named, replace_when_done
from convergent_learning.stimuli.sets import duplicate_conditions
from convergent_learning.tables.schema import COLUMNS, Role, with_role
from convergent_learning.tables.storage import read_accuracy

_LOG = logging.getLogger(__name__)
_NAMES = ("dataset", "group", "layer", "role")


def write_datasets(facts: Sequence[dict[str, Any]], files: Sequence[Path], out: Path) -> None:
    """One row for each dataset: classes, chance, sizes and the digests of the raw records.

    `facts` say what the config decides: dataset, train_images and stimuli; `files` are the
    datasets.
    """
    rows = []
    for known, path in zip(facts, files, strict=True):
        summary = read_summary(path)
        classes = len(summary["classes"])
        digests = {key: summary[key] for key in ("sha256_train", "sha256_test")}
        rows.append(known | {"classes": classes, "chance": 1 / classes} | digests)
    _write(pd.DataFrame(rows)[COLUMNS["datasets"]], out)


def write_layers(parts: Sequence[Path], architectures: Mapping[str, str], out: Path) -> None:
    """One row for each layer of each group in each dataset: depth, role, units and kept grid.

    `parts` are the files of layers (`activations.block`) of the final networks; `architectures` are
    those of the groups, in the order of the config.
    """
    tables = []
    for path in parts:
        with damaged_file_named(path, ValueError):
            # Layers may be called 0, 1.0 or NA.
            tables.append(
                pd.read_csv(path, dtype=dict.fromkeys(_NAMES, str), keep_default_na=False)
            )
    table = pd.concat(tables, ignore_index=True).drop_duplicates(["dataset", "group", "layer"])
    table["architecture"] = table.group.map(architectures)
    order = pd.MultiIndex.from_product([table.dataset.unique(), architectures])
    place = order.get_indexer(pd.MultiIndex.from_frame(table[["dataset", "group"]]))
    _write(table.iloc[place.argsort(kind="stable")][COLUMNS["layers"]], out)


def write_conditions(conditions: Sequence[dict[str, Any]], out: Path) -> None:
    """One row for each OOD condition: its place from mild to strong and the family it counts as."""
    _write(pd.DataFrame(conditions, columns=COLUMNS["conditions"]), out)


def write_groups(groups: Sequence[dict[str, Any]], out: Path) -> None:
    """One row for each group in each dataset: what its networks learn from what, for how long."""
    _write(pd.DataFrame(groups, columns=COLUMNS["groups"]), out)


def write_recordings(files: Sequence[Path], out: Path) -> None:
    """One row for each system of the recordings whose canonical files are given."""
    # Ranks need torch, which drawing from finished tables does without.
    from convergent_learning.recordings.canonical import read_recording
    from convergent_learning.recordings.systems import scored_systems

    rows = [system.about for path in files for system in scored_systems(read_recording(path))]
    _write(pd.DataFrame(rows, columns=COLUMNS["recordings"]), out)


def write_duplicates(stimuli: Sequence[Path], out: Path) -> None:
    """One row per pair of conditions whose images are within 1/255 of each other; also logged."""
    found = duplicate_conditions(stimuli)
    for one, other, difference in found:
        _LOG.warning("conditions %s and %s are the same to %.4f", one, other, difference)
    _write(pd.DataFrame(found, columns=COLUMNS["duplicate_conditions"]), out)


def write_accuracy(parts: Sequence[Path], out: Path) -> None:
    """All accuracy files as one table."""
    table = read_accuracy(parts)
    _write(table.sort_values(with_role("accuracy", Role.KEY), kind="stable"), out)


def write_training(parts: Mapping[tuple[str, str, int], Path], out: Path) -> None:
    """Loss and accuracy at every epoch of every network, keyed (dataset, group, seed)."""
    tables = [
        _read_curves(path).assign(dataset=dataset, group=group, seed=seed)
        for (dataset, group, seed), path in parts.items()
    ]
    whole = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()
    _write(whole.reindex(columns=COLUMNS["fig1_training"]), out)


def _read_curves(path: Path) -> pd.DataFrame:
    with damaged_file_named(path, ValueError):  # of which pandas' parser errors are subclasses
        return pd.read_csv(path)


def _write(table: pd.DataFrame, out: Path) -> None:
    with replace_when_done(out) as partial:
        table.to_csv(partial, index=False)
