"""Networks of other packages and of one's own, with random weights, from images to moments."""

import math
import sys

import numpy as np
import pandas as pd
import pytest

from convergent_learning.activations.block import write_block
from convergent_learning.activations.shown import OWN, Shown, ShownSample
from convergent_learning.alignment.arrays import to_numpy
from convergent_learning.alignment.reading import MomentsFile
from convergent_learning.config.experiment import Network
from convergent_learning.config.sizes import Measured, measure
from convergent_learning.datasets.canonical import prepare
from convergent_learning.networks.layers import Layer
from convergent_learning.networks.loading import describe_pretrained
from convergent_learning.networks.pretrained import Pretrained
from convergent_learning.stimuli.sets import write_identity_set

MODULE = """
import torch
from torch import nn

class Rows(nn.Module):
    '''Seven tokens of a width that it finds out from the image, and old code that takes views.'''

    def __init__(self, width):
        super().__init__()
        self.stem = nn.Conv2d(3, width, 3, stride=2)
        self.tokens = nn.Linear(15 * 15, 7)
        self.head = nn.Linear(width * 7, 10)

    def forward(self, x):
        assert int(x.shape[2]) == 32
        x = self.stem(x)
        x = self.tokens(x.view(len(x), x.shape[1], -1))
        return {"scores": self.head(x.contiguous().view(len(x), -1))}

def vit(**config):
    from transformers import ViTConfig, ViTForImageClassification
    return ViTForImageClassification(ViTConfig(**config))

def registers(**config):
    from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel
    return Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**config))
"""
SMALL = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "image_size": 32, "patch_size": 8,
}  # fmt: skip
VIT = {"model_name": "vit_tiny_patch16_224", "img_size": 32, "patch_size": 8, "depth": 2}
SWIN = {
    "model_name": "swin_tiny_patch4_window7_224", "img_size": 32, "window_size": 4,
    "depths": [1, 1], "num_heads": [2, 4], "embed_dim": 16, "num_classes": 10,
}  # fmt: skip
P = 16  # positions asked for


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Stimuli, and a module of the user's."""
    folder = tmp_path_factory.mktemp("made")
    prepare({"name": "digits"}, folder / "digits.h5")
    write_identity_set(folder / "digits.h5", folder / "id.h5", 20, seed=0)
    (folder / "modules_of_mine.py").write_text(MODULE)
    return folder


