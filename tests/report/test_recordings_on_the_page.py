"""Figure 8 on the page: its table, its plot, its text alternative."""

from __future__ import annotations

import re

import pytest
from simulated_recordings import HUMAN, MONKEY, NEURONS

from convergent_learning.figures import fig8
from convergent_learning.report.interactive import module_of
from convergent_learning.tables.storage import read_table


@pytest.fixture(scope="module")
def page(make_page):
    return make_page(systems=[HUMAN, MONKEY, NEURONS])


def test_the_page_has_the_figure_its_table_and_its_plot(page):
    text = page.read_text()
    assert "Figure 8. Networks and brains" in text
    assert 'id="recording-plot"' in text
    after = text.split("Recordings and the layers that match them best</h3>")[1]
    table = after.split("</table>")[0]
    for word in ("objects92, human IT", "0.37 to 0.67", "ResNet-18", "120 (8 left out)"):
        assert word in table
    assert "nan" not in table
    assert text.count("<img") == 7  # the figures: no image of a recording is on the page


def test_no_table_without_recordings(make_page):
    text = make_page(groups=("vgg11",), families={}, seeds=2).read_text()
    assert "Recordings and the layers" not in text
    assert 'id="recording-plot"' not in text


def test_the_table_has_a_row_for_each_best_layer(page):
    listing = module_of(8).listing(page.parent / "tables")
    assert all(len(row) == len(listing.columns) for row in listing.rows)
    best = read_table(page.parent / "tables", "fig8_best")
    assert len(listing.rows) == len(best)


def test_the_plot_has_the_numbers_of_figure_8(page):
    tables = page.parent / "tables"
    by_depth, by_epoch = module_of(8).plot(tables).panels
    fig8 = read_table(tables, "fig8")
    ends = fig8.step.isin((0, fig8.step.max()))
    assert _points(by_depth) == (fig8.depth.notna() & ends).sum()
    assert _points(by_epoch) == (fig8.layer == "late").sum()
    ceilings = [c for c in by_depth.curves if "noise ceiling" in c.get("name", "")]
    assert {c["y"][0] for c in ceilings} == {*HUMAN.ceiling}
    assert all(c["shown"]["system"] == ["objects92/human IT"] for c in ceilings)


def _points(panel):
    return sum(len(curve.get("customdata", [])) for curve in panel.curves)


def test_every_setting_of_the_plot_shows_or_says_something(page):
    plot = module_of(8).plot(page.parent / "tables")
    switches = {switch.name: switch.options for switch in plot.switches}
    for panel in plot.panels:
        for system in switches["system"]:
            for metric in switches["metric"]:
                chosen = {"system": system, "metric": metric}
                names = [
                    curve.get("name")
                    for curve in panel.curves
                    if all(value in curve["shown"][name] for name, value in chosen.items())
                ]
                assert names
                alone = system.startswith("objects92") and metric != "rsa"
                assert any("not scored" in str(name) for name in names) == alone


def test_the_alternative_names_scores_and_ceilings(page):
    text = fig8.alternative(page.parent / "tables")
    assert re.search(r"human IT: ResNet-18 \d\.\d\d before and \d\.\d\d after training", text)
    assert "noise ceiling 0.37 to 0.67" in text
    assert "nan" not in text
