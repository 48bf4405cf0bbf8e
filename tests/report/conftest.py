"""Pages: of a simulated experiment, and of the default experiment's reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import simulated
import simulated_recordings
import yaml
from PIL import Image

from convergent_learning.claims.evaluation import write_claims
from convergent_learning.config.experiment import Experiment
from convergent_learning.report.page import write_report
from convergent_learning.workflow.drawing import draw_from_reference
from convergent_learning.workflow.sources import computed

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def make_page(tmp_path_factory):
    """Makes the page of a simulated experiment and recorded `systems`, with empty pictures."""

    def make(systems: Sequence[simulated_recordings.System] = (), **how: object) -> Path:
        folder = tmp_path_factory.mktemp("results")
        tables = simulated.write_tables(folder, **how)
        write_claims(tables, folder / "claims.json")
        times = folder / "results/cifar10/benchmarks/claims.tsv"
        times.parent.mkdir(parents=True)
        times.write_text("s\th:m:s\tmax_rss\n2\t0:00:02\t90\n")
        (folder / "figures").mkdir()
        figures = [*range(1, 7), *([8] if systems else [])]
        if systems:
            simulated_recordings.write_recordings(tables, systems)
        for number in figures:
            Image.new("RGB", (216, 100)).save(folder / f"figures/fig{number}.png")
        experiment = Experiment.of(yaml.safe_load((ROOT / "config.yaml").read_text()))
        page = folder / "report.html"
        source = computed(experiment, ROOT, folder)
        write_report(experiment, folder, figures, page, source)
        return page

    return make


@pytest.fixture(scope="session")
def page(make_page):
    return make_page()


@pytest.fixture(scope="session")
def drawn_page(tmp_path_factory):
    """The page of the default experiment, drawn from its committed reference."""
    results = tmp_path_factory.mktemp("drawn") / "cifar10"
    draw_from_reference(ROOT / "results/reference/cifar10", results, ROOT)
    return results / "report.html"
