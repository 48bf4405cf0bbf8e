import copy
import math
from pathlib import Path

import numpy as np
import pytest
import yaml

from convergent_learning.alignment import save_activations
from convergent_learning.config.checks import checked
from convergent_learning.config.errors import ConfigError
from convergent_learning.config.experiment import Experiment

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())


def entry(folder, **keys):
    return {"name": "photos", "layout": "imagefolder", "path": str(folder)} | keys


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
    checked(DEFAULT)


def test_calibration_needs_pairs_within_a_group():
    config = changed("alignment.shuffles", 19)
    checked(config)
    for network in config["networks"]:
        network["seeds"] = [1]
    with pytest.raises(ConfigError, match=r"alignment\.shuffles: .* no group has two seeds"):
        checked(config)


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
        ("experiment", "datasets", ["experiment: 'datasets' is a folder of results/"]),
        ("experiment", "recordings", ["experiment: 'recordings' is a folder of results/"]),
        (
            "recordings",
            [{"name": "contrast", "layout": "responses", "source": "nowhere.npz"}],
            ["recordings[0].source", "nowhere.npz"],
        ),
        ("recordings", [{"name": "a b"}], ["recordings[0].name", "'a b'"]),
        ("recordings", [{"name": "mine"}], ["recordings[0].name", "`layout`"]),
        ("networks.1.architecture", "alexnet", ["networks[1].architecture", "alexnet", "resnet18"]),
        ("networks.1.architecture", "resnet18", ["networks[1].architecture", "listed twice"]),
        (
            "networks.0.layers",
            ["relu", "layer9"],
            ["networks[0].layers", "layer9", "layer4"],
        ),
        ("networks.0.layers", ["fc", "relu"], ["networks[0].layers", "depth order"]),
        ("networks.0.layers", ["fc", {"name": "fc"}], ["networks[0].layers: 'fc' is listed twice"]),
        ("networks.0.layers", ["relu:first"], ["networks[0].layers[0]", "'relu:first'", ":5-"]),
        ("networks.0.layers", [{"name": 3}], ["networks[0].layers[0].name: 3", "name of a layer"]),
        ("networks.0.layers", [{"role": "block"}], ["networks[0].layers[0].name", "missing"]),
        (
            "networks.0.layers",
            [{"name": "relu", "layout": "hwc"}],
            ["networks[0].layers[0].layout", "'hwc'", "nhwc"],
        ),
        ("networks.0.reader", "hooks", ["networks[0].reader: only for a network with"]),
        ("alignment.metrics", ["linear", "rsa"], ["alignment.metrics[1]", "rsa", "procrustes"]),
        ("alignment.folds", 2, ["alignment.folds", "ridge: cv"]),
        ("alignment.ridge", "lasso", ["alignment.ridge", "lasso", "`cv` or a number"]),
        ("alignment.shuffles", 0, ["alignment.shuffles: 0 should be greater than or equal to 1"]),
        ("alignment.shuffles", -1, ["alignment.shuffles: -1", "greater than or equal to 1"]),
        ("alignment.shuffles", 99.0, ["alignment.shuffles: 99.0 is not an integer"]),
        ("alignment.shuffles", 18, ["alignment.shuffles: with 18 no p", "use 19 or more", "or 1"]),
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
        ("datasets.0.name", "mnist", ["datasets[0].name", "mnist", "cifar10, cifar100", "layout"]),
        ("datasets.0", {"name": "mine", "layout": "cifar100"}, ["datasets[0].source", "needs it"]),
        (
            "datasets.0",
            {"name": "cifar10", "layout": "cifar10", "source": "x", "train_images": 100},
            ["datasets[0].name", "official"],
        ),
        ("datasets.0.image_size", 64, ["datasets[0].image_size", "imagefolder"]),
        ("networks.0.mean", [0.5] * 3, ["networks[0].mean", "factory"]),
        (
            "networks.0.training",
            {"batch_size": 9},
            ["networks[0].training", "batch_size", "optimizer"],
        ),
        (
            "networks.0.training",
            {"epochs": 2},
            ["networks (resnet18): training.checkpoints", "'3'", "2 epochs"],
        ),
        ("networks.0", {"architecture": "resnet18", "seeds": [1]}, ["networks[0].width"]),
        (
            "networks.0",
            {"architecture": "mine", "factory": "nowhere:f", "seeds": [1], "layers": ["a"]},
            ["networks[0].factory", "no module 'nowhere'", "PYTHONPATH"],
        ),
        (
            "networks.0",
            {"architecture": "mine", "factory": "math:f", "seeds": [1], "weights": "no.pt"},
            ["networks[0].layers: list", "networks[0].weights: there is no file no.pt"],
        ),
        (
            "networks.0",
            {"architecture": "resnet50", "weights": "IMAGENET1K_V1", "seeds": [1, 2], "width": 1},
            ["networks[0].seeds", "one seed", "networks[0].width"],
        ),
        ("datasets.0.train_images", 10**6, ["datasets[0].train_images", "50000"]),
        ("training.checkpoints", ["1", "9"], ["training.checkpoints", "'9'", "4 epochs"]),
        ("training.checkpoints", ["1", "1"], ["training.checkpoints[1]: '1' is listed twice"]),
        ("training.checkpoints", ["1/2", 0.5], ["training.checkpoints[1]: '0.5' is listed twice"]),
        ("training.checkpoints", ["1e999999999"], ["training.checkpoints[0]", "an epoch such as"]),
        (
            "networks.0.training",
            {"checkpoints": ["9 steps", "9 steps"]},
            ["networks (resnet18): training.checkpoints[1]: '9 steps' is listed twice"],
        ),
        ("training.epochs", 5.0, ["training.epochs: 5.0 is not an integer"]),
        ("training.learning_rate", math.nan, ["training.learning_rate: nan", "finite number"]),
        ("training.weight_decay", math.inf, ["training.weight_decay: inf", "finite number"]),
        ("training.crop_padding", 1000, ["training.crop_padding: 1000", "32 pixels of cifar10"]),
        (
            "networks.0.training",
            {"crop_padding": 33},
            ["networks (resnet18): training.crop_padding: 33", "32 pixels of cifar10"],
        ),
        ("activations.positions", 10**20, ["activations.positions: 1000", "up to 10⁹"]),
        ("networks.0.width", 1e6, ["networks[0].width: 1000000.0", "less than or equal to 64"]),
        ("networks.0.seeds", [2**63], ["networks[0].seeds[0]: 9223372036854775808"]),
        ("seed", 2**63, ["seed: 9223372036854775808", "less than or equal to"]),
        pytest.param(
            "training.epochs",
            16**5000,
            ["training.epochs: an integer of thousands of digits"],
            id="thousands of digits",
        ),
        ("networks.0.mean", [math.nan, 0, 0], ["networks[0].mean[0]: nan", "finite number"]),
        ("experiment", "x" * 300, ["experiment: 'xxx", "...", "should match"]),
        ("stimuli.sets", [entry("x" * 300)], ["stimuli.sets[].path: 'xxx", "File name too long"]),
    ],
)
def test_bad_input_is_named_with_what_is_allowed(path, value, named):
    with pytest.raises(ConfigError) as caught:
        checked(changed(path, value))
    for text in named:
        assert text in str(caught.value)


