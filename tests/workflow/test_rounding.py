"""The page on rounding: what verify allows, beside what anchors show when they are scored anew."""

import subprocess
import sys

import pytest
from checkout import ROOT
from rounding import WAYS, differences

from convergent_learning.verify.anchors import read_anchor_tables

SCRIPT = ROOT / "benchmarks/agreement/rounding.py"


def rows(page):
    """Cells of the lines of the table, by the kind of number."""
    lines = [line for line in page.splitlines() if line.startswith("|")][2:]
    cells = ([cell.strip() for cell in line.strip("| ").split(" | ")] for line in lines)
    return {kind: rest for kind, *rest in cells}


def test_the_committed_page_is_about_the_committed_anchors_and_limits():
    expected = read_anchor_tables(ROOT / "results/reference/cifar10")
    stated = rows((ROOT / "docs/rounding.md").read_text(encoding="utf-8"))
    known = differences(expected, expected)
    assert stated.keys() == {*known.index}
    for kind, (count, allowed, *largest) in stated.items():
        assert (count, allowed) == (f"{known.numbers[kind]:,}", f"{known.allowed[kind]:g}")
        assert len(largest) == len(WAYS)
        assert all(float(value) <= known.allowed[kind] for value in largest)


@pytest.mark.slow
def test_anchors_of_smoke_agree_with_other_kernels():
    done = subprocess.run(
        [sys.executable, SCRIPT, "smoke", "--ways", "AVX2"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = rows(done.stdout)
    assert {"scores of maps", "accuracies"} <= found.keys()
    for _, allowed, largest in found.values():
        assert float(largest) <= float(allowed)
