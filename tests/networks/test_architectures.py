import json

import pytest
import torch
from torchvision.models.feature_extraction import create_feature_extractor

from convergent_learning.networks.architectures import ARCHITECTURES, build
from convergent_learning.networks.graph import NODES_FILE, graph_nodes
from convergent_learning.networks.layers import LAYERS, depths, select_layers


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_layer_tables_agree_with_the_traced_graph(architecture):
    nodes = graph_nodes(architecture)
    assert json.loads(NODES_FILE.read_text())[architecture] == nodes
    names = [layer.name for layer in LAYERS[architecture]]
    assert sorted(names, key=nodes.index) == names


def test_every_architecture_has_a_layer_table():
    assert ARCHITECTURES.keys() == LAYERS.keys()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_blocks_are_spatial_and_after_their_nonlinearity(architecture):
    torch.manual_seed(0)
    network = build(architecture, classes=7, width=1 / 16).eval()
    layers = LAYERS[architecture]
    outputs = create_feature_extractor(network, [layer.name for layer in layers])(
        torch.randn(2, 3, 32, 32)
    )
    for layer in layers:
        values = outputs[layer.name]
        assert values.ndim == (4 if layer.role == "block" else 2)
        assert layer.role == "logits" or values.min() >= 0
    assert outputs[layers[-1].name].shape == (2, 7)


def test_width_scales_channels():
    quarter, half = (
        build("resnet18", 10, width).layer4[1].bn2.num_features for width in (0.25, 0.5)
    )
    assert (quarter, half) == (128, 256)


def test_depth_is_rank_scaled_to_one():
    layers = select_layers("resnet18", ["relu", "layer2.0.relu_1", "fc"])
    assert depths(layers) == [0, 0.5, 1]
    assert [layer.role for layer in layers] == ["block", "block", "logits"]


def test_width_without_channels_is_refused():
    with pytest.raises(ValueError, match="width 0"):
        build("vgg11", 10, 0.001)
