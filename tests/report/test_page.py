"""The page as text: it needs nothing else, and says what the tables say."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest

from convergent_learning.figures import style
from convergent_learning.report import plots
from convergent_learning.report.interactive import module_of
from convergent_learning.tables.printed import in_print
from convergent_learning.tables.storage import read_table


class Elements(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page.read_text())

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def named(self, tag):
        return [attributes for name, attributes in self.found if name == tag]


@pytest.fixture(scope="module")
def elements(page):
    return Elements(page)


def test_nothing_is_loaded_from_elsewhere(elements):
    for tag, attributes in elements.found:
        assert "src" not in attributes or attributes["src"].startswith("data:"), tag
        if tag == "link":
            assert attributes["href"].startswith("data:")


def test_links_lead_to_files_of_the_experiment_and_to_parts_of_the_page(elements, page):
    ids = [attributes["id"] for _, attributes in elements.found if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in elements.named("a"):
        target = attributes["href"]
        if target.startswith("#"):
            assert target[1:] in ids
        elif not target.endswith(".pdf"):  # these pictures are empty and have no vector form
            assert (page.parent / target).exists(), target


def test_every_figure_has_an_alternative_with_numbers(elements):
    alternatives = [attributes["alt"] for attributes in elements.named("img")]
    assert len(set(alternatives)) == 6
    for text in alternatives:
        assert "nan" not in text
        assert re.search(r"\d\.\d\d", text), text


def test_claims_experiment_and_provenance_are_on_the_page(page):
    text = page.read_text()
    for claim in json.loads((page.parent / "claims.json").read_text()):
        assert claim["id"] in text
    for word in ("ResNet-18 at width 0.25", "contrast 50%, 5%", "Lock file", "snakemake fig3"):
        assert word in text
    assert "Undefined" not in text
    assert "--configfile" not in text  # the experiment of config.yaml


def test_the_page_says_that_no_score_is_calibrated(page):
    assert page.read_text().count("No score is calibrated") == 3  # methods, figures 2 and 4


def test_the_depth_plot_has_the_numbers_of_figure_2(page):
    tables = page.parent / "tables"
    [panel] = module_of(2).plot(tables).panels
    fig2 = read_table(tables, "fig2")
    drawn = sum(len(curve["customdata"]) for curve in _lines(panel))
    final = fig2.step == fig2.step.max()
    compared = (fig2.center == "position") & (fig2.baseline == "learned")
    assert drawn == (final | compared).sum()
    row = fig2[(fig2.metric == "linear") & (fig2.step == 0) & (fig2.layer_x == "block2")].iloc[0]
    curve, apart = (c for c in _lines(panel) if _is(c, "resnet18 resnet18", "linear", "untrained"))
    assert [point[0] for point in apart["customdata"]] == ["flatten", "fc"]
    place = curve["x"].index(pytest.approx(row.depth, abs=1e-5))
    assert curve["y"][place] == pytest.approx(row["mean"], abs=1e-5)
    assert curve["customdata"][place][0] == "block2"
    assert curve["customdata"][place][3] == in_print(row["mean"])


def _lines(panel):
    return [curve for curve in panel.curves if "customdata" in curve]


def _is(curve, networks, metric, series):
    shown = curve["shown"]
    named = curve["name"].endswith(f", {series}")
    return named and shown["networks"] == [networks] and metric in shown["metric"]


def test_every_setting_of_the_switches_shows_something(page):
    for make in (module_of(2).plot, module_of(6).plot):
        plot = make(page.parent / "tables")
        for switch in plot.switches:
            for value in switch.options:
                for panel in plot.panels:
                    curves = [
                        c for c in panel.curves if value in c["shown"].get(switch.name, value)
                    ]
                    assert curves, (plot.id, switch.name, value)


def test_no_ood_plot_without_conditions(make_page):
    page = make_page(groups=("vgg11",), families={}, seeds=2)
    assert module_of(6).plot(page.parent / "tables") is None
    assert 'id="depth-plot"' in page.read_text()
    assert 'id="ood-plot"' not in page.read_text()


def test_colours_are_legible_on_the_dark_page():
    assert plots.on_dark("#ececec") == "#ececec"
    for colour in (
        style.INK,
        *(look.colour for look in map(style.family, ("contrast", "rotation"))),
    ):
        light = np.array([int(plots.on_dark(colour)[i : i + 2], 16) for i in (1, 3, 5)])
        assert light.max() > 120


def test_the_library_is_packed_the_same_every_time():
    assert plots.packed_library() == plots.packed_library()


def test_a_table_that_lacks_a_column_is_named(page, tmp_path):
    fig2 = read_table(page.parent / "tables", "fig2").drop(columns="low")
    fig2.to_csv(tmp_path / "fig2.csv", index=False)
    with pytest.raises(ValueError, match=r"fig2\.csv.*low"):
        module_of(2).plot(tmp_path)
