"""`make figures`: what is drawn from a committed reference."""

from pathlib import Path

import pytest

from convergent_learning.workflow.drawing import draw_from_reference

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "results/reference/cifar10"


def test_only_the_figures_that_are_asked_for(tmp_path, capsys):
    results = tmp_path / "cifar10"
    draw_from_reference(REFERENCE, results, ROOT, ["fig3", "fig1"])
    drawn = sorted(path.name for path in (results / "figures").iterdir())
    assert drawn == ["fig1.pdf", "fig1.png", "fig3.pdf", "fig3.png"]
    assert "figure 2 of 2: " in capsys.readouterr().out
    page = (results / "report.html").read_text(encoding="utf-8")
    assert "figures/fig3.pdf" in page
    assert "figures/fig2.pdf" not in page


def test_figures_that_are_not_there_are_named_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"has no fig99, figure3; it has fig1, fig2"):
        draw_from_reference(REFERENCE, tmp_path / "cifar10", ROOT, ["fig99", "fig1", "figure3"])
    assert not (tmp_path / "cifar10").exists()
