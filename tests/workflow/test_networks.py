"""Each architecture, each layout of data and a network of the user's own, through to scores."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from PIL import Image

from convergent_learning.networks.listed import listed

sys.path.insert(0, str(Path(__file__).parents[1] / "datasets"))
from test_layouts import write_idx, write_pickles

COMMON = {
    "training": {"epochs": 1, "batch_size": 4, "checkpoints": [], "flip": False},
    "stimuli": {"images": 6, "families": [{"family": "contrast", "levels": [50]}]},
    "activations": {"positions": 16},
    "alignment": {"metrics": ["procrustes"], "folds": 3, "ridge": 1.0},
}
NARROW = 1 / 16


def final_scores(checkout, name, datasets, networks):
    """Run an experiment of this name up to the scores of its trained networks, by dataset."""
    path = checkout.folder / f"workflow/experiments/{name}.yaml"
    experiment = COMMON | {"experiment": name, "datasets": datasets, "networks": networks}
    path.write_text(yaml.safe_dump(experiment))
    targets = [f"results/{name}/scores/{d['name']}_final.parquet" for d in datasets]
    done = checkout.snakemake(*targets, configfile=str(path))
    assert done.returncode == 0, done.stdout[-5000:]
    tables = [pd.read_parquet(checkout.folder / target) for target in targets]
    # Context metrics of the few images here may have no value.
    return [table[table.metric == "procrustes"] for table in tables]


def trained(architecture, seeds=(1,)):
    return {"architecture": architecture, "width": NARROW, "seeds": list(seeds)}


@pytest.mark.slow
def test_every_architecture_reaches_the_scores(checkout):
    networks = [trained(architecture) for architecture in listed()]
    digits = {"name": "digits", "train_images": 16}
    (scores,) = final_scores(checkout, "architectures", [digits], networks)
    assert {*scores.group_x, *scores.group_y} == set(listed())
    for architecture, known in listed().items():
        scored = set(scores.layer_x[scores.group_x == architecture])
        scored |= set(scores.layer_y[scores.group_y == architecture])
        assert scored == {layer.name for layer in known.layers["cifar"]}
    assert scores.score.notna().all()


@pytest.mark.slow
def test_every_layout_of_data_reaches_the_scores(checkout, tmp_path_factory):
    data = tmp_path_factory.mktemp("data")
    entries = [
        entry | {"train_images": 8}
        for entry in (cifar(data, "cifar10"), cifar(data, "cifar100"), fashion(data), folder(data))
    ]
    networks = [trained("resnet18", (1, 2))]
    for entry, scores in zip(
        entries, final_scores(checkout, "layouts", entries, networks), strict=True
    ):
        assert set(scores.dataset) == {entry["name"]}
        assert scores.score.notna().all()


OWN = """
from torch import nn

def two_convolutions(channels):
    return nn.Sequential(
        nn.Conv2d(3, channels, 3, stride=2), nn.ReLU(), nn.Conv2d(channels, channels, 3), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 10),
    )
"""


@pytest.mark.slow
def test_a_network_by_factory_is_scored_against_a_trained_one(checkout):
    (checkout.folder / "own.py").write_text(OWN)
    own = {
        "architecture": "own",
        "factory": "own:two_convolutions",
        "arguments": {"channels": 8},
        "seeds": [1],
        "layers": ["1", "3", "6"],
    }
    digits = {"name": "digits", "train_images": 16}
    networks = [trained("resnet18", (1, 2)), own]
    (scores,) = final_scores(checkout, "factory", [digits], networks)
    across = scores[(scores.group_x == "resnet18") & (scores.group_y == "own")]
    assert set(across.layer_y) == {"1", "3", "6"}
    assert across.score.notna().all()
    assert not list((checkout.folder / "results/networks").rglob("own*"))
    own |= {"layers": ["1", {"name": "5", "role": "pooled"}, "output"], "reader": "hooks"}
    (scores,) = final_scores(checkout, "factory", [digits], networks)
    across = scores[(scores.group_x == "resnet18") & (scores.group_y == "own")]
    assert set(across.layer_y) == {"1", "5", "output"}
    own |= {"layers": ["1", "head"], "reader": "auto"}
    (checkout.folder / "results/factory/pretrained/digits/own-seed1.json").unlink()
    with pytest.raises(AssertionError, match="own has no layer 'head'"):
        final_scores(checkout, "factory", [digits], networks)


def cifar(data, layout):
    random = np.random.default_rng(0)
    files = {"cifar10": ["data_batch_1", "test_batch"], "cifar100": ["train", "test"]}[layout]
    parts = {
        name: (random.integers(0, 256, (20, 32, 32, 3), np.uint8), np.arange(20) % 3)
        for name in files
    }
    (data / layout).mkdir()
    write_pickles(data / layout, layout, parts, named=True)
    return {"name": f"small_{layout}", "layout": layout, "source": str(data / layout)}


def fashion(data):
    write_idx(data / "fashion", compressed=True)
    return {"name": "clothes", "layout": "fashion_mnist", "source": str(data / "fashion")}


def folder(data):
    """Images larger than 64 pixels, which get the ImageNet stem."""
    random = np.random.default_rng(0)
    for split, number in (("train", 5), ("val", 4)):
        for label in ("cat", "dog"):
            for i in range(number):
                path = data / f"photos/{split}/{label}/{i}.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(random.integers(0, 255, (90, 80, 3), np.uint8)).save(path)
    return {
        "name": "photos", "layout": "imagefolder", "source": str(data / "photos"), "image_size": 72,
    }  # fmt: skip
