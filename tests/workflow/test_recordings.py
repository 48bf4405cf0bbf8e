"""A recording of known truth, and one of dissimilarities, through the DAG to figure 8 and C9."""

import json

import h5py
import numpy as np
import pytest
from PIL import Image

from convergent_learning.tables.storage import read_table
from convergent_learning.verify.consistency import contradicted_claims, contradicted_summaries

TRUE = "layer2.1.relu_1"
OVERLAY = """
experiment: recorded
datasets: [{name: digits, train_images: 640, source: null}]
networks:
  - {architecture: resnet18, width: 0.0625, seeds: [1, 2, 3],
     layers: [relu, layer2.1.relu_1, layer4.1.relu_1, fc]}
training: {precision: auto, epochs: 2, batch_size: 64, crop_padding: 2, flip: false,
           checkpoints: ["1/2", "1"]}
stimuli: {images: 60, families: []}
activations: {positions: 16}
alignment: {metrics: [linear, procrustes, permutation], rotations: 1, ridge: 0.01}
"""
RECORDINGS = """
recordings:
  - {name: neurons, layout: responses, source: neurons.npz}
  - {name: pair, layout: dissimilarities, source: pair.h5, images: pictures}
"""


@pytest.fixture(scope="module")
def recorded(checkouts):
    """The folder of results of an experiment to which recordings of its networks were added."""
    checkout = checkouts("recorded")
    folder, overlay = checkout.folder, "workflow/experiments/recorded.yaml"
    (folder / overlay).write_text(OVERLAY)
    done = checkout.snakemake("fig5", configfile=overlay)
    assert done.returncode == 0, done.stdout[-5000:]
    [network] = (folder / "results/networks/digits").glob("*seed1_*")
    made = checkout.script(
        "examples/simulated_neurons.py",
        str(network / "step20.safetensors"),
        TRUE,
        str(folder / "results/datasets/digits.h5"),
        str(folder / "neurons.npz"),
        "--positions=16",
    )
    assert made.returncode == 0, made.stdout
    rng = np.random.default_rng(0)
    (folder / "pictures").mkdir()
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (48, 40, 3), np.uint8)).save(
            folder / f"pictures/{i:02}.png"
        )
    with h5py.File(folder / "pair.h5", "w") as file:
        for name, subjects in (("left", 1), ("right", 3)):
            values = rng.random((subjects, 2, 12, 12)) * (1 - np.eye(12))
            file[name] = values + values.swapaxes(-1, -2)
    (folder / overlay).write_text(OVERLAY + RECORDINGS)
    done = checkout.snakemake(configfile=overlay)
    assert done.returncode == 0, done.stdout[-5000:]
    assert "train_" not in done.stdout
    return folder / "results/recorded"


@pytest.mark.slow
def test_the_layer_that_neurons_read_out_is_recovered(recorded):
    networks = read_table(recorded / "tables", "fig8_networks")
    last = networks[(networks.recording == "neurons") & (networks.step == networks.step.max())]
    maps = last[(last.metric == "linear") & (last.direction == "to") & (last.seed == 1)]
    best = maps.loc[maps.score.idxmax()]
    assert best.layer == TRUE
    assert 0.9 < best.normalised < 1.1
    about = read_table(recorded / "tables", "recordings").set_index("system")
    # Eight trials with noise as large as the signal.
    assert abs(about.unit_ceiling["simulated"] - (8 / 9) ** 0.5) < 0.02
    assert about.n_units["simulated"] == 40


@pytest.mark.slow
def test_dissimilarities_have_ceilings_where_there_are_subjects(recorded):
    about = read_table(recorded / "tables", "recordings").set_index("system")
    assert np.isnan(about.ceiling_low["left"])
    assert about.ceiling_low["right"] < about.ceiling_high["right"]
    best = read_table(recorded / "tables", "fig8_best")
    assert (best[best.recording == "pair"].p > 0.001).all()
    [own] = best[best.recording == "neurons"].p
    assert own <= 0.001


@pytest.mark.slow
def test_figure_claim_and_page_are_there_and_agree_with_the_tables(recorded):
    assert (recorded / "figures/fig8.pdf").exists()
    claims = json.loads((recorded / "claims.json").read_text())
    systems = ("neurons simulated", "pair left", "pair right")
    parts = {f"C9{x}-{system}" for x in "ab" for system in systems}
    assert {claim["id"] for claim in claims if claim["id"].startswith("C9")} == {"C9", *parts}
    page = (recorded / "report.html").read_text(encoding="utf-8")
    assert "Networks and brains" in page
    assert not any(contradicted_summaries(recorded / "tables").values())
    assert not contradicted_claims(recorded / "tables", claims)
