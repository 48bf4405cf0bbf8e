"""Networks that are not trained here, to figures and claims: beside those that are, and alone."""

import itertools
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
MODULES = """
import torch
from torch import nn


class Branching(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3, stride=4, padding=1)
        self.bright, self.dark = (nn.Conv2d(channels, channels, 1) for _ in range(2))
        self.last = nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1)
        self.head = nn.Linear(2 * channels, 10)

    def forward(self, images):
        maps = torch.relu(self.stem(images))
        # torch.fx cannot follow a branch that the values decide.
        branch = self.bright if maps.mean() > 100 else self.dark
        maps = torch.relu(self.last(maps + branch(maps)))
        return {"scores": self.head(maps.mean((2, 3))), "maps": maps}


def vit(**config):
    from transformers import ViTConfig, ViTForImageClassification

    return ViTForImageClassification(ViTConfig(**config))
"""
TIMM = {
    "architecture": "timm_vit",
    "factory": "timm:create_model",
    "arguments": {
        "model_name": "vit_tiny_patch16_224", "img_size": 32, "patch_size": 8, "embed_dim": 24,
        "depth": 2, "num_classes": 10,
    },
    "seeds": [1, 2],
    "layers": ["blocks.0", "blocks.1", "blocks.1:class_token", "head"],
}  # fmt: skip
TRANSFORMERS = {
    "architecture": "hf_vit",
    "factory": "modules_of_mine:vit",
    "arguments": {
        "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32, "image_size": 32, "patch_size": 8, "num_labels": 10,
    },
    "seeds": [1],
    "layers": ["vit.layers.0", "vit.layers.1", "classifier"],
}  # fmt: skip
BRANCHING = {
    "architecture": "branching",
    "factory": "modules_of_mine:Branching",
    "arguments": {"channels": 8},
    "seeds": SEEDS,
    "layers": ["stem", "output#maps", "head"],
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


@pytest.fixture(scope="module")
def trained(checkouts):
    """A checkout with the experiment of the networks that are trained here."""
    checkout = checkouts("own")
    run(checkout, "here", [HERE])
    return checkout


def run(checkout, name, networks, **keys):
    """Results of the experiment of these networks, with other keys of the config if given."""
    path = checkout.folder / f"workflow/experiments/{name}.yaml"
    path.write_text(yaml.safe_dump(COMMON | {"experiment": name, "networks": networks} | keys))
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
def test_networks_followed_elsewhere_are_compared_as_those_trained_here(trained, monkeypatch):
    here = trained.folder / "results/here"
    export(trained, monkeypatch)
    export_activations(trained)
    beside = run(trained, "beside", [HERE, FOLLOWED, GIVEN, ARRAYS])
    assert judged(beside) == judged(here)
    expected, followed = own_scores(here, "vgg11"), own_scores(beside, "followed")
    columns = ["score", "accuracy"]
    # Maps in another memory order round otherwise.
    pd.testing.assert_frame_equal(followed[columns], expected[columns], rtol=0, atol=2e-4)
    assert set(followed.index.get_level_values("epoch")) == {0, 0.5, 1, 1.5, 2}
    arrays = own_scores(beside, "arrays")
    pd.testing.assert_frame_equal(arrays[columns], expected[columns], rtol=0, atol=1e-6)
    ood = pd.read_csv(beside / "tables/fig6_pairs.csv").groupby("group").stimuli.unique()
    assert {*ood["vgg11"]} == {"contrast", "low_pass"}
    assert {*ood["arrays"]} == {"contrast"}
    last = own_scores(beside, "given")
    assert set(last.index.get_level_values("step")) == {0}
    compared = last.score.to_numpy() - expected.xs(20, level="step").score.to_numpy()
    assert abs(compared).max() < 2e-4

    alone = run(trained, "alone", [FOLLOWED, ARRAYS], keep_activations=False, keep_moments=False)
    assert not (alone / "moments").exists()
    for number in range(1, 7):
        assert (alone / f"figures/fig{number}.pdf").exists()
    for group, scored in (("followed", followed), ("arrays", arrays)):
        pd.testing.assert_frame_equal(own_scores(alone, group), scored, rtol=0, atol=1e-5)
    claims = {claim["id"]: claim for claim in json.loads((alone / "claims.json").read_text())}
    assert {*claims["C4b"]["groups"]} == {"followed", "arrays"}
    assert claims["C4b"]["estimate"] is not None

    given = run(trained, "given-alone", [GIVEN])
    assert (given / "report.html").exists()
    claims = {claim["id"]: claim for claim in json.loads((given / "claims.json").read_text())}
    assert claims["C2a"]["groups"] == ["given"]
    assert "at the stage untrained" in claims["C2b"]["reason"]


@pytest.mark.slow
def test_networks_of_other_packages_reach_the_figures_beside_those_trained_here(trained):
    pytest.importorskip("timm")
    pytest.importorskip("transformers")
    (trained.folder / "modules_of_mine.py").write_text(MODULES)
    foreign = run(trained, "foreign", [HERE, TIMM, TRANSFORMERS, BRANCHING])
    assert judged(foreign) == judged(trained.folder / "results/here")
    for number in range(1, 7):
        assert (foreign / f"figures/fig{number}.png").exists()
    names = {"vgg11", "timm_vit", "hf_vit", "branching"}
    maps = pd.read_csv(foreign / "tables/fig4.csv")
    assert {*zip(maps.source_group, maps.target_group, strict=True)} == {
        *itertools.product(names, names)
    } - {("hf_vit", "hf_vit")}  # one network, which has no pair
    assert maps["mean"].notna().all()
    assert "Solid, trained or as given" in (foreign / "report.html").read_text()
