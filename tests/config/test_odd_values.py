"""Odd values of every key are accepted, with a plan, or refused in words that name the key."""

import contextlib
import copy
import datetime
import math
import re
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from convergent_learning.alignment import save_activations
from convergent_learning.config.checks import checked
from convergent_learning.config.costs import Costs
from convergent_learning.config.design import Design
from convergent_learning.config.documentation import page
from convergent_learning.config.errors import ConfigError
from convergent_learning.config.experiment import Experiment
from convergent_learning.config.plan import plan
from convergent_learning.config.sizes import LayerSize, NetworkSize

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())
KEYS = re.findall(r"^\| `([^`]+)` \|", page(DEFAULT), re.MULTILINE)

NUMBERS = [0, -1, 1, 2, 5.0, 0.5, math.nan, math.inf, -math.inf, 1e300, 1e-320]
NUMBERS += [2**31, 2**63, 10**20, 10**400, 16**5000]
TEXTS = ["", " ", "x", "x" * 300, "x/" * 5000, "a\0b", "../..", "/", "é", "\ud800", "1e999999999"]
TEXTS += ["nan", "inf", "-1", "1/0", "true", "all", "default", "digits", "cifar10", "id", "final"]
TEXTS += ["{seed}", "{step}{condition}", "{", "os:getcwd", "builtins:dict", "__main__:f", "a.b:c"]
OTHERS = [None, True, False, datetime.date(2020, 1, 1), b"bytes", {1, 2}]
PLAIN = st.sampled_from([*NUMBERS, *TEXTS, *OTHERS])
ODD = (
    PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(st.sampled_from(TEXTS), PLAIN, max_size=2)
)
ODDLY = settings(
    max_examples=100,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """What a config may name: images, arrays, activations, a recording, weights."""
    folder = tmp_path_factory.mktemp("files")
    for name in ("sketch", "pictures"):
        (folder / name).mkdir()
    for index in range(10):
        Image.new("RGB", (8, 8)).save(folder / f"pictures/{index}.png")
        for condition in ("mild", "strong"):
            (folder / f"sketch/{index:04}_s_dnn_{condition}_dog_00_x.png").touch()
    for name, shape in (("fog", (50_000, 32, 32, 3)), ("labels", (50_000,))):
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.uint8, shape)  # takes no room
    save_activations(folder / "1.h5", {"a": np.zeros((10, 3)), "b": np.zeros((10, 3))})
    np.savez(folder / "mine.npz", v1=np.zeros((10, 3)))
    (folder / "w1_0.pt").touch()
    return folder


@pytest.fixture(scope="module")
def configs(files):
    """Two configs in which every key stands: images of a group's own, and a dataset of folders."""
    training = DEFAULT["training"] | {"milestones": [0.5], "checkpoints": ["1/2", 1, "20 steps"]}
    of_all = ("batch_size", "precision", "threads", "trainings_per_gpu")
    own = {key: value for key, value in training.items() if key not in of_all}
    first = {"architecture": "resnet18", "name": "a", "width": 0.25, "seeds": [1, 2, 3]}
    first |= {"layers": ["relu", {"name": "fc", "role": "logits", "layout": "nhwc"}]}
    one = DEFAULT | {
        "training": training,
        "datasets": [{"name": "cifar10", "train_images": 2000, "source": None}],
        "networks": [
            first | {"training": own | {"images": {"family": "contrast", "level": 50}}},
            {"architecture": "vgg11", "width": 1, "seeds": [1, 2], "layers": "default"},
            {"architecture": "x", "factory": "json:loads", "arguments": {"s": 1}, "seeds": [1]}
            | {"weights": f"{files}/w{{seed}}_{{step}}.pt", "steps": [0], "steps_per_epoch": 5}
            | {"mean": [0.5, 0.5, 0.5], "std": [1, 1, 1], "reader": "hooks", "layers": ["a", "b"]},
            {"architecture": "y", "activations": f"{files}/{{seed}}.h5", "seeds": [1]},
        ],
        "stimuli": {
            "images": 100,
            "families": [{"family": "contrast", "levels": [50, 10]}],
            "sets": [
                {"name": "sketch", "layout": "geirhos", "path": f"{files}/sketch", "resize": 32}
                | {"conditions": ["mild", "strong"]},
                {"name": "fog", "layout": "cifar-c", "path": str(files), "severities": [1, 5]},
            ],
        },
        "recordings": [
            {"name": "mine", "layout": "responses", "source": f"{files}/mine.npz"}
            | {"images": f"{files}/pictures"}
        ],
    }
    folders = {"name": "mine", "layout": "imagefolder", "source": "x", "train_images": 500}
    folders |= {"image_size": 32, "classes": ["cat", "dog"]}
    other = one | {"datasets": [folders], "networks": [first | {"training": own}]}
    return [one, other]


def places(node, place=()):
    """Where the values of a config are, as keys and indices from its top."""
    branches = node.items() if isinstance(node, dict) else enumerate(node)
    for part, inner in branches:
        yield (*place, part)
        if isinstance(inner, dict | list):
            yield from places(inner, (*place, part))


def named(place):
    """The key of a place as the documentation writes it."""
    parts = ("[]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).lstrip(".").removesuffix("[]")


def names(place):
    """The key at a place, and the entry that it is of: another key of it may be named beside it."""
    yield next(part for part in reversed(place) if isinstance(part, str))
    first = next((index for index, part in enumerate(place) if isinstance(part, int)), None)
    if first is not None:
        yield f"{'.'.join(place[:first])}[{place[first]}]."


class SomeSizes:
    """In the place of sizes that are measured on networks."""

    def __init__(self, experiment):
        self._experiment = experiment

    def of(self, dataset, network):
        layers = self._experiment.layers(dataset, network.group)
        return NetworkSize(
            parameters=1,
            flop=1,
            elements=1,
            alive=1,
            layers=tuple(LayerSize(layer.name, 8, (2, 2)) for layer in layers),
        )


def planned(config):
    design = Design(Experiment(checked(config)))
    return plan(design.jobs, Costs(design, SomeSizes(design.experiment)))


def test_every_key_stands_in_one_of_the_configs(configs):
    stand = {named(place) for config in configs for place in places(config)}
    assert set(KEYS) <= stand
    for config in configs:
        assert planned(config)


@ODDLY
@given(data=st.data())
def test_a_value_is_planned_with_or_refused_by_its_key(configs, data):
    config = copy.deepcopy(configs[data.draw(st.integers(0, 1), "config")])
    place = data.draw(st.sampled_from(list(places(config))), "place")
    node = config
    for part in place[:-1]:
        node = node[part]
    node[place[-1]] = data.draw(ODD, "value")
    refusal = None
    try:
        planned(config)
    except ConfigError as error:
        refusal = str(error)
    assert refusal is None or any(name in refusal for name in names(place))


@ODDLY
@given(data=st.data())
def test_a_config_without_a_key_is_planned_or_refused(configs, data):
    config = copy.deepcopy(configs[data.draw(st.integers(0, 1), "config")])
    place = data.draw(st.sampled_from(list(places(config))), "place")
    node = config
    for part in place[:-1]:
        node = node[part]
    del node[place[-1]]
    with contextlib.suppress(ConfigError):
        planned(config)
