from pathlib import Path

import yaml

from convergent_learning.experiment import Experiment

DEFAULT = yaml.safe_load((Path(__file__).parents[1] / "config.yaml").read_text())


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
