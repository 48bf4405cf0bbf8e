"""The report page: tables, figures and claims of one experiment in a single HTML file."""

from __future__ import annotations

import base64
import datetime
import importlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from convergent_learning.experiment import Experiment
from convergent_learning.files import damaged_file_named, replace_when_done
from convergent_learning.report.provenance import provenance, wall_times
from convergent_learning.statistics.columns import COLUMNS, read_table

TITLES = {
    1: "Stimuli and networks",
    2: "Four metrics across depth",
    3: "The privileged basis",
    4: "Layer by layer",
    5: "Alignment and accuracy over training",
    6: "Out-of-distribution stimuli",
}
_VERDICT_MARKS = {"supported": "✓", "not supported": "✗", "inconclusive": "?"}


@dataclass(frozen=True)
class Figure:
    """A figure as the page shows it; `image` is a data URI, `tables` are links to CSV files."""

    number: int
    title: str
    caption: str
    image: str
    tables: list[str]
    command: str


def write_report(
    experiment: Experiment,
    results: Path,
    figures: Sequence[int],
    out: Path,
    repository: Path,
) -> None:
    """Write the page from what lies in `results` (figures, tables, claims.json, benchmarks).

    Raises DamagedFileError naming a claims file that cannot be parsed, ValueError naming a table
    that is missing or lacks a column.
    """
    tables = results / "tables"
    with damaged_file_named(results / "claims.json", ValueError):
        claims = json.loads((results / "claims.json").read_text())
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("convergent_learning.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template("page.html").render(
        experiment=experiment.name,
        today=datetime.date.today().isoformat(),
        setting=_setting(experiment, tables),
        datasets=read_table(tables, "datasets").to_dict("records"),
        figures=[_figure(number, results, experiment.name) for number in figures],
        claims=[claim for claim in claims if _is_whole(claim)],
        parts=[claim for claim in claims if not _is_whole(claim)],
        marks=_VERDICT_MARKS,
        provenance=provenance(repository),
        times=wall_times(results / "benchmarks").reset_index().to_dict("records"),
        rebuild=_command(experiment.name),
    )
    with replace_when_done(out) as partial:
        partial.write_text(page, encoding="utf-8")


def _setting(experiment: Experiment, tables: Path) -> dict[str, str]:
    """What was done, a row a topic."""
    config = experiment.config
    training, alignment = config["training"], config["alignment"]
    accuracy = read_table(tables, "accuracy")
    networks = [
        f"{entry['architecture']} at width {entry['width']:g}, seeds"
        f" {', '.join(map(str, entry['seeds']))}"
        for entry in config["networks"]
    ]
    families = experiment.families()
    return {
        "Networks": "; ".join(networks),
        "Training": f"{training['epochs']} epochs, batch {training['batch_size']}, SGD with"
        f" Nesterov momentum {training['momentum']}, peak learning rate"
        f" {training['learning_rate']}, precision {training['precision']}",
        "Checkpoints": "steps " + ", ".join(map(str, experiment.steps(experiment.datasets[0]))),
        "Test accuracy": _final_accuracy(accuracy),
        "Stimuli": f"{config['stimuli']['images']} test images, the same for every network;"
        f" {len(experiment.conditions)} conditions of {len(families)} families: "
        + ", ".join(families)
        + _duplicates(tables / "duplicate_conditions.csv"),
        "Alignment": f"{', '.join(alignment['metrics'])}; {alignment['folds']} folds over stimuli;"
        f" ridge {alignment['ridge']}; {alignment['rotations']} random rotations",
    }


def _duplicates(path: Path) -> str:
    found = pd.read_csv(path)
    pairs = [f"{row.condition} and {row.duplicate_of}" for row in found.itertuples()]
    return f". The same to 1/255: {'; '.join(pairs)}" if pairs else ""


def _final_accuracy(accuracy: pd.DataFrame) -> str:
    identity = accuracy[accuracy.stimuli == "id"]
    last = identity[identity.step == identity.groupby("dataset").step.transform("max")]
    ranges = last.groupby(["dataset", "architecture"]).accuracy.agg(["min", "max"])
    return "; ".join(
        f"{architecture} on {dataset} {row['min']:.3f} to {row['max']:.3f}"
        for (dataset, architecture), row in ranges.iterrows()
    )


def _figure(number: int, results: Path, experiment: str) -> Figure:
    module: Any = importlib.import_module(f"convergent_learning.figures.fig{number}")
    image = base64.b64encode((results / f"figures/fig{number}.png").read_bytes()).decode()
    return Figure(
        number=number,
        title=TITLES[number],
        caption=module.caption(results / "tables"),
        image=f"data:image/png;base64,{image}",
        tables=[f"tables/{name}.csv" for name in COLUMNS if name.startswith(f"fig{number}")],
        command=_command(experiment, f"fig{number}"),
    )


def _command(experiment: str, target: str = "") -> str:
    overlay = f" --configfile workflow/experiments/{experiment}.yaml"
    return (
        f"snakemake{f' {target}' if target else ''} --cores 2"
        f"{'' if experiment == 'cifar10' else overlay}"
    )


def _is_whole(claim: dict[str, Any]) -> bool:
    """Whether an entry is a claim (C1) and not one of its statistics (C1a)."""
    return claim["id"][-1].isdigit()
