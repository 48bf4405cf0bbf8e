import subprocess
import sys

import pytest
import torch
from torchvision.models import get_model
from torchvision.models.feature_extraction import get_graph_node_names

from convergent_learning.networks import graph
from convergent_learning.networks.architectures import build
from convergent_learning.networks.layers import Layer, depths, stem
from convergent_learning.networks.listed import (
    code_of,
    graph_nodes,
    listed,
    not_listed,
    select_layers,
)
from convergent_learning.networks.loading import TORCHVISION_NAMES
from convergent_learning.networks.outputs import LayerOutputs

both_stems = pytest.mark.parametrize("image_size", graph.IMAGE_SIZES)
every_architecture = pytest.mark.parametrize("architecture", listed())


def test_the_list_is_that_of_the_files():
    assert graph.traced_architectures() == listed()
    assert not_listed() == []


def test_code_of_built_in_architectures():
    folder = "convergent_learning.networks.architectures"
    assert code_of(["vgg19", "vgg11", "mine", "", "resnet50"]) == [
        f"{folder}.resnet:ARCHITECTURES",
        f"{folder}.vgg:ARCHITECTURES",
    ]


@both_stems
@every_architecture
def test_default_layers_are_in_depth_order(architecture, image_size):
    nodes = graph_nodes(architecture, image_size)
    names = [layer.name for layer in select_layers(architecture, image_size=image_size)]
    assert sorted(names, key=nodes.index) == names


@pytest.mark.parametrize("architecture", [name for name in listed() if name != "vit_small"])
def test_published_networks_have_the_default_layers(architecture):
    with torch.device("meta"):
        published = get_model(TORCHVISION_NAMES.get(architecture, architecture))
        ours = build(architecture, 1000, 1, 224)
    nodes = get_graph_node_names(published)[1]
    assert get_graph_node_names(ours)[1] == nodes
    assert {layer.node for layer in select_layers(architecture, image_size=224)} <= set(nodes)


@both_stems
@every_architecture
def test_default_layers_are_stem_blocks_pooled_features_logits(architecture, image_size):
    torch.manual_seed(0)
    network = build(architecture, 7, 1 / 16, image_size).eval()
    layers = select_layers(architecture, image_size=image_size)
    read = LayerOutputs(network, layers, architecture)
    with torch.inference_mode():
        activations, logits = read(torch.randn(2, 3, image_size, image_size))
    assert [layer.role for layer in layers] == ["block"] * (len(layers) - 2) + ["pooled", "logits"]
    sides = []
    for layer in layers:
        values = activations[layer.name]
        if layer.role == "block":
            sides.append(values.shape[2])
            assert values.shape[2] == values.shape[3]
        else:
            assert values.ndim == 2
        if architecture[:3] != "vit" and layer.role != "logits":
            assert values.min() == 0 or layer.role == "pooled"  # after the ReLU
    assert sides == sorted(sides, reverse=True)
    assert torch.equal(activations[layers[-1].name], logits)


@pytest.mark.parametrize(
    ("architecture", "count"),
    [("resnet18", 11), ("resnet34", 19), ("resnet50", 19), ("vgg11", 10), ("vgg16", 15),
     ("vgg19", 18), ("vit_small", 15), ("vit_b_16", 15)],
)  # fmt: skip
@both_stems
def test_one_layer_a_block(architecture, count, image_size):
    assert len(select_layers(architecture, image_size=image_size)) == count


def test_depth_is_rank_scaled_to_one():
    layers = select_layers("resnet18", [Layer(n) for n in ("relu", "layer2.0.relu_1", "fc")])
    assert depths(layers) == [0, 0.5, 1]
    assert [layer.role for layer in layers] == ["block", "block", "logits"]


def test_the_stem_changes_above_64_pixels():
    assert (stem(28), stem(64), stem(65), stem(224)) == ("cifar", "cifar", "imagenet", "imagenet")
    assert select_layers("vgg11", image_size=64)[-1].name == "classifier"
    assert select_layers("vgg11", image_size=224)[-1].name == "classifier.6"


@both_stems
def test_patches_and_class_token_of_a_transformer_block_are_layers(image_size):
    node = "encoder.layers.encoder_layer_3.add_1"
    names = graph_nodes("vit_small", image_size)
    assert names.index(f"{node}:class_token") == names.index(node) + 1
    layers = select_layers("vit_small", [Layer(node), Layer(f"{node}:class_token")], image_size)
    assert [layer.node for layer in layers] == [node, node]
    read = LayerOutputs(build("vit_small", 3, 1 / 16, image_size).eval(), layers, "vit_small")
    with torch.inference_mode():
        activations, _ = read(torch.randn(2, 3, image_size, image_size))
    side = image_size // (4 if image_size == 32 else 16)
    assert activations[node].shape == (2, 24, side, side)
    assert activations[f"{node}:class_token"].shape == (2, 24)


def test_no_layer_is_the_same_for_every_image():
    """A class token has seen nothing before the first attention."""
    names = graph_nodes("vit_small")
    assert "cat" in names
    assert not {"expand", "cat:class_token", "encoder.add:class_token"} & set(names)


def test_tables_are_read_without_torch():
    code = (
        "import sys; from convergent_learning.networks.listed import graph_nodes;"
        " graph_nodes('vit_b_16', 224); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
