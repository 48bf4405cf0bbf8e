"""Results folders of a simulated experiment, and the page made from them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
import yaml
from PIL import Image

from convergent_learning.experiment import Experiment
from convergent_learning.report.page import write_report
from convergent_learning.statistics.claims import write_claims

sys.path.insert(0, str(Path(__file__).parents[1] / "figures"))
import simulated

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def make_page(tmp_path_factory):
    """Makes the page of a simulated experiment; `picture` writes figure N as a PNG."""

    def make(picture: Callable[[int, Path, Path], None], **how: object) -> Path:
        folder = tmp_path_factory.mktemp("results")
        tables = simulated.write_tables(folder, **how)
        none = "condition,duplicate_of,largest_difference\n"
        (tables / "duplicate_conditions.csv").write_text(none)
        write_claims(tables, folder / "claims.json")
        (folder / "benchmarks").mkdir()
        (folder / "benchmarks/claims.tsv").write_text("s\th:m:s\tmax_rss\n2\t0:00:02\t90\n")
        (folder / "figures").mkdir()
        for number in range(1, 7):
            picture(number, tables, folder / f"figures/fig{number}.png")
        config = yaml.safe_load((ROOT / "config.yaml").read_text())
        page = folder / "report.html"
        write_report(Experiment(config), folder, range(1, 7), page, ROOT)
        return page

    return make


@pytest.fixture(scope="session")
def page(make_page):
    """A page with empty pictures."""
    return make_page(lambda number, tables, png: Image.new("RGB", (216, 100)).save(png))


@pytest.fixture(scope="session")
def drawn_page(make_page):
    """A page with its figures."""

    def draw(number: int, tables: Path, png: Path) -> None:
        figure = import_module(f"convergent_learning.figures.fig{number}")
        figure.draw(tables, png.with_suffix(".pdf"), png)

    return make_page(draw)
