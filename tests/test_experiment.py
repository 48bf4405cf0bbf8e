import copy
from pathlib import Path

import pytest
import yaml

from convergent_learning.experiment import ConfigError, Experiment, check

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "workflow/schemas/config.schema.json"
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())


def changed(path, value):
    """The default config with the key at `path` (dotted, numbers index lists) set to `value`."""
    config = copy.deepcopy(DEFAULT)
    *parents, last = (int(part) if part.isdigit() else part for part in path.split("."))
    node = config
    for part in parents:
        node = node[part]
    node[last] = value
    return config


def test_the_default_config_is_accepted():
    check(DEFAULT, SCHEMA)


@pytest.mark.parametrize("overlay", sorted((ROOT / "workflow/experiments").glob("*.yaml")))
def test_overlays_are_called_like_their_experiment(overlay):
    assert yaml.safe_load(overlay.read_text())["experiment"] == overlay.stem


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("epochs", 3, ["unknown key epochs", "allowed keys", "training"]),
        ("training.optimiser", "adam", ["training: unknown key optimiser", "batch_size"]),
        ("training.epochs", "four", ["training.epochs", "'four'", "integer"]),
        ("networks.0.seeds", [1, 2, 1], ["networks[0].seeds", "twice"]),
        ("networks.1.architecture", "alexnet", ["networks[1].architecture", "alexnet", "resnet18"]),
        ("networks.1.architecture", "resnet18", ["networks[1].architecture", "listed twice"]),
        (
            "networks.0.layers",
            ["relu", "layer9"],
            ["networks[0].layers", "layer9", "layer4"],
        ),
        ("networks.0.layers", ["fc", "relu"], ["networks[0].layers", "depth order"]),
        ("alignment.metrics", ["linear", "rsa"], ["alignment.metrics[1]", "rsa", "procrustes"]),
        ("alignment.ridge", "lasso", ["alignment.ridge", "lasso", "`cv` or a number"]),
        ("stimuli.images", 0, ["stimuli.images", "0"]),
        ("stimuli.images", 4, ["stimuli.images", "4 stimuli", "5 folds"]),
        ("stimuli.images", 20_000, ["stimuli.images", "10000 test images"]),
        (
            "stimuli.families",
            [{"family": "fog", "levels": "all"}],
            ["stimuli.families[0].family", "fog", "contrast"],
        ),
        (
            "stimuli.families",
            [{"family": "contrast", "levels": [51]}],
            ["stimuli.families[0].levels", "51", "50, 30"],
        ),
        ("stimuli.families", "some", ["stimuli.families", "some", "`default`, `all`"]),
        ("datasets.0.name", "mnist", ["datasets[0].name", "mnist", "cifar10, digits"]),
        ("datasets.0.train_images", 10**6, ["datasets[0].train_images", "50000"]),
        ("training.checkpoints", ["1", "9"], ["training.checkpoints", "'9'", "4 epochs"]),
    ],
)
def test_bad_input_is_named_with_what_is_allowed(path, value, named):
    with pytest.raises(ConfigError) as caught:
        check(changed(path, value), SCHEMA)
    for text in named:
        assert text in str(caught.value)


def test_every_problem_is_in_one_message():
    config = changed("networks.0.layers", ["layer9"])
    config["stimuli"]["images"] = 4
    with pytest.raises(ConfigError) as caught:
        check(config, SCHEMA)
    assert "layer9" in str(caught.value)
    assert "stimuli.images" in str(caught.value)


def test_blocks_cover_every_checkpoint_and_condition_once():
    experiment = Experiment(DEFAULT)
    samples = [s.name for block in experiment.blocks("cifar10").values() for s in block]
    steps = experiment.steps("cifar10")
    expected = [f"id_step{step}" for step in steps]
    expected += [f"{condition.slug}_step{steps[-1]}" for condition in experiment.conditions]
    assert sorted(samples) == sorted(expected)
    assert len(set(samples)) == len(samples)


def test_a_plan_holds_what_the_config_says():
    experiment = Experiment(DEFAULT)
    plan = experiment.plan("cifar10", "vgg11-seed2")
    assert (plan.architecture, plan.seed, plan.train_images) == ("vgg11", 2, 25_000)
    assert plan.digest != experiment.plan("cifar10", "vgg11-seed3").digest
