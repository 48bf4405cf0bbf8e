"""docs/extending.md followed to the letter, in a copy of the repository."""

import re
import shutil
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import yaml
from checkout import ROOT
from PIL import Image

from convergent_learning.tables.storage import read_table

CONTRADICTIONS = """
import pathlib, sys
from convergent_learning.verify.consistency import contradicted_summaries
print(contradicted_summaries(pathlib.Path(sys.argv[1])))
"""

pytestmark = pytest.mark.slow


def example(section: str, language: str) -> tuple[str, str]:
    """The file that the first example in a language of a section belongs to, and its text."""
    text = (ROOT / "docs/extending.md").read_text().partition(f"\n## {section}\n")[2]
    block = re.search(rf"```{language}\n(.*?)```", text, re.DOTALL)[1]
    path = re.match(r"# (?:add to )?(\S+)\n", block)
    return (path[1] if path else ""), block


def overlay_with(checkout, section):
    """The overlay with the keys that a section shows, which is written."""
    _, chosen = example(section, "yaml")
    overlay = yaml.safe_load(checkout.overlay.read_text())
    for key, value in yaml.safe_load(chosen).items():
        overlay[key] = overlay.get(key, {}) | value if isinstance(value, dict) else value
    checkout.overlay.write_text(yaml.safe_dump(overlay))
    return overlay


def test_a_figure_is_one_file(finished, tmp_path):
    checkout = finished.copy(tmp_path / "checkout")
    path, text = example("A figure", "python")
    (checkout.folder / path).write_text(text)
    assert checkout.planned("fig9") == {"fig9_tables": 1, "fig9": 1}
    made = checkout.snakemake()
    assert made.returncode == 0, made.stdout[-5000:]
    results = checkout.folder / "results/smoke"
    pairs = read_table(results / "tables", "fig5_pairs")
    last = pairs[pairs.step == pairs.step.max()]
    means = last.groupby(["group", "layer", "metric"]).score.mean().groupby(["group", "layer"])
    found = pd.read_csv(results / "tables/fig9.csv").set_index(["group", "layer", "step"])["range"]
    for (group, layer), expected in (means.max() - means.min()).items():
        assert found[group, layer, pairs.step.max()] == pytest.approx(expected, abs=1e-6)
    width, height = Image.open(results / "figures/fig9.png").size
    assert width > 2000
    assert height > 500
    page = (results / "report.html").read_text()
    assert "The range of the metrics" in page
    assert f"The largest range is {found.max():.2f}." in page
    # The committed reference is older than the figure: both must still agree with their tables.
    shutil.copytree(ROOT / "results/reference/smoke", checkout.folder / "results/reference/smoke")
    verified = checkout.snakemake("verify")
    assert verified.returncode == 0, verified.stdout[-5000:]
    table = pd.read_csv(results / "tables/fig9.csv")
    table.assign(range=table["range"] + 0.01).to_csv(results / "tables/fig9.csv", index=False)
    command = [sys.executable, "-c", CONTRADICTIONS, results / "tables"]
    said = subprocess.run(
        command, env=checkout.environment, capture_output=True, text=True, check=True
    )
    assert "fig9: range of" in said.stdout
    schema = checkout.module("convergent_learning.figures")
    assert "## fig9.csv" in schema.stdout
    assert "highest minus lowest score of any metric" in schema.stdout


def test_a_metric_is_one_function(finished, tmp_path):
    checkout = finished.copy(tmp_path / "checkout")
    path, text = example("A metric", "python")
    module = checkout.folder / path
    module.write_text(f"{module.read_text()}\n{text}")
    overlay_with(checkout, "A metric")
    assert not any(rule.startswith(("train", "moments")) for rule in checkout.planned("fig2"))
    before = Image.open(checkout.folder / "results/smoke/figures/fig2.png").copy()
    made = checkout.snakemake("fig2", "fig4", "fig5")
    assert made.returncode == 0, made.stdout[-5000:]
    results = checkout.folder / "results/smoke"
    fig2 = read_table(results / "tables", "fig2")
    rows = fig2[(fig2.group_x == fig2.group_y) & (fig2.baseline == "learned")]
    means = rows[rows.center == "position"].groupby("metric")["mean"].mean()
    # The best single unit of the source is at least as good as that of a one-to-one matching.
    assert means.best_single > means.soft_matching
    assert Image.open(results / "figures/fig2.png").tobytes() != before.tobytes()


def test_a_stimulus_family_is_one_file(finished, tmp_path):
    checkout = finished.copy(tmp_path / "checkout")
    path, text = example("A stimulus family", "python")
    (checkout.folder / path).write_text(text)
    assert checkout.planned() == {}
    chosen = overlay_with(checkout, "A stimulus family")
    assert [entry["family"] for entry in chosen["stimuli"]["families"]] == ["contrast", "pixelate"]
    made = checkout.snakemake("fig6")
    assert made.returncode == 0, made.stdout[-5000:]
    results = checkout.folder / "results/smoke"
    with h5py.File(next(results.glob("stimuli/digits/pixelate-4.h5"))) as file:
        blocks = file["images"][:].reshape(-1, 8, 4, 8, 4, 3)
    assert np.ptp(blocks, axis=(2, 4)).max() == 0
    shown = read_table(results / "tables", "fig6_pairs")
    assert set(shown[shown.stimuli == "pixelate"].condition) == {"2", "4"}


def test_an_architecture_is_one_file(finished, tmp_path):
    checkout = finished.copy(tmp_path / "checkout")
    path, text = example("An architecture", "python")
    (checkout.folder / path).write_text(text)
    overlay_with(checkout, "An architecture")
    refused = checkout.snakemake("-n", "fig2")
    assert "networks[1].architecture: unknown 'plain4'" in refused.stdout
    assert "or list convergent_learning.networks.architectures.plain with `make pages`" in (
        " ".join(refused.stdout.split())
    )
    listed = checkout.module("convergent_learning.networks.graph")
    assert listed.returncode == 0, listed.stdout
    planned = checkout.planned("fig2")
    trained = {rule for rule in planned if rule.startswith("train_")}
    assert trained == {f"train_digits_plain4-seed{seed}" for seed in (1, 2, 3)}
    made = checkout.snakemake("fig2")
    assert made.returncode == 0, made.stdout[-5000:]
    fig2 = read_table(checkout.folder / "results/smoke/tables", "fig2")
    assert set(fig2.group_x) == {"resnet18", "plain4"}
    assert set(fig2[fig2.group_x == "plain4"].layer_x) >= {f"blocks.{i}.2" for i in range(4)}
