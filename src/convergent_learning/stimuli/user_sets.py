"""Stimulus sets that a user brings: what an entry of `stimuli.sets` means, its checks, its files.

Read while the DAG is built, so it imports no torch and opens no image before a set is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .corruptions import (
    SEVERITIES,
    corruption_problems,
    corruption_stimuli,
    write_corruption_set,
)
from .folders import count_images, write_folder_set
from .registry import families
from .stimulus_files import open_stimuli, read_attributes

CORRUPTIONS = "cifar-c"

# Names of stimuli and of blocks of scores that mean something else.
_RESERVED = ("id", "all", "final", "untrained", "training")
_KEYS = {
    "imagefolder": ("resize",),
    "geirhos": ("resize", "conditions"),
    CORRUPTIONS: ("severities",),
}


@dataclass(frozen=True)
class UserSet:
    """An entry of `stimuli.sets`: images on disk, as one condition or as several.

    Attributes
    ----------
    stimuli : str
        Name in tables, figures and slugs.
    name, layout, path, resize
        As in the entry.
    conditions : tuple of str
        Conditions in the entry's order, mild to strong; ("",) for a set that has only one.
    """

    stimuli: str
    name: str
    layout: str
    path: str
    resize: int | None
    conditions: tuple[str, ...]

    @classmethod
    def of(cls, entry: Mapping[str, Any]) -> UserSet:
        """The set that a config entry describes."""
        name, layout = entry["name"], entry["layout"]
        corrupted = layout == CORRUPTIONS
        severities = sorted(entry.get("severities", SEVERITIES))
        return cls(
            stimuli=corruption_stimuli(name) if corrupted else name,
            name=name,
            layout=layout,
            path=entry["path"],
            resize=entry.get("resize"),
            conditions=tuple(map(str, severities if corrupted else entry.get("conditions", [""]))),
        )

    # What a family says of itself in the table of conditions.
    identity = None

    @property
    def counts_as(self) -> str:
        return self.stimuli

    @property
    def graded(self) -> bool:
        return len(self.conditions) > 1

    @property
    def paired(self) -> bool:
        """Whether row i shows the image that row i of the ID set shows."""
        return self.layout == CORRUPTIONS

    @property
    def sources(self) -> list[str]:
        """Files, or the folder, that the set is made from."""
        if self.layout == CORRUPTIONS:
            return [str(Path(self.path) / f"{file}.npy") for file in (self.name, "labels")]
        return [self.path]


def write_user_set(user_set: UserSet, condition: str, identity_h5: Path, out: Path) -> None:
    """Write one condition of a user's set, for the networks that the ID set `identity_h5` is for.

    Image size, classes and seed are those of the ID set. Of a folder with more images than it, a
    class-balanced subset as large is taken: scores depend on the number of stimuli, so a drop is
    fair only between sets of the same size.

    Raises ValueError as `write_folder_set` and `write_corruption_set` do.
    """
    if user_set.layout == CORRUPTIONS:
        folder = Path(user_set.path)
        write_corruption_set(folder, user_set.name, int(condition), identity_h5, out)
        return
    with open_stimuli(identity_h5) as identity:
        about = read_attributes(identity)
        n_images, *sides = identity["images"].shape[:3]
    write_folder_set(
        Path(user_set.path),
        user_set.layout,
        out,
        min(sides),
        json.loads(about["classes"]),
        name=user_set.stimuli,
        dataset=about["dataset"],
        condition=condition,
        resize=user_set.resize,
        n_images=n_images,
        seed=about["seed"],
    )


def set_problems(
    entries: Sequence[Mapping[str, Any]],
    n_folds: int,
    tests: Mapping[str, tuple[int | None, int]],
) -> Iterator[str]:
    """What is wrong with the entries of `stimuli.sets`, each named by its key.

    Parameters
    ----------
    entries : sequence of mapping
        Entries that keep to the schema.
    n_folds : int
        Folds over stimuli; each needs two images.
    tests : mapping of str to (int or None, int)
        Number of the test images of each data set, None if it is not known, and their side in
        pixels.
    """
    names: list[str] = []
    for index, entry in enumerate(entries):
        key, user_set = f"stimuli.sets[{index}]", UserSet.of(entry)
        for other in ("resize", "conditions", "severities"):
            if other in entry and other not in _KEYS[user_set.layout]:
                yield f"{key}.{other}: the layout {user_set.layout} has no such key"
        kinds = {family.kind for family in families().values()}
        if user_set.stimuli in (*families(), *kinds, *_RESERVED, *names):
            taken = "another set" if user_set.stimuli in names else "a built-in set"
            yield f"{key}.name: {user_set.stimuli!r} is the name of {taken}; choose another"
        names.append(user_set.stimuli)
        for dataset, (_, side) in tests.items():
            if user_set.resize is not None and user_set.resize < side:
                yield f"{key}.resize: {user_set.resize} is under the {side} pixels of {dataset}"
        if user_set.layout == CORRUPTIONS:
            yield from _corruption_problems(key, user_set, tests)
        else:
            yield from _folder_problems(key, user_set, 2 * n_folds, n_folds)


def _corruption_problems(
    key: str, user_set: UserSet, tests: Mapping[str, tuple[int | None, int]]
) -> Iterator[str]:
    folder = Path(user_set.path)
    missing = [file for file in user_set.sources if not Path(file).is_file()]
    if not folder.is_dir():
        yield f"{key}.path: no folder {folder}; correct the path"
    elif missing:
        there = ", ".join(sorted(path.name for path in folder.glob("*.npy"))) or "none"
        for file in missing:
            yield f"{key}.path: no file {file}; arrays in its folder: {there}"
    else:
        for problem in corruption_problems(folder, user_set.name, tests):
            yield f"{key}.path: {problem}"


def _folder_problems(key: str, user_set: UserSet, needed: int, n_folds: int) -> Iterator[str]:
    folder = Path(user_set.path)
    if not folder.is_dir():
        yield f"{key}.path: no folder {folder}; correct the path"
        return
    for condition in user_set.conditions:
        try:
            found = count_images(folder, user_set.layout, condition, needed)
        except ValueError as error:
            yield f"{key}.path: {error}"
            return
        if found < needed:
            of = f" of condition {condition!r}" if condition else ""
            yield (
                f"{key}.{'conditions' if condition else 'path'}: {folder} has {found} images{of};"
                f" alignment.folds: {n_folds} needs {needed}, two per fold"
            )
