"""Networks that were trained elsewhere, over their training, beside others and by themselves."""

import json
import shutil

import h5py
import pandas as pd
import pytest
import yaml

from convergent_learning.alignment import save_activations
from convergent_learning.config.design import Design
from convergent_learning.config.experiment import Experiment
from convergent_learning.config.overlay import resolved_config

LAYERS = ["features.2", "features.20", "flatten", "classifier"]
STEPS, SEEDS = [0, 5, 10, 15, 20], [1, 2, 3]
HERE = {"architecture": "vgg11", "width": 0.0625, "seeds": SEEDS, "layers": LAYERS}
BUILT = {
    "architecture": "vgg",
    "factory": "convergent_learning.networks.architectures:build",
    "arguments": {"architecture": "vgg11", "classes": 10, "width": 0.0625},
    "seeds": SEEDS,
    "layers": LAYERS,
}
FOLLOWED = BUILT | {
    "name": "followed",
    "weights": "runs/{seed}/step{step}.safetensors",
    "steps": STEPS,
    "steps_per_epoch": 10,
}
GIVEN = BUILT | {"name": "given", "weights": "runs/{seed}/step20.safetensors"}
ARRAYS = {
    "architecture": "mine",
    "name": "arrays",
    "seeds": SEEDS,
    "activations": "arrays/{seed}/{condition}_step{step}.h5",
    "steps": STEPS,
    "steps_per_epoch": 10,
}
COMMON = {
    "keep_activations": True,
    "datasets": [{"name": "digits", "train_images": 640, "source": None}],
    "training": {
        "precision": "float32", "epochs": 2, "batch_size": 64, "flip": False,
        "checkpoints": ["1/2", 1, "3/2"],
    },
    "stimuli": {
        "images": 60,
        "families": [{"family": "contrast", "levels": [50]}, {"family": "low_pass", "levels": [1]}],
    },
    "activations": {"positions": 4},
    "alignment": {"folds": 3, "map_seeds": 2, "rotations": 1},
}  # fmt: skip


def run(checkout, name, networks):
    """Results of the experiment of these networks."""
    path = checkout.folder / f"workflow/experiments/{name}.yaml"
    path.write_text(yaml.safe_dump(COMMON | {"experiment": name, "networks": networks}))
    done = checkout.snakemake(configfile=str(path.relative_to(checkout.folder)))
    assert done.returncode == 0, done.stdout[-5000:]
    return checkout.folder / "results" / name


def export(checkout, monkeypatch):
    """Put the checkpoints of the networks trained here where those of others would lie."""
    monkeypatch.chdir(checkout.folder)
    design = Design(Experiment.of(resolved_config("here")))
    for network in design.experiment.networks:
        for step in STEPS:
            target = checkout.folder / f"runs/{network.seed}/step{step}.safetensors"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(design.checkpoint("digits", network, step), target)


def export_activations(checkout):
    """Write the responses of the networks trained here as others would: but one condition."""
    kept = checkout.folder / "results/here/activations/digits"
    for sample in (*(f"id_step{step}" for step in STEPS), "contrast-50_step20"):
        for seed in SEEDS:
            with h5py.File(kept / sample / f"vgg11-seed{seed}.h5") as file:
                layers = sorted(file["layers"].values(), key=lambda layer: layer.attrs["order"])
                save_activations(
                    checkout.folder / f"arrays/{seed}/{sample}.h5",
                    {layer.attrs["layer"]: layer[:] for layer in layers},
                    roles={layer.attrs["layer"]: layer.attrs["role"] for layer in layers},
                    stimulus_digest=file.attrs["stimulus_digest"],
                )


def judged(results):
    """Claims of figures 2 to 6, as they stand in claims.json."""
    claims = json.loads((results / "claims.json").read_text())
    return [json.dumps(claim) for claim in claims if claim["id"][:2] < "C8"]


def own_scores(results, group):
    table = pd.read_csv(results / "tables/fig5_pairs.csv")
    own = table[table.group == group]
    return own.set_index(["seed_x", "seed_y", "step", "epoch", "layer", "metric"]).sort_index()


@pytest.mark.slow
def test_networks_followed_elsewhere_are_compared_as_those_trained_here(checkout, monkeypatch):
    here = run(checkout, "here", [HERE])
    export(checkout, monkeypatch)
    export_activations(checkout)
    beside = run(checkout, "beside", [HERE, FOLLOWED, GIVEN, ARRAYS])
    assert judged(beside) == judged(here)
    trained, followed = own_scores(here, "vgg11"), own_scores(beside, "followed")
    columns = ["score", "accuracy"]
    # Maps in another memory order round otherwise.
    pd.testing.assert_frame_equal(followed[columns], trained[columns], rtol=0, atol=2e-4)
    assert set(followed.index.get_level_values("epoch")) == {0, 0.5, 1, 1.5, 2}
    arrays = own_scores(beside, "arrays")
    pd.testing.assert_frame_equal(arrays[columns], trained[columns], rtol=0, atol=1e-6)
    ood = pd.read_csv(beside / "tables/fig6_pairs.csv").groupby("group").stimuli.unique()
    assert {*ood["vgg11"]} == {"contrast", "low_pass"}
    assert {*ood["arrays"]} == {"contrast"}
    last = own_scores(beside, "given")
    assert set(last.index.get_level_values("step")) == {0}
    compared = last.score.to_numpy() - trained.xs(20, level="step").score.to_numpy()
    assert abs(compared).max() < 2e-4

    alone = run(checkout, "alone", [FOLLOWED, ARRAYS])
    for number in range(1, 7):
        assert (alone / f"figures/fig{number}.pdf").exists()
    pd.testing.assert_frame_equal(own_scores(alone, "followed"), followed, rtol=0, atol=1e-5)
    claims = {claim["id"]: claim for claim in json.loads((alone / "claims.json").read_text())}
    assert {*claims["C4b"]["groups"]} == {"followed", "arrays"}
    assert claims["C4b"]["estimate"] is not None

    given = run(checkout, "given-alone", [GIVEN])
    assert (given / "report.html").exists()
    claims = {claim["id"]: claim for claim in json.loads((given / "claims.json").read_text())}
    assert claims["C2a"]["groups"] == ["given"]
    assert "at the stage untrained" in claims["C2b"]["reason"]