def test_layers_of_activation_files_are_listed_in_their_order(tmp_path):
    arrays = {name: np.ones((3, 2), np.float32) for name in ("early", "late")}
    save_activations(tmp_path / "mine.h5", arrays)
    mine = {"architecture": "mine", "seeds": [1], "activations": str(tmp_path / "mine.h5")}
    checked(changed("networks.0", mine | {"layers": ["early", "late"]}))
    with pytest.raises(ConfigError, match=r"networks\[0\].layers: not in depth order.*early, late"):
        checked(changed("networks.0", mine | {"layers": ["late", "early"]}))


@pytest.fixture
def brought(tmp_path):
    """Two folders that `stimuli.sets` may name: ten images by class, and a corruption."""
    for i in range(10):
        path = tmp_path / f"photos/cat/{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "corrupted").mkdir()
    write_array(tmp_path / "corrupted/fog.npy", (50_000, 32, 32, 3))
    write_array(tmp_path / "corrupted/labels.npy", (50_000,))
    return tmp_path


def write_array(path, shape, dtype=np.uint8):
    """Zeros, which take no room on the disk."""
    np.lib.format.open_memmap(path, "w+", dtype, shape)


def test_user_sets_become_conditions_after_the_families(brought):
    fog = entry(brought / "corrupted", name="fog", layout="cifar-c", severities=[5, 1])
    config = changed("stimuli.sets", [entry(brought / "photos", resize=40), fog])
    checked(config)
    experiment = Experiment.of(config)
    slugs = [condition.slug for condition in experiment.conditions]
    assert slugs[-3:] == ["photos", "corruption_fog-1", "corruption_fog-5"]
    assert experiment.stimuli()[-2:] == ["photos", "corruption_fog"]
    assert "photos" not in experiment.paired()
    assert {"contrast", "corruption_fog"} <= set(experiment.paired())
    assert len(experiment.blocks("cifar10")["corruption_fog"]) == 2


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"path": "nowhere"}, ["stimuli.sets[0].path", "no folder", "nowhere", "correct the path"]),
        ({"name": "contrast"}, ["stimuli.sets[0].name", "'contrast'", "choose another"]),
        ({"name": "final"}, ["stimuli.sets[0].name", "'final'"]),
        ({"name": "a-b"}, ["stimuli.sets[0].name", "'a-b'"]),
        ({"layout": "flat"}, ["stimuli.sets[0].layout", "'flat'", "imagefolder", "cifar-c"]),
        ({"resize": 16}, ["stimuli.sets[0].resize", "16", "32 pixels of cifar10"]),
        ({"severities": [1]}, ["stimuli.sets[0].severities", "imagefolder"]),
        ({"size": 32}, ["stimuli.sets[0]: unknown key size", "severities"]),
        (
            {"name": "fog", "layout": "cifar-c", "severities": [1, 6]},
            ["stimuli.sets[0].severities[1]", "6", "5"],
        ),
        (
            {"name": "snow", "layout": "cifar-c", "path": "corrupted"},
            ["stimuli.sets[0].path", "snow.npy", "fog.npy"],
        ),
        ({"layout": "geirhos"}, ["stimuli.sets[0].path", "png is not named"]),
    ],
)
def test_a_user_set_that_cannot_be_is_named_by_its_key(keys, named, brought):
    keys = {"path": "photos"} | keys
    if keys.get("layout") == "geirhos":
        keys["conditions"] = ["0"]
    given = entry(brought / keys.pop("path"), **keys)
    with pytest.raises(ConfigError) as caught:
        checked(changed("stimuli.sets", [given]))
    for text in named:
        assert text in str(caught.value)


