"""Mistakes, each put into the code of a checkout: the anchors show them."""

import pytest
from conftest import ROOT

from convergent_learning.config.design import Design
from convergent_learning.config.overlay import experiment_named
from convergent_learning.verify.anchors import anchor_tables, compare_anchors

pytestmark = pytest.mark.slow

# Module, code, mistaken code.
MISTAKES = {
    "held-out folds used in the fit": (
        "alignment/moments.py",
        "tuple(k for k in range(n_folds) if k != fold)",
        "tuple(k for k in range(n_folds))",
    ),
    "one mean a unit": (
        "alignment/moments.py",
        'if center == "unit":  # one mean',
        "if True:  # one mean",
    ),
    "another ridge": (
        "alignment/ridge.py",
        "best[outer])",
        "min(best[outer] + 3, 8))",
    ),
    "metrics exchanged": (
        "alignment/comparisons.py",
        "yield Compared(*where, metric.name, center, baseline, 0, scores)",
        "yield Compared(*where, EXCHANGED.get(metric.name, metric.name), center, baseline, 0,"
        " scores)",
    ),
    "directions swapped": (
        "alignment/fold_scores.py",
        'FORWARD: Direction = "x->y"\nBACKWARD: Direction = "y->x"',
        'FORWARD: Direction = "y->x"\nBACKWARD: Direction = "x->y"',
    ),
    "a layer's score off by .05": (
        "alignment/score_tables.py",
        "entry.fold, entry.score,",
        'entry.fold, entry.score + 0.05 * (layer_x.name == "features.2"),',
    ),
    "a family at another level": (
        "stimuli/contrast.py",
        "level / 100)",
        "(level + 2) / 100)",
    ),
    "pixels not normalised": (
        "activations/loaded.py",
        "(pixels - self._mean) / self._std",
        "pixels / 255",
    ),
}
EXCHANGE = '\nEXCHANGED = {"linear": "procrustes", "procrustes": "linear"}\n'


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


def test_without_a_mistake_all_agree(referenced, monkeypatch):
    assert beyond(referenced, monkeypatch, "final", "id") == 0


@pytest.mark.parametrize(("module", "code", "mistaken"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_shows(referenced, monkeypatch, module, code, mistaken):
    path = referenced.folder / "src/convergent_learning" / module
    right = path.read_text()
    assert right.count(code) == 1
    wrong = right.replace(code, mistaken)
    path.write_text(wrong + EXCHANGE * ("EXCHANGED" in mistaken))
    try:
        shown = ("pixel_values", "contrast") if "contrast" in module else ("final", "id")
        assert beyond(referenced, monkeypatch, *shown) > 0.001
    finally:
        path.write_text(right)
