"""What networks are trained on, and for."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional

from convergent_learning.config.checks import checked
from convergent_learning.config.errors import ConfigError
from convergent_learning.config.overlay import resolved_config
from convergent_learning.datasets.canonical import read_split
from convergent_learning.networks.checkpoints import load_checkpoint
from convergent_learning.training import loop, objectives, probe
from convergent_learning.training.data import Batches
from convergent_learning.training.labels import LABELS
from convergent_learning.training.pixels import IMAGES, trained_on
from convergent_learning.training.probe import classifier, features, fit_probe

CPU = torch.device("cpu")
FREE_OF_LABELS = [{"objective": "simclr"}, {"objective": "moco", "queue": 100}]


def made(plan, digits, out, **changes):
    plan = dataclasses.replace(plan, precision="float32", **changes)
    loop.train(plan, digits, out, out.with_name(out.name + " state"))
    return plan


def weights(folder, step):
    return load_checkpoint(folder / f"step{step}.safetensors", CPU).weights_digest


def test_shuffled_labels_are_the_same_labels_for_every_network():
    labels = np.repeat(np.arange(10), 50)
    shuffled = LABELS["shuffled"](labels, 3)
    np.testing.assert_array_equal(np.bincount(shuffled), np.bincount(labels))
    np.testing.assert_array_equal(shuffled, LABELS["shuffled"](labels, 3))
    assert (shuffled == labels).mean() < 0.2
    assert (shuffled == LABELS["shuffled"](labels, 4)).mean() < 0.2
    assert LABELS["true"](labels, 3) is labels


def test_noise_is_uniform_and_belongs_to_its_row():
    images = np.zeros((20, 8, 8, 3), np.uint8)
    noise = IMAGES["noise"](images, 3)
    assert 120 < noise.mean() < 135
    np.testing.assert_array_equal(noise[:5], IMAGES["noise"](images[:5], 3))
    assert (noise[0] != noise[1]).any()
    assert (noise != IMAGES["noise"](images, 4)).any()


def test_images_of_a_family_keep_its_definition(digits):
    images = read_split(digits, "train").images[:10]
    scrambled = trained_on("phase_scrambling 180", images, 0)
    assert scrambled.shape == images.shape
    assert (scrambled != images).any()
    with pytest.raises(ValueError, match="'blur' is none of"):
        trained_on("blur", images, 0)


@pytest.mark.parametrize(
    "changes",
    [{"labels": "shuffled"}, {"images": "noise"}, {"images": "contrast 10"}, *FREE_OF_LABELS],
    ids=lambda changes: next(iter(changes.values())),
)
def test_networks_that_differ_in_what_they_learn_start_alike(plan, digits, tmp_path, changes):
    plan = made(plan, digits, tmp_path / "supervised")
    other = made(plan, digits, tmp_path / "other", **changes)
    assert plan.digest != other.digest
    first, last = (
        [
            load_checkpoint(tmp_path / name / f"step{step}.safetensors", CPU).network.state_dict()
            for name in ("supervised", "other")
        ]
        for step in (0, plan.steps)
    )
    own = [name for name in first[0] if not name.startswith("classifier")]
    assert all(torch.equal(first[0][name], first[1][name]) for name in own)
    assert not all(torch.equal(last[0][name], last[1][name]) for name in own)


@pytest.mark.parametrize("changes", FREE_OF_LABELS, ids=["simclr", "moco"])
def test_an_interrupted_run_ends_with_the_same_weights(
    plan, digits, tmp_path, monkeypatch, changes
):
    plan = made(plan, digits, tmp_path / "whole", **changes)
    optimise = loop.Run._optimise

    def stop(run, step):
        if step == 4:
            run._save()
            raise KeyboardInterrupt
        optimise(run, step)

    monkeypatch.setattr(loop.Run, "_optimise", stop)
    with pytest.raises(KeyboardInterrupt):
        made(plan, digits, tmp_path / "resumed", **changes)
    monkeypatch.setattr(loop.Run, "_optimise", optimise)
    made(plan, digits, tmp_path / "resumed", **changes)
    for step in plan.checkpoint_steps:
        assert weights(tmp_path / "resumed", step) == weights(tmp_path / "whole", step)


def test_views_are_of_the_batch_and_drawn_from_the_step(plan, digits):
    split = read_split(digits, "train", 320)
    data = Batches(split, plan, CPU)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10))
    simclr = objectives.objective("simclr")(network, data, plan, lambda: torch.enable_grad())
    one, other = simclr.views(3)
    assert one.shape == other.shape == data.training(3)[0].shape
    assert not torch.equal(one, other)
    again, _ = simclr.views(3)
    assert torch.equal(one, again)
    assert not torch.equal(one, simclr.views(4)[0])
    # A view is nearer to its own image than to the others, on the whole.
    images = data.normalised(data.pixels(3))
    small = [functional.adaptive_avg_pool2d(x, 4).flatten(1) for x in (images, one)]
    distances = torch.cdist(small[1], small[0])
    assert distances.diagonal().mean() < 0.95 * distances.mean()


def test_a_probe_reads_classes_from_features(plan, digits):
    split = read_split(digits, "train", 320)
    data = Batches(split, plan, CPU)
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10))
    before = network[1].weight.clone()
    accuracy = fit_probe(network, data, seed=0)
    assert accuracy > 0.98
    images, labels = data.evaluation(0, 320)
    assert (network(images).argmax(1) == labels).float().mean().item() == pytest.approx(accuracy)
    assert not torch.equal(network[1].weight, before)
    assert classifier(network) is network[1]
    assert features(network, images).shape == (320, 3 * 32 * 32)


def test_a_probe_of_many_images_sees_all_classes(plan, digits, monkeypatch):
    """Image folders list their files by class."""
    split = read_split(digits, "train", 320)
    order = np.argsort(split.labels, kind="stable")
    split = dataclasses.replace(split, images=split.images[order], labels=split.labels[order])
    monkeypatch.setattr(probe, "PROBED", 40)
    data = Batches(split, plan, CPU)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 32 * 32, 10))
    fit_probe(network, data, seed=0)
    images, labels = data.evaluation(0, 320)
    assert (network(images).argmax(1) == labels).float().mean() > 0.6


def test_curves_of_a_network_without_classes_are_its_probe_s(plan, digits, tmp_path):
    made(plan, digits, tmp_path / "out", train_images=640, objective="simclr")
    epochs = pd.read_csv(tmp_path / "out/epochs.csv")
    assert epochs.train_accuracy.notna().all()
    assert (epochs.test_accuracy > 0.5).all()
    assert epochs.train_loss.iloc[-1] < np.log(2 * 64)


def test_an_objective_is_added_by_a_file(plan, digits, tmp_path, monkeypatch):
    (tmp_path / "brightness.py").write_text(
        "from convergent_learning.training.objectives._base import BaseObjective\n"
        "class Objective(BaseObjective):\n"
        "    def forward(self, step):\n"
        "        images, _ = self.data.training(step)\n"
        "        told = self.network(images)[:, 0]\n"
        "        missed = (told - images.mean((1, 2, 3))) ** 2\n"
        "        return missed.mean(), (missed < 0.1).float().mean()\n"
    )
    monkeypatch.setattr(objectives, "__path__", [*objectives.__path__, str(tmp_path)])
    assert "brightness" in objectives.objectives()
    made(plan, digits, tmp_path / "out", objective="brightness", epochs=4, learning_rate=1e-3)
    losses = pd.read_csv(tmp_path / "out/steps.csv").loss
    assert losses[-5:].mean() < losses[:5].mean()


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"labels": "wrong"}, r"labels.*wrong.*shuffled"),
        ({"images": "grey"}, r"images.*grey.*natural"),
        ({"images": {"family": "contrats", "level": 10}}, r"images\.family.*contrats.*contrast"),
        ({"images": {"family": "contrast", "level": 11.5}}, r"images\.level.*11\.5"),
        ({"images": 3}, r"images.*is not `natural`"),
        ({"objective": "byol"}, r"objective.*byol.*simclr"),
        ({"objective": "simclr", "labels": "shuffled"}, r"simclr uses no labels"),
        ({"objective": "none", "labels": "shuffled"}, r"none uses no labels"),
        ({"schedule": "step"}, r"milestones: without any, the schedule `step` never lowers"),
        ({"objective": "moco", "queue": 8}, r"queue: 8 keys are fewer than a batch; use 64"),
    ],
)
def test_what_no_training_knows_is_refused_with_the_config(training, said):
    config = resolved_config("smoke")
    config["networks"][0] |= {"name": "odd", "training": training}
    with pytest.raises(ConfigError, match=said):
        checked(config)


def test_true_labels_may_be_written_as_a_boolean():
    config = resolved_config("smoke")
    for given in (True, "true"):
        config["training"]["labels"] = given
        assert checked(config).training.labels_name == "true"
