"""Groups that differ in what they learn from what, from raw data to figure 7, C8 and the page."""

import json

import pandas as pd
import pytest

OVERLAY = """
experiment: tiny-drivers
datasets:
  - {name: digits, train_images: 640, source: null}
networks:
  - {architecture: vgg11, width: 0.0625, seeds: [1, 2, 3],
     layers: &layers [features.2, features.20, flatten, classifier]}
  - {architecture: vgg11, name: moco, width: 0.0625, seeds: [11, 12, 13], layers: *layers,
     training: {objective: moco, queue: 128}}
  - {architecture: vgg11, name: scrambled, width: 0.0625, seeds: [21, 22, 23], layers: *layers,
     training: {images: {family: phase_scrambling, level: 180}, epochs: 2, checkpoints: ["1/2", 1]}}
  - {architecture: vgg11, name: untrained, width: 0.0625, seeds: [31, 32, 33], layers: *layers,
     training: {objective: none}}
training: {precision: auto, epochs: 1, batch_size: 64, flip: false, checkpoints: ["1/2"]}
stimuli:
  images: 60
  families: [{family: contrast, levels: [50]}, {family: low_pass, levels: [1]}]
activations: {positions: 4}
alignment: {folds: 3, map_seeds: 2, rotations: 1}
"""


@pytest.mark.slow
def test_from_raw_data_to_figure_seven(checkout):
    overlay = checkout.folder / "workflow/experiments/tiny-drivers.yaml"
    overlay.write_text(OVERLAY)
    done = checkout.snakemake(configfile=str(overlay.relative_to(checkout.folder)))
    assert done.returncode == 0, done.stdout[-5000:]
    chain = checkout.snakemake(
        "provenance", configfile=str(overlay.relative_to(checkout.folder))
    ).stdout
    assert "precision  results/networks/precision.json  " in chain
    results = checkout.folder / "results/tiny-drivers"
    assert (results / "figures/fig7.pdf").exists()
    claims = {claim["id"]: claim for claim in json.loads((results / "claims.json").read_text())}
    parts = {f"C8{x}-{group}" for x in "abc" for group in ("moco", "scrambled")}
    assert {name for name in claims if name.startswith("C8")} == {"C8", *parts}
    assert "figure 7" in (results / "report.html").read_text(encoding="utf-8").lower()
    pairs = pd.read_csv(results / "tables/fig7_pairs.csv")
    untrained = pairs[(pairs.group_x == "untrained") & (pairs.group_y == "untrained")]
    by_step = untrained.pivot_table("score", ["seed_x", "seed_y", "layer", "metric"], "step")
    assert by_step.shape[1] == 3
    # Weights stay, so that scores do.
    assert by_step.sub(by_step[0], axis=0).abs().max(axis=None) < 1e-6
    across = pairs[(pairs.group_x != pairs.group_y) & (pairs.metric == "linear")]
    longer = (across.group_x == "scrambled") | (across.group_y == "scrambled")
    assert across[~longer].step.value_counts().to_dict() == dict.fromkeys((0, 5, 10), 3 * 9 * 4)
    assert across[longer].step.value_counts().to_dict() == dict.fromkeys((0, 5, 10, 20), 3 * 9 * 4)
    own = pd.read_csv(results / "tables/fig5_pairs.csv").groupby("group").step.unique()
    assert {name: [*steps] for name, steps in own.items()} == {
        **{name: [0, 5, 10] for name in ("vgg11", "moco", "untrained")},
        "scrambled": [0, 5, 10, 20],
    }
    accuracy = pd.read_csv(results / "tables/accuracy.csv")
    last = accuracy[accuracy.stimuli != "id"].groupby("group").step.unique()
    assert {name: [*steps] for name, steps in last.items()} == {
        **{name: [10] for name in ("vgg11", "moco", "untrained")},
        "scrambled": [20],
    }
