import json
import sys

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from convergent_learning.networks import pretrained as pretrained_module
from convergent_learning.networks.layers import Layer
from convergent_learning.networks.loading import (
    _without_prefixes,
    describe_pretrained,
    load_pretrained,
)
from convergent_learning.networks.pretrained import Pretrained, pretrained_problems

MODULE = """
from torch import nn

def make(channels):
    return nn.Sequential(nn.Conv2d(3, channels, 3), nn.ReLU(), nn.Flatten())

def number():
    return 3
"""
NORMALISATION = ([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds a module of the user's."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "tiny_networks.py").write_text(MODULE)
    return folder


@pytest.fixture(autouse=True)
def working_directory(folder, monkeypatch):
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(folder)


def entry(**keys):
    given = {"architecture": "tiny", "factory": "tiny_networks:make", "seeds": [1]}
    return given | {"arguments": {"channels": 2}, "layers": ["1", "2"]} | keys


def load(seed=1, step=7, **keys):
    followed = Pretrained.of(entry(**keys), seed, 0).at(step)
    return load_pretrained(followed, "digits", NORMALISATION, CPU)


def test_a_factory_is_called_with_its_arguments_and_seeded_by_the_network():
    one, again, other = load(1), load(1), load(2)
    assert one.network[0].out_channels == 2
    assert (one.architecture, one.dataset, one.seed, one.step) == ("tiny", "digits", 1, 0)
    assert (one.mean, one.std) == NORMALISATION
    assert one.weights_digest == again.weights_digest != other.weights_digest
    assert load(mean=[0.5] * 3, std=[0.25] * 3).mean == [0.5] * 3


@pytest.mark.parametrize("wrapper", [None, "state_dict", "model", "safetensors"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
def test_weights_come_from_a_file_for_each_seed(tmp_path, wrapper, prefix):
    state = {"0.weight": torch.full((2, 3, 3, 3), 0.5), "0.bias": torch.ones(2)}
    saved = {prefix + name: tensor for name, tensor in state.items()}
    path = tmp_path / f"w2.{'safetensors' if wrapper == 'safetensors' else 'pt'}"
    if wrapper == "safetensors":
        save_file(saved, path)
    else:
        torch.save(saved if wrapper is None else {"epoch": 3, wrapper: saved}, path)
    weights = str(path).replace("w2", "w{seed}")
    network = load(2, weights=weights, seeds=[2]).network
    assert torch.equal(network[0].weight, state["0.weight"])


class Malicious:
    def __reduce__(self):
        return print, ("code of the file ran",)


def test_a_weights_file_never_runs_code(tmp_path, capsys):
    torch.save({"0.weight": Malicious()}, tmp_path / "w.pt")
    with pytest.raises(ValueError, match=r"w\.pt is not a state dict that loads without running"):
        load(weights=str(tmp_path / "w.pt"))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"factory": "tiny_networks:build"}, "module tiny_networks has no 'build'"),
        ({"arguments": {"depth": 3}}, "depth"),
        ({"factory": "tiny_networks:number", "arguments": {}}, "returned int"),
    ],
)
def test_a_factory_that_makes_no_network_is_named(keys, message):
    with pytest.raises(ValueError, match=f"networks.*factory.*{message}"):
        load(**keys)


def test_weights_that_do_not_fit_are_named(tmp_path):
    save_file({"9.weight": torch.ones(2)}, tmp_path / "w.safetensors")
    with pytest.raises(ValueError, match=r"w\.safetensors does not fit tiny.*9\.weight"):
        load(weights=str(tmp_path / "w.safetensors"))
    torch.save(torch.ones(2), tmp_path / "w.pt")
    with pytest.raises(ValueError, match=r"w\.pt holds a Tensor"):
        load(weights=str(tmp_path / "w.pt"))
    torch.save({"epoch": 3, "ema": {"0.weight": torch.ones(2)}}, tmp_path / "w.pt")
    with pytest.raises(ValueError, match=r"w\.pt holds epoch, ema.*under 'state_dict' or 'model'"):
        load(weights=str(tmp_path / "w.pt"))


def test_a_prefix_that_the_network_has_too_stays():
    state = nn.ModuleDict({"module": nn.Linear(2, 2)}).state_dict()
    assert _without_prefixes(state, state.keys()) is state


