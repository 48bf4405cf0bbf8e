"""Networks that torch.fx cannot trace, and outputs that are not one tensor."""

import dataclasses
import logging
from typing import NamedTuple

import pytest
import torch
from torch import nn

from convergent_learning.networks.layers import Layer
from convergent_learning.networks.listing import listing
from convergent_learning.networks.outputs import LayerOutputs
from convergent_learning.networks.readers import LayerError, UntraceableError

IMAGES = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Branching(nn.Module):
    """Takes another path for dark images, which a trace cannot follow."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.bright, self.dark = nn.Conv2d(4, 5, 1), nn.Conv2d(4, 5, 1)
        self.shared = nn.ReLU(inplace=True)
        self.head = nn.Linear(5, 6)

    def forward(self, x):
        x = self.shared(self.stem(x))
        x = self.bright(x) if x.mean() > -1 else self.dark(x)
        x += 1  # in place: overwrites what the module before gave
        return self.head(self.shared(x).mean((2, 3)))


class Pair(NamedTuple):
    attended: torch.Tensor
    weights: torch.Tensor


@dataclasses.dataclass
class Answer:
    loss: None
    logits: torch.Tensor
    features: tuple


class Several(nn.Module):
    """Modules with a named tuple, a dictionary and a list, around them a dataclass."""

    def __init__(self):
        super().__init__()
        self.pair, self.mapping, self.listed = (nn.Module() for _ in range(3))
        self.pair.forward = lambda x: Pair(x.flatten(2).mT, x.mean((2, 3)))
        self.mapping.forward = lambda x: {"none": None, "first": x, "second": 2 * x}
        self.listed.forward = lambda x: [x, 3 * x]

    def forward(self, x):
        pair, mapping, listed = self.pair(x), self.mapping(x), self.listed(x)
        return Answer(None, pair.weights, (mapping, listed))


def read(network, *names, reader="hooks"):
    layers = tuple(Layer(name) for name in names)
    outputs = LayerOutputs(network.eval(), layers, "mine", reader)
    with torch.inference_mode():
        activations, logits = outputs(IMAGES)
    return activations, logits, [outputs.role(layer) for layer in layers]


def test_hooks_read_what_a_trace_cannot(caplog):
    torch.manual_seed(0)
    network = Branching().eval()
    with caplog.at_level(logging.INFO):
        activations, logits, roles = read(network, "stem", "bright", "head", reader="auto")
    assert "torch.fx cannot trace mine (TraceError" in caplog.text
    assert "read by forward hooks" in caplog.text
    with torch.inference_mode():
        stem = network.stem(IMAGES)
        torch.testing.assert_close(activations["stem"], stem)
        torch.testing.assert_close(activations["bright"], network.bright(stem.relu()))
        torch.testing.assert_close(logits, network(IMAGES))
    assert torch.equal(activations["head"], logits)
    assert roles == ["block", "block", "logits"]
    assert not any(module._forward_hooks for module in network.modules())


def test_a_failed_trace_leaves_the_network_as_it_was():
    class Remembering(Branching):
        def forward(self, x):
            self.seen = x
            return super().forward(x)

    network = Remembering().eval()
    with pytest.raises(UntraceableError, match=r"networks\[\]\.reader.*use `reader: hooks`"):
        read(network, "stem", reader="graph")
    assert not any(module.training for module in network.modules())
    assert not hasattr(network, "seen")


def test_hooks_and_graph_agree(caplog):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.ReLU(), nn.Flatten()))
    network.append(nn.Linear(4 * 36, 5))
    graph, hooks = (read(network, "0", "1.0", "2", reader=reader) for reader in ("graph", "hooks"))
    for layer, expected in graph[0].items():
        assert torch.equal(hooks[0][layer], expected)
    assert torch.equal(hooks[1], graph[1])
    assert hooks[2] == graph[2] == ["block", "block", "logits"]
    with caplog.at_level(logging.INFO):
        named, _, _ = read(network, "1", "output", reader="auto")
    assert "layers of mine are modules" in caplog.text
    assert torch.equal(named["output"], graph[1])
    with pytest.raises(LayerError, match=r"mine has no layer '1'; graph nodes: input, 0, 1\.0"):
        read(network, "1", reader="graph")


def test_a_layer_is_the_first_tensor_or_the_one_with_a_key():
    names = ["pair", "pair#weights", "mapping", "mapping#second", "listed", "listed#1"]
    activations, logits, roles = read(Several(), *names, "output", "output#logits")
    assert torch.equal(activations["pair"], IMAGES)  # tokens become a grid
    for name in ("pair#weights", "output", "output#logits"):
        assert torch.equal(activations[name], IMAGES.mean((2, 3)))
    assert torch.equal(activations["mapping"], IMAGES)
    assert torch.equal(activations["mapping#second"], 2 * IMAGES)
    assert torch.equal(activations["listed"], IMAGES)
    assert torch.equal(activations["listed#1"], 3 * IMAGES)
    assert torch.equal(logits, IMAGES.mean((2, 3)))
    assert roles == ["block", "logits", *["block"] * 4, "logits", "logits"]


@pytest.mark.parametrize(
    ("name", "there"),
    [("mapping#third", "is dict with mapping#first, mapping#second"),
     ("pair#0", "is Pair with pair#attended, pair#weights"),
     ("output#features", "is Answer with output#logits")],
)  # fmt: skip
def test_a_key_that_there_is_not_is_named_with_those_there_are(name, there):
    with pytest.raises(LayerError, match=f"layer '{name}' of mine is not in what .* {there}"):
        read(Several(), name)


@pytest.mark.parametrize(
    ("name", "message"),
    [("shared", "'shared' of mine is called 2 times in a forward pass.*`reader: graph`"),
     ("dark", "'dark' of mine is not called in a forward pass; name a module that is"),
     ("hed", "mine has no layer 'hed'; modules: output, stem, .*head; .*list-layers")],
)  # fmt: skip
def test_a_module_that_is_no_layer_is_named(name, message):
    with pytest.raises(LayerError, match=message):
        read(Branching(), name)


def test_of_many_names_the_close_ones_are_shown():
    network = nn.Sequential(*(nn.ReLU() for _ in range(30)))
    network.add_module("readout", nn.ReLU())
    with pytest.raises(LayerError, match="no layer 'reedout'; modules: readout, …;"):
        read(network, "reedout")


def test_a_role_of_its_own_stands():
    layers = (Layer("0", "pooled"), Layer("1", "block"))
    outputs = LayerOutputs(nn.Sequential(nn.ReLU(), nn.Flatten()).eval(), layers, "mine")
    with pytest.raises(RuntimeError, match="mine was shown no images yet"):
        outputs.role(layers[0])
    outputs(IMAGES)
    assert [outputs.role(layer) for layer in layers] == ["pooled", "block"]


def test_a_network_that_returns_maps_has_no_logits():
    activations, logits, roles = read(nn.Sequential(nn.ReLU()), "0")
    assert logits.shape == (2, 0)
    assert activations["0"].shape == IMAGES.shape
    assert roles == ["block"]


def test_a_listing_has_nodes_and_modules_with_shapes():
    lines = listing(nn.Sequential(nn.ReLU(), nn.Flatten()).eval(), "mine", 4).splitlines()
    shapes = ["(1, 3, 4, 4)", "(1, 48)"]
    assert lines[0] == "graph nodes (`reader: graph`)"
    assert [line.split(maxsplit=1) for line in lines[2:4]] == [["0", shapes[0]], ["1", shapes[1]]]
    assert lines[5] == "modules (`reader: hooks`)"
    assert [line.split(maxsplit=1) for line in lines[6:]] == [
        ["0", shapes[0]],
        ["1", shapes[1]],
        ["output", shapes[1]],
    ]


def test_a_listing_says_what_is_no_layer():
    text = listing(Branching().eval(), "mine", 8)
    assert text.startswith("config key `networks[].reader`: torch.fx cannot trace mine")
    assert "shared  called 2 times: no layer" in text
    assert "dark" not in text
    assert ["pair#weights", "(1,", "3)"] in [
        line.split() for line in listing(Several().eval(), "mine", 8).splitlines()
    ]
    with pytest.raises(ValueError, match="mine fails on images of 2 x 2 pixels"):
        listing(Branching().eval(), "mine", 2)
