import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convergent_learning.networks.architectures import build
from convergent_learning.networks.layers import Layer
from convergent_learning.networks.outputs import LayerOutputs, as_activations
from convergent_learning.networks.readers import LayerError

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
        with pytest.raises(LayerError, match=r"no square grid after a class token.*`block:0`"):
            as_activations(tokens, TOKEN, "mine")


@given(tokens=st.integers(1, 300))
def test_tokens_that_are_no_square_are_one_row(tokens):
    squares = {side**2 for side in range(1, 18)}
    values = torch.randn(2, tokens, 3)
    made = as_activations(values, PATCHES, "mine")
    if tokens in squares | {square + 1 for square in squares}:
        assert math.prod(made.shape[2:]) in squares
    else:
        assert torch.equal(made[:, :, 0], values.mT)


@given(prefix=st.integers(1, 5), side=st.integers(1, 5), data=st.data())
def test_tokens_are_picked_by_index(prefix, side, data):
    values = torch.randn(2, prefix + side**2, 3)
    patches = as_activations(values, Layer(f"block:{prefix}-"), "mine")
    assert patches.shape == (2, 3, side, side)
    assert torch.equal(patches.flatten(2).mT, values[:, prefix:])
    index = data.draw(st.integers(0, prefix - 1))
    assert torch.equal(as_activations(values, Layer(f"block:{index}"), "mine"), values[:, index])
    last = data.draw(st.integers(index + 1, prefix))
    several = as_activations(values, Layer(f"block:{index}-{last}"), "mine")
    assert torch.equal(several.flatten(2).mT, values[:, index : last + 1])


@pytest.mark.parametrize("name", ["block:7", "block:3-7", "block:7-", "block:3-2"])
def test_tokens_that_there_are_not_are_refused(name):
    with pytest.raises(LayerError, match=f"layer '{name}' of mine picks tokens beyond its 7"):
        as_activations(torch.zeros(2, 7, 3), Layer(name), "mine")


@pytest.mark.parametrize("shape", [(2, 5), (2, 5, 3, 3)])
def test_maps_and_vectors_stay_and_have_no_tokens(shape):
    values = torch.randn(shape)
    assert as_activations(values, PATCHES, "mine") is values
    for layer in (TOKEN, Layer("block:0")):
        with pytest.raises(LayerError, match=f"layer '{layer.name}' of mine.*no sequence of"):
            as_activations(values, layer, "mine")


@pytest.mark.parametrize(
    ("layout", "axes", "usual"),
    [("nhwc", (0, 2, 3, 1), (2, 5, 3, 4)), ("tnc", (2, 0, 1), (2, 5, 1, 6)),
     ("nct", (0, 1, 2), (2, 5, 1, 6))],
)  # fmt: skip
def test_a_layout_names_the_axes(layout, axes, usual):
    expected = torch.randn(usual)
    given_so = (expected if layout == "nhwc" else expected[:, :, 0]).permute(axes)
    assert torch.equal(as_activations(given_so, Layer("block", None, layout), "mine"), expected)
    with pytest.raises(LayerError, match=rf"\(2, 5\), which `layout: {layout}` does not fit"):
        as_activations(torch.zeros(2, 5), Layer("block", None, layout), "mine")


@pytest.mark.parametrize("shape", [(2,), (2, 3, 4, 5, 6)])
def test_outputs_that_are_no_activations_are_refused(shape):
    shown = re.escape(str(shape))
    with pytest.raises(LayerError, match=rf"layer 'block' of mine gives {shown}.*another layer"):
        as_activations(torch.zeros(shape), PATCHES, "mine")


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


def test_a_layer_before_a_function_in_place_keeps_its_values():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 4, 3)

        def forward(self, x):
            return nn.functional.relu(self.stem(x), inplace=True).mean((2, 3))

    network, images = Functional().eval(), torch.randn(2, 3, 8, 8)
    with torch.inference_mode():
        for reader in ("graph", "hooks"):
            activations, _ = LayerOutputs(network, (Layer("stem"),), "mine", reader)(images)
            assert torch.equal(activations["stem"], network.stem(images))


def test_a_missing_layer_is_named_with_those_there_are():
    with pytest.raises(LayerError, match=r"mine has no layer 'layer9:class_token'.*patch.*head"):
        LayerOutputs(Tokens().eval(), (Layer("layer9:class_token", "block"),), "mine")


def test_a_first_axis_that_is_not_the_images_is_refused():
    network = nn.Sequential(nn.Flatten(2), nn.Flatten(0, 1)).eval()
    read = LayerOutputs(network, (Layer("1"),), "mine")
    with pytest.raises(LayerError, match=r"layer '1' of mine gives \(6, 16\) for 2 images"):
        read(torch.zeros(2, 3, 4, 4))


def test_images_that_a_network_does_not_take_are_named():
    read = LayerOutputs(nn.Sequential(nn.Conv2d(3, 2, 9)).eval(), (Layer("0"),), "mine")
    with pytest.raises(ValueError, match=r"mine fails on images of 8 x 8 pixels \(RuntimeError"):
        read.of_one_image(8)


class Branches(nn.Module):
    """Two branches, added in place, and a map that is returned beside the logits."""

    def __init__(self):
        super().__init__()
        self.a1, self.a2, self.b1, self.b2 = (nn.Conv2d(3, 3, 1) for _ in range(4))
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(3, 2)

    def forward(self, images):
        images -= 0.5
        a = self.a2(self.a1(images))
        a += self.b2(self.b1(images))
        maps = self.act(a)
        return {"scores": self.head(maps.mean((2, 3))), "maps": maps}


@pytest.mark.parametrize("reader", ["graph", "hooks"])
def test_layers_are_in_depth_order(reader):
    def require(*names):
        layers = tuple(map(Layer, names))
        LayerOutputs(Branches().eval(), layers, "mine", reader).require_depth_order(4)

    for good in (["a1", "b1", "a2", "b2", "act", "head"], ["b1", "a1", "b2", "head"], ["act"]):
        require(*good)
    if reader == "hooks":
        require("a1", "output#maps", "head")
        require("act", "output#maps")
    for bad in (["act", "a1"], ["b1", "a2", "a1"], ["a1", "head", "act"]):
        with pytest.raises(LayerError, match="which is listed after it") as error:
            require(*bad)
        first, last = bad[-2:]
        assert f"layer {first!r} from {last!r}" in str(error.value)
    with pytest.raises(LayerError, match=r"no layer 'a3'"):
        require("a3")


def test_an_order_in_depth_that_nothing_is_known_of_passes():
    class Frozen(Branches):
        def forward(self, images):
            with torch.no_grad():
                return super().forward(images)

    layers = Layer("head"), Layer("a1")
    LayerOutputs(Frozen().eval(), layers, "mine", "hooks").require_depth_order(4)