def test_published_weights_are_torchvisions(monkeypatch):
    """Nothing is downloaded: the network that torchvision would return is put in its place."""
    made = nn.Sequential(nn.Flatten())
    monkeypatch.setattr("torchvision.models.get_model", lambda name, weights: made)
    published = {"architecture": "resnet50", "weights": "IMAGENET1K_V2", "seeds": [1]}
    loaded = load_pretrained(Pretrained.of(published, 1, 0), "digits", NORMALISATION, CPU)
    assert loaded.network is made
    assert loaded.mean == [0.485, 0.456, 0.406]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"weights": "CIFAR1K"}, "no weights 'CIFAR1K'; allowed: IMAGENET1K_V1, IMAGENET1K_V2"),
        ({"architecture": "resnet51"}, "torchvision has no model 'resnet51'"),
    ],
)
def test_unknown_published_weights_are_named(changed, message):
    published = {"architecture": "resnet50", "weights": "IMAGENET1K_V1", "seeds": [1]} | changed
    with pytest.raises(ValueError, match=message):
        load_pretrained(Pretrained.of(published, 1, 0), "digits", NORMALISATION, CPU)


def test_a_description_shows_that_the_layers_are_there(tmp_path):
    pretrained = Pretrained.of(entry(), 1, 0)
    layers = (Layer("1", "block"), Layer("2", "block"))
    describe_pretrained([pretrained], layers, 8, tmp_path / "about.json")
    about = json.loads((tmp_path / "about.json").read_text())
    assert about["layers"] == {"1": [2, 6, 6], "2": [72]}
    assert about["parameters"] == 2 * 27 + 2
    with pytest.raises(ValueError, match=r"tiny computes layer '2' from '1', .*'1' before '2'"):
        describe_pretrained([pretrained], layers[::-1], 8, tmp_path / "none.json")
    with pytest.raises(ValueError, match=r"tiny has no layer 'block9'.*0, 1, 2"):
        describe_pretrained([pretrained], (Layer("block9", "block"),), 8, tmp_path / "none.json")


def test_default_layers_are_not_read_by_hooks():
    published = {"architecture": "resnet50", "weights": "IMAGENET1K_V2", "seeds": [1]}
    assert list(pretrained_problems(published, "networks[0]")) == []
    (problem,) = pretrained_problems(published | {"reader": "hooks"}, "networks[0]")
    assert "networks[0].layers: default layers are graph nodes; list modules" in problem


def test_it_is_another_network_under_another_version_of_its_package(folder, monkeypatch):
    (folder / "borrowed.py").write_text(
        "import numpy, torch, os\nfrom . import x\ndef make():\n    import safetensors.torch\n"
    )
    versions = {"torchvision": "0.29.2+cpu", "safetensors": "1.2"}
    monkeypatch.setattr(pretrained_module, "version", versions.__getitem__)
    published = {"architecture": "resnet18", "weights": "IMAGENET1K_V1"}
    factory = entry(factory="torchvision.models:swin_t")
    borrowed = entry(factory="borrowed:make")
    for described, packages in (
        (published, ("torchvision 0.29.2",)),
        (factory, ("torchvision 0.29.2",)),
        (borrowed, ("safetensors 1.2",)),
        (entry(), ()),
    ):
        assert Pretrained.of(described, 1, 0).packages == packages
    before = Pretrained.of(borrowed, 1, 0)
    versions["safetensors"] = "1.3"
    assert Pretrained.of(borrowed, 1, 0) != before


def test_a_package_that_cannot_be_imported_is_named_once(folder):
    (folder / "broken").mkdir()
    (folder / "broken/__init__.py").write_text("raise RuntimeError('not here')\n")
    described = entry(factory="broken.inner:make", weights="w{seed}.pt")
    (problem,) = pretrained_problems(described, "networks[0]")
    assert (
        "networks[0].factory: broken.inner cannot be imported (RuntimeError: not here)" in problem
    )


def test_its_files_are_the_module_and_the_weights(folder):
    pretrained = Pretrained.of(entry(weights="w{seed}.pt"), 1, 0)
    assert pretrained.files == [str(folder / "tiny_networks.py"), "w1.pt"]
    assert list(pretrained_problems(entry(), "networks[0]")) == []
