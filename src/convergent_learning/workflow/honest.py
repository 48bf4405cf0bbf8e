"""Honest runs: an experiment with other seeds, trained in other ways, for the limits of `verify`.

Seeds are taken in sets of twice as many as a group of the experiment has. A set is trained in one
way, and split into two runs in three ways, so that six runs come of it; networks are shared between
runs. Of a run its numbers are kept, in the reference; what was computed for it is removed, but the
networks.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from convergent_learning.config.group import Group
from convergent_learning.config.paths import Paths
from convergent_learning.tables.storage import tables_in
from convergent_learning.verify.agreement import RUNS
from convergent_learning.verify.reference import in_common, made_with
from convergent_learning.verify.runs import Rows
from convergent_learning.workflow.origin import origin

# How the networks of a set are trained, beside what the config says; sets take turns.
WAYS: list[dict[str, Any]] = [
    {},
    {"precision": "float32", "threads": 1},
    {"precision": "float32", "threads": 2},
    {"precision": "bfloat16", "threads": 1},
]
_SPLITS = 3


@dataclass(frozen=True)
class HonestRun:
    """A run: the seeds of each of its groups, and keys of `training` that differ."""

    experiment: str
    seeds: list[int]
    training: dict[str, Any]

    @property
    def name(self) -> str:
        return "-".join([self.experiment, "seeds", *map(str, self.seeds)])

    def config(self, config: dict[str, Any]) -> dict[str, Any]:
        """Its config, from that of the experiment."""
        networks = [
            entry | {"seeds": self.seeds} if _is_trained(entry) else entry
            for entry in config["networks"]
        ]
        return config | {
            "experiment": self.name,
            "networks": networks,
            "training": config["training"] | self.training,
        }


def honest_runs(config: dict[str, Any], sets: int) -> Iterator[HonestRun]:
    """Runs of the first `sets` sets of seeds, without the one that has the experiment's own seeds.

    Those of a first split of every set, which share no network, are the first ones. Of six seeds
    the splits are 123|456, 124|356 and 135|246. Raises ValueError where groups differ in their
    seeds, which may be on purpose, or have fewer than three.
    """
    own = {tuple(entry["seeds"]) for entry in config["networks"] if _is_trained(entry)}
    if len(own) != 1 or (size := len(next(iter(own)))) < 3:
        raise ValueError(
            "networks: honest runs need groups with the same seeds, three or more, of one order"
        )
    for split in range(_SPLITS):
        for number in range(sets):
            first = 1 + 2 * size * number
            seeds = range(first, first + 2 * size)
            halves = [half for half in itertools.combinations(seeds, size) if first in half]
            half = halves[(0, 1, len(halves) // 2)[split]]
            for chosen in (half, tuple(seed for seed in seeds if seed not in half)):
                if sorted(chosen) not in [sorted(seeds) for seeds in own]:
                    yield HonestRun(config["experiment"], [*chosen], WAYS[number % len(WAYS)])


def make_honest_run(
    run: HonestRun,
    config: dict[str, Any],
    reference: Path,
    snakemake: Callable[..., Any],
    keep: bool = False,
) -> Path:
    """Run it unless it is there, and keep its numbers in the `runs` of the reference.

    snakemake : runs Snakemake with the targets and options given to it
    keep : whether its results and its config stay too
    """
    kept = reference / RUNS / f"{run.name}.h5"
    if kept.exists():
        return kept
    paths = Paths(run.name)
    overlay = Path(f"{paths.results}.yaml")
    overlay.parent.mkdir(parents=True, exist_ok=True)
    made = run.config(config)
    overlay.write_text(yaml.safe_dump(made, sort_keys=False), encoding="utf-8")
    tables = [paths.table(name) for name in tables_in(reference / "tables")]
    snakemake(paths.claims, *tables, "--configfile", str(overlay))
    about = made_with(made, origin(Path.cwd()))
    rows = Rows(reference, in_common(config))
    rows.write(rows.read(Path(paths.results), about), kept)
    if not keep:
        shutil.rmtree(paths.results)
        overlay.unlink()
    return kept


def _is_trained(entry: dict[str, Any]) -> bool:
    return Group.model_validate(entry).is_trained