@pytest.mark.parametrize(
    ("name", "shape", "dtype", "named"),
    [
        ("fog", (50_000, 32, 32), np.uint8, "not (50000, 32, 32, 3) uint8"),
        ("fog", (50_000, 64, 64, 3), np.uint8, "not (50000, 32, 32, 3) uint8"),
        ("fog", (50_000, 32, 32, 3), np.float32, "float32, not (50000, 32, 32, 3) uint8"),
        ("fog", (10_000, 32, 32, 3), np.uint8, "the test images of cifar10 at five severities"),
        ("fog", (), np.uint8, "fog.npy is () uint8, not"),
        ("labels", (10_000,), np.uint8, "labels.npy is (10000,) uint8, not (50000,) integers"),
        ("labels", (50_000,), np.float32, "a label for each image of fog.npy"),
    ],
)
def test_arrays_that_cannot_be_those_of_cifar_c_are_refused(brought, name, shape, dtype, named):
    folder = brought / "corrupted"
    write_array(folder / f"{name}.npy", shape, dtype)
    with pytest.raises(ConfigError) as caught:
        checked(changed("stimuli.sets", [entry(folder, name="fog", layout="cifar-c")]))
    assert f"stimuli.sets[0].path: {folder / name}.npy is " in str(caught.value)
    assert named in str(caught.value)


def test_of_a_dataset_of_ones_own_five_severities_are_needed(brought):
    config = changed("stimuli.sets", [entry(brought / "corrupted", name="fog", layout="cifar-c")])
    own = {"name": "own", "layout": "cifar10", "source": "x", "train_images": 1000}
    checked(config | {"datasets": [own]})
    write_array(brought / "corrupted/fog.npy", (49_999, 32, 32, 3))
    write_array(brought / "corrupted/labels.npy", (49_999,))
    with pytest.raises(ConfigError, match=r"not \(5·m, 32, 32, 3\) uint8"):
        checked(config | {"datasets": [own]})


def test_an_array_file_that_is_none_is_refused(brought):
    (brought / "corrupted/fog.npy").write_bytes(b"no array")
    with pytest.raises(ConfigError, match=r"stimuli.sets\[0\].path: .*fog.npy is truncated or no"):
        checked(
            changed("stimuli.sets", [entry(brought / "corrupted", name="fog", layout="cifar-c")])
        )


def test_a_user_set_needs_a_name_of_its_own_and_two_images_a_fold(brought):
    (brought / "photos/cat/0.png").unlink()
    config = changed("stimuli.sets", [entry(brought / "photos")] * 2)
    with pytest.raises(ConfigError) as caught:
        checked(config)
    assert "stimuli.sets[1].name: 'photos' is the name of another set" in str(caught.value)
    assert "stimuli.sets[0].path" in str(caught.value)
    assert "has 9 images; alignment.folds: 5 needs 10" in str(caught.value)


def test_the_sets_in_the_documentation_lack_nothing_but_their_folders():
    text = (ROOT / "docs/stimuli.md").read_text()
    sets = yaml.safe_load(text.split("```yaml")[1].split("```")[0])["stimuli"]["sets"]
    with pytest.raises(ConfigError) as caught:
        checked(changed("stimuli.sets", sets))
    problems = str(caught.value).splitlines()[1:]
    assert [p.split(": ")[1].split(" /")[0] for p in problems] == ["no folder"] * len(sets)


def test_every_problem_is_in_one_message():
    config = changed("networks.0.layers", ["layer9"])
    config["stimuli"]["images"] = 4
    with pytest.raises(ConfigError) as caught:
        checked(config)
    assert "layer9" in str(caught.value)
    assert "stimuli.images" in str(caught.value)
