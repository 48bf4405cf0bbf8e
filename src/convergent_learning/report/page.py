"""The report page: tables, figures and claims of one experiment in a single HTML file."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from PIL import Image

from convergent_learning.claims.entries import is_whole, read_claims
from convergent_learning.config.experiment import Experiment
from convergent_learning.figures import figures as modules
from convergent_learning.files import replace_when_done
from convergent_learning.report import findings, interactive, plots
from convergent_learning.report.experiment_table import experiment_table
from convergent_learning.report.provenance import Source
from convergent_learning.report.recordings_table import Listing
from convergent_learning.tables.printed import in_print
from convergent_learning.tables.storage import read_table

_VERDICT_MARKS = {"supported": "✓", "not supported": "✗", "inconclusive": "?"}


@dataclass(frozen=True)
class Figure:
    """A figure as the page shows it; `image` is a data URI, `tables` are links to CSV files."""

    number: int
    title: str
    caption: str
    alternative: str
    image: str
    width: int
    height: int
    tables: list[str]
    command: str
    plot: plots.Plot | None
    listing: Listing | None


def write_report(
    experiment: Experiment,
    results: Path,
    figures: Sequence[int],
    out: Path,
    source: Source,
) -> None:
    """Write the page from what lies in `results` (figures, tables, claims.json).

    Raises DamagedFileError naming a claims file that cannot be parsed, ValueError naming a table
    that is missing or lacks a column.
    """
    tables = results / "tables"
    claims = read_claims(results / "claims.json")
    drawn = [_figure(number, results, experiment, source.options) for number in figures]
    page = (
        _environment()
        .get_template("page.html")
        .render(
            experiment=experiment.name,
            today=datetime.date.today().isoformat(),
            setting=experiment_table(experiment, tables),
            shuffles=experiment.config.alignment.shuffles,
            findings=findings.findings(claims),
            parts=[claim for claim in claims if not is_whole(claim)],
            marks=_VERDICT_MARKS,
            figures=drawn,
            data={f.plot.id: _embedded(f.plot.data()) for f in drawn if f.plot},
            raw=_digests(tables),
            source=source,
            times=source.times.to_dict("records"),
            rebuild=_command(source.options),
            style=_asset("page.css"),
            script=_asset("plots.js"),
            library=plots.packed_library(),
            plotly=plots.library_version(),
        )
    )
    with replace_when_done(out) as partial:
        partial.write_text(page, encoding="utf-8")


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("convergent_learning.report", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = in_print
    return environment


def _figure(number: int, results: Path, experiment: Experiment, options: Sequence[str]) -> Figure:
    module: Any = modules()[number]
    beside: Any = interactive.module_of(number)
    tables, png = results / "tables", results / f"figures/fig{number}.png"
    with Image.open(png) as picture:
        width, height = picture.size
    return Figure(
        number=number,
        title=module.TITLE,
        caption=module.caption(tables),
        alternative=module.alternative(tables),
        image=f"data:image/png;base64,{base64.b64encode(png.read_bytes()).decode()}",
        width=width,
        height=height,
        tables=[f"tables/{name}.csv" for name in module.DATA.names(experiment.calibrated)],
        command=_command(options, f"fig{number}"),
        plot=beside.plot(tables) if beside is not None else None,
        listing=beside.listing(tables) if hasattr(beside, "listing") else None,
    )


def _command(options: Sequence[str], *targets: str) -> str:
    return " ".join(["snakemake", *targets, "--cores 2", *options])


def _digests(tables: Path) -> dict[str, dict[str, str]]:
    """Digests of the raw records by dataset and split, where they are known."""
    return {
        row["dataset"]: {
            split: row[f"sha256_{split}"] for split in ("train", "test") if row[f"sha256_{split}"]
        }
        for row in read_table(tables, "datasets").to_dict("records")
    }


def _embedded(data: dict[str, Any]) -> Markup:
    """JSON that no HTML parser takes for a tag."""
    return Markup(json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"))


def _asset(name: str) -> Markup:
    return Markup(files("convergent_learning.report").joinpath(name).read_text(encoding="utf-8"))
