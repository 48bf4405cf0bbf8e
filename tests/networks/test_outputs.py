import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convergent_learning.networks.architectures import build
from convergent_learning.networks.layers import Layer
from convergent_learning.networks.outputs import LayerOutputs, as_activations

PATCHES, TOKEN = Layer("block", "block"), Layer("block:class_token", "block")


@given(
    stimuli=st.integers(1, 3),
    side=st.integers(1, 6),
    channels=st.integers(1, 4),
    class_tokens=st.integers(0, 1),
)
def test_tokens_become_a_grid_row_by_row(stimuli, side, channels, class_tokens):
    grid = torch.randn(stimuli, channels, side, side)
    token = torch.randn(stimuli, class_tokens, channels)
    tokens = torch.cat([token, grid.flatten(2).permute(0, 2, 1)], dim=1)
    torch.testing.assert_close(as_activations(tokens, PATCHES, "mine"), grid)
    if class_tokens:
        torch.testing.assert_close(as_activations(tokens, TOKEN, "mine"), token[:, 0])
    else:
        with pytest.raises(ValueError, match="grid without class token"):
            as_activations(tokens, TOKEN, "mine")


@given(tokens=st.integers(1, 300))
def test_tokens_that_are_no_grid_are_refused(tokens):
    squares = {side**2 for side in range(1, 18)}
    values = torch.zeros(2, tokens, 3)
    if tokens in squares | {square + 1 for square in squares}:
        assert math.prod(as_activations(values, PATCHES, "mine").shape[2:]) in squares
    else:
        with pytest.raises(ValueError, match=rf"layer 'block' of mine.*{tokens} tokens.*name a"):
            as_activations(values, PATCHES, "mine")


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 3, 3)])
def test_maps_and_vectors_stay_and_have_no_class_token(shape):
    values = torch.randn(shape)
    assert as_activations(values, PATCHES, "mine") is values
    with pytest.raises(ValueError, match=r"layer 'block:class_token' of mine.*no sequence of"):
        as_activations(values, TOKEN, "mine")


@pytest.mark.parametrize(
    ("output", "shown"), [((1, 2), "tuple"), (torch.zeros(2), r"\(2,\)"), (None, "NoneType")]
)
def test_outputs_that_are_no_activations_are_refused(output, shown):
    with pytest.raises(
        ValueError, match=rf"layer 'block' of mine gives {shown}.*another graph node"
    ):
        as_activations(output, PATCHES, "mine")


class Tokens(nn.Module):
    """A user's transformer: patches as tokens, mixed by attention, averaged, read out."""

    def __init__(self):
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 4, 4)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        return self.head(self.block(x).mean(1))


def test_a_transformer_that_is_not_built_in_gives_grids():
    layers = (PATCHES, Layer("head", "logits"))
    activations, logits = LayerOutputs(Tokens().eval(), layers, "mine")(torch.randn(2, 3, 24, 24))
    assert activations["block"].shape == (2, 8, 6, 6)
    assert torch.equal(activations["head"], logits)


def test_a_layer_before_an_in_place_relu_keeps_its_values():
    torch.manual_seed(0)
    network = build("resnet18", 10, 1 / 16).eval()
    images = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        expected = network.bn1(network.conv1(images))
        layers = (Layer("bn1", "block"), Layer("relu", "block"))
        activations, _ = LayerOutputs(network, layers, "resnet18")(images)
    torch.testing.assert_close(activations["bn1"], expected)
    torch.testing.assert_close(activations["relu"], expected.relu())


def test_a_missing_layer_is_named_with_those_there_are():
    with pytest.raises(ValueError, match=r"mine has no layer 'layer9:class_token'.*patch.*head"):
        LayerOutputs(Tokens().eval(), (Layer("layer9:class_token", "block"),), "mine")
