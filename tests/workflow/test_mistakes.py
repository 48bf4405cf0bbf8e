"""Mistakes, each put into the code of a checkout: the anchors show them."""

import pytest
from checkout import ROOT
from mistakes import OF_SCORES, OF_TRAINING

from convergent_learning.config.design import Design
from convergent_learning.config.overlay import experiment_named
from convergent_learning.verify.anchors import anchor_tables, compare_anchors


def beyond(checkout, monkeypatch, block, stimuli):
    """The share of the anchors' scores of `stimuli` beyond rounding, their block scored anew."""
    monkeypatch.chdir(checkout.folder)
    design = Design(experiment_named("smoke", ROOT))
    done = checkout.snakemake(f"results/smoke/anchors/digits_{block}.parquet")
    assert done.returncode == 0, done.stdout[-3000:]
    tables = compare_anchors(checkout.folder / "results/reference/smoke", anchor_tables(design))
    assert not [problem for table in tables for problem in table.problems]
    [scores, _] = tables
    own = scores.numbers[scores.numbers.row.str.contains(f" {stimuli} ")]
    assert len(own)
    return (own.deviation > 1).mean()


def test_the_committed_page_has_every_mistake_and_anchors_show_those_of_scores():
    page = (ROOT / "docs/power.md").read_text(encoding="utf-8")
    lines = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("|")]
    [none, *rows] = [(name, cells) for name, *cells in lines[2:]]
    assert none[0] == "none"
    assert not any("**" in cell for cell in none[1])
    assert dict(rows).keys() == (OF_SCORES | OF_TRAINING).keys()
    assert all(dict(rows)[name][0].startswith("**") for name in OF_SCORES)


@pytest.mark.slow
def test_without_a_mistake_all_agree(referenced, monkeypatch):
    assert beyond(referenced, monkeypatch, "final", "id") == 0


@pytest.mark.slow
@pytest.mark.parametrize("mistake", OF_SCORES.values(), ids=OF_SCORES.keys())
def test_a_mistake_shows(referenced, monkeypatch, mistake):
    path = referenced.folder / "src/convergent_learning" / mistake.module
    right = path.read_text()
    mistake.make(referenced.folder)
    try:
        shown = ("pixel_values", "contrast") if "fig6" in mistake.tables else ("final", "id")
        assert beyond(referenced, monkeypatch, *shown) > 0.001
    finally:
        path.write_text(right)


@pytest.mark.slow
def test_anchors_of_another_width_are_refused(referenced):
    mistake = OF_TRAINING["VGG-11 at half of its width"]
    path = referenced.folder / "src/convergent_learning" / mistake.module
    right = path.read_text()
    mistake.make(referenced.folder)
    try:
        done = referenced.snakemake("verify")
    finally:
        path.write_text(right)
    assert done.returncode != 0
    assert "its weights are not those of the network that this code builds" in done.stdout


@pytest.mark.parametrize("mistake", OF_TRAINING.values(), ids=OF_TRAINING.keys())
def test_a_mistake_of_training_can_be_made(checkout, mistake):
    mistake.make(checkout.folder)