@pytest.fixture(autouse=True)
def working_directory(made, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(made)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def to_moments(made, out, factory, arguments, layers, reader="auto"):
    """Layer table and moments of two networks with random weights; memory plan and files agree."""
    entry = {"architecture": "mine", "factory": factory, "arguments": arguments, "reader": reader}
    described = {seed: Pretrained.of(entry, seed, 0) for seed in (1, 2)}
    describe_pretrained([described[1]], layers, 32, out / "mine.json")
    networks = tuple(Shown("mine", seed, layers, one) for seed, one in described.items())
    sample = ShownSample(str(made / "id.h5"), 7, networks, (), "sample")
    write_block(
        [sample], made / "digits.h5", out, out / "accuracy.csv", out / "layers.csv",
        positions=P, dtype="float32", n_folds=3, seed=0, code={OWN: "c"}, kept=None,
    )  # fmt: skip
    table = pd.read_csv(out / "layers.csv").set_index("layer")
    measured = Measured(Network("mine", "mine", 1, None, described[1]), layers, 10, 32, P)
    size = measure(measured)
    planned = {layer.name: (layer.units, layer.positions) for layer in size.layers}
    assert planned == dict(
        zip(table.index, zip(table.units, table.positions, strict=True), strict=True)
    )
    assert size.flop > 0
    with MomentsFile(out / "sample.h5") as file:
        for network in file.networks:
            assert [layer.name for layer in network.layers] == list(table.index)
            for layer in network.layers:
                moments = file.moments(network, layer)
                assert math.prod(moments.grid) == table.positions[layer.name]
                assert all(np.isfinite(to_numpy(p)).all() for p in moments.products.values())
    return table


def test_a_network_of_ones_own_that_returns_a_dictionary_of_scores(made, tmp_path):
    layers = (Layer("stem"), Layer("tokens", "pooled", "nct"), Layer("head"))
    factory = "modules_of_mine:Rows"
    table = to_moments(made, tmp_path, factory, {"width": 8}, layers)
    assert list(table.role) == ["block", "pooled", "logits"]
    assert list(table.height) == [4, 1, 1]
    assert list(table.width) == [4, 4, 1]
    assert pd.read_csv(tmp_path / "accuracy.csv").accuracy.notna().all()


@pytest.mark.slow
@pytest.mark.parametrize("reader", ["graph", "hooks"])
def test_timm_transformers(made, tmp_path, reader):
    pytest.importorskip("timm")
    blocks = [f"blocks.{i}{'.add_1' if reader == 'graph' else ''}" for i in range(2)]
    layers = (*map(Layer, ("patch_embed.norm", *blocks, f"{blocks[1]}:0", "head")),)
    table = to_moments(made, tmp_path, "timm:create_model", VIT, layers, reader)
    assert list(table.role) == ["block"] * 4 + ["logits"]
    assert list(table.positions) == [16, 16, 16, 1, 1]


@pytest.mark.slow
def test_timm_maps_with_channels_last(made, tmp_path):
    pytest.importorskip("timm")
    stages = [Layer(f"layers.{i}", None, "nhwc") for i in range(2)]
    layers = (Layer("patch_embed.proj"), *stages, Layer("head.fc"))
    table = to_moments(made, tmp_path, "timm:create_model", SWIN, layers)
    assert list(table.units) == [16, 16, 32, 10]
    assert list(table.height) == list(table.width) == [4, 4, 4, 1]


@pytest.mark.slow
def test_a_timm_network_of_convolutions(made, tmp_path):
    pytest.importorskip("timm")
    arguments = {"model_name": "resnet10t", "num_classes": 10}
    layers = (*map(Layer, ("act1", "layer1.0", "layer4.0", "global_pool", "fc")),)
    table = to_moments(made, tmp_path, "timm:create_model", arguments, layers)
    assert list(table.role) == ["block"] * 4 + ["logits"]


@pytest.mark.slow
def test_a_transformer_from_a_config(made, tmp_path, caplog):
    pytest.importorskip("transformers")
    names = ("vit.embeddings", "vit.layers.0", "vit.layers.1", "vit.layers.1:class_token")
    layers = (*map(Layer, names), Layer("output#logits"))
    table = to_moments(made, tmp_path, "modules_of_mine:vit", {**SMALL, "num_labels": 10}, layers)
    assert list(table.role) == ["block"] * 4 + ["logits"]
    assert list(table.positions) == [16, 16, 16, 1, 1]
    assert pd.read_csv(tmp_path / "accuracy.csv").accuracy.notna().all()


@pytest.mark.slow
def test_a_transformer_with_registers_and_without_a_readout(made, tmp_path):
    pytest.importorskip("transformers")
    block = "encoder.layer.1"
    layers = (*map(Layer, (f"{block}:0", f"{block}:1-4", f"{block}:5-", "output#pooler_output")),)
    table = to_moments(
        made, tmp_path, "modules_of_mine:registers", {**SMALL, "num_register_tokens": 4}, layers
    )
    assert list(table.positions) == [1, 4, 16, 1]
    assert set(table.role) == {"block"}
    assert pd.read_csv(tmp_path / "accuracy.csv").accuracy.isna().all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "layers"),
    [
        ("swin_t", (*(Layer(f"features.{i}", None, "nhwc") for i in (1, 3, 5, 7)), Layer("head"))),
        ("mobilenet_v3_small", (*map(Layer, ("features.0", "features.5", "classifier")),)),
        ("densenet121", (*map(Layer, ("features.pool0", "features.norm5", "classifier")),)),
    ],
)
def test_torchvision(made, tmp_path, model, layers):
    table = to_moments(made, tmp_path, f"torchvision.models:{model}", {}, layers)
    assert table.role.iloc[-1] == "logits"
    assert set(table.role.iloc[:-1]) == {"block"}
