import copy
import itertools
import json
from collections import Counter
from pathlib import Path

import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from convergent_learning.config.block_jobs import BlockJobs
from convergent_learning.config.design import Design
from convergent_learning.config.experiment import IDENTITY, Condition, Experiment, Sample
from convergent_learning.verify.reference import config_differences

ROOT = Path(__file__).parents[2]
DEFAULT = yaml.safe_load((ROOT / "config.yaml").read_text())
BLOCKS = ("final", "untrained", "training", "pixel_values")


def test_blocks_cover_every_checkpoint_and_condition_once():
    experiment = Experiment.of(DEFAULT)
    samples = [s.name for block in experiment.blocks("cifar10").values() for s in block]
    steps = experiment.steps("cifar10")
    expected = [f"id_step{step}" for step in steps]
    expected += [f"{condition.slug}_step{steps[-1]}" for condition in experiment.conditions]
    assert sorted(samples) == sorted(expected)
    assert len(set(samples)) == len(samples)


def test_a_plan_holds_what_the_config_says():
    experiment = Experiment.of(DEFAULT)
    networks = {network.name: network for network in experiment.networks}
    plan = experiment.plan("cifar10", networks["vgg11-seed2"])
    assert (plan.architecture, plan.seed, plan.train_images) == ("vgg11", 2, 25_000)
    assert plan.digest != experiment.plan("cifar10", networks["vgg11-seed3"]).digest


def test_where_no_training_goes_on_nothing_is_shown_but_at_the_end():
    config = copy.deepcopy(DEFAULT)
    config["networks"][1]["training"] = {"epochs": 2, "checkpoints": ["1"]}
    config["training"]["checkpoints"] = ["1", "3"]
    experiment = Experiment.of(config)
    assert experiment.last_step("cifar10", "vgg11") == 780
    assert experiment.steps("cifar10") == [0, 390, 1170, 1560]
    for block, samples in experiment.blocks("cifar10").items():
        for tile in experiment.tiles("cifar10", block):
            assert all(experiment.shown("cifar10", s, tile).networks for s in samples)


def test_a_tile_has_jobs_for_the_samples_that_it_has_networks_at():
    config = copy.deepcopy(DEFAULT)
    config["training"]["checkpoints"] = ["1", "3"]
    config["networks"][1]["training"] = {"checkpoints": ["2"]}
    config["alignment"]["networks_per_job"] = 3
    jobs = BlockJobs(Experiment.of(config))
    samples = jobs.experiment.blocks("cifar10")["training"]
    shown = {
        job.tile.name: {sample.step for sample in job.samples}
        for job in jobs.of_block("cifar10", "training", samples)
    }
    assert shown == {"_resnet18-1+resnet18-1": {390, 1170}, "_vgg11-1+vgg11-1": {780}}


def test_a_network_may_be_trained_in_its_own_way():
    config = copy.deepcopy(DEFAULT)
    config["networks"][1]["training"] = {"optimizer": "adamw", "learning_rate": 0.001}
    experiment = Experiment.of(config)
    plans = [experiment.plan("cifar10", network) for network in experiment.networks]
    assert {(plan.architecture, plan.optimizer, plan.learning_rate) for plan in plans} == {
        ("resnet18", "sgd", 0.1),
        ("vgg11", "adamw", 0.001),
    }


def test_trainings_that_share_a_gpu_are_of_one_architecture():
    config = copy.deepcopy(DEFAULT)
    config["training"]["trainings_per_gpu"] = 2
    jobs = [[network.name for network in job] for job in Experiment.of(config).trainings()]
    assert jobs[:2] == [["resnet18-seed1", "resnet18-seed2"], ["resnet18-seed3"]]
    assert len(jobs) == 4


PUBLISHED = {"architecture": "resnet50", "weights": "IMAGENET1K_V1", "seeds": [1]}


def test_a_pretrained_network_joins_the_final_checkpoints_only():
    config = copy.deepcopy(DEFAULT)
    config["networks"].append(PUBLISHED)
    experiment = Experiment.of(config)
    first, *_, last = experiment.steps("cifar10")
    assert experiment.at("cifar10", first) == experiment.trained
    assert experiment.at("cifar10", last)[-1].name == "resnet50-seed1"
    assert len(experiment.trained) == 6
    assert "layer4.2.relu_2" in [layer.name for layer in experiment.layers("cifar10", "resnet50")]


def test_an_experiment_without_training_has_one_step_and_nothing_untrained():
    experiment = Experiment.of(DEFAULT | {"networks": [PUBLISHED]})
    assert experiment.steps("cifar10") == [0]
    assert "untrained" not in experiment.blocks("cifar10")


def test_maps_may_be_of_the_first_seeds_only():
    config = copy.deepcopy(DEFAULT)
    config["alignment"]["map_seeds"] = 2
    experiment = Experiment.of(config)
    first, *_, last = experiment.steps("cifar10")
    names = [network.name for network in experiment.mapped("cifar10", Sample(IDENTITY, last))]
    assert names == ["resnet18-seed1", "resnet18-seed2", "vgg11-seed1", "vgg11-seed2"]
    assert experiment.mapped("cifar10", Sample(Condition("contrast", "50"), last)) == []
    assert len(Experiment.of(DEFAULT).mapped("cifar10", Sample(IDENTITY, first))) == 6


@given(
    seeds=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    per_job=st.none() | st.integers(1, 6),
    map_seeds=st.none() | st.integers(2, 5),
    block=st.sampled_from(BLOCKS),
)
def test_jobs_of_a_block_hold_every_pair_once(seeds, per_job, map_seeds, block):
    experiment = experiment_of(seeds, networks_per_job=per_job, map_seeds=map_seeds)
    sample = experiment.blocks("cifar10")[block][0]
    mapped = {network.name for network in experiment.mapped("cifar10", sample)}
    expected = {
        frozenset((x.name, y.name))
        for x, y in itertools.combinations(experiment.networks, 2)
        if x.group == y.group or mapped >= {x.name, y.name}
    }
    assert pairs_of_jobs(experiment, block) == expected


@given(
    seeds=st.tuples(st.integers(1, 10), st.integers(1, 10)),
    partners=st.integers(2, 10),
    per_job=st.none() | st.integers(1, 6),
    block=st.sampled_from(BLOCKS),
)
def test_jobs_hold_every_pair_of_partners_once(seeds, partners, per_job, block):
    assume(partners % 2 == 0 or all(partners >= n - 1 or n % 2 == 0 for n in seeds))
    map_seeds = max(2, partners // 2 + 1)
    experiment = experiment_of(
        seeds, networks_per_job=per_job, map_seeds=map_seeds, partners=partners
    )
    sample = experiment.blocks("cifar10")[block][0]
    mapped = {network.name for network in experiment.mapped("cifar10", sample)}
    found = pairs_of_jobs(experiment, block)
    within = Counter()
    for x, y in itertools.combinations(experiment.networks, 2):
        compared = frozenset((x.name, y.name)) in found
        if mapped >= {x.name, y.name}:
            assert compared
        if x.group == y.group:
            within.update([x.name, y.name] if compared else [])
        elif not mapped >= {x.name, y.name}:
            assert not compared
    sizes = dict(zip(experiment.groups, seeds, strict=True))
    assert all(
        within[network.name] == min(partners, sizes[network.group] - 1)
        for network in experiment.networks
    )


def test_jobs_of_some_partners_are_few_and_full():
    """Networks that are compared stand beside each other, and so are in the same jobs."""
    every = experiment_of((10, 1), networks_per_job=2, map_seeds=3)
    some = experiment_of((10, 1), networks_per_job=2, map_seeds=3, partners=4)
    counts = [len(e.tiles("cifar10", "pixel_values")) for e in (every, some)]
    assert counts == [15 + 1, 10 + 1]


def experiment_of(seeds, **alignment):
    """The default experiment with so many networks of each group."""
    config = copy.deepcopy(DEFAULT)
    for entry, count in zip(config["networks"], seeds, strict=True):
        entry["seeds"] = list(range(1, count + 1))
    config["alignment"] |= alignment
    return Experiment.of(config)


def pairs_of_jobs(experiment, block):
    """Names of the pairs that the jobs of a block hold, after a look at the jobs."""
    tiles = experiment.tiles("cifar10", block)
    found = [frozenset((x.name, y.name)) for tile in tiles for x, y in tile]
    assert len(found) == len(set(found))
    assert len({tile.name for tile in tiles}) == len(tiles)
    shown = {network.name for tile in tiles for network in tile.networks}
    assert shown == {network.name for network in experiment.networks}
    per_job = experiment.config.alignment.networks_per_job
    if per_job is not None:
        for tile in tiles:
            assert tile.pairs or len(tile.networks) == 1
            assert {network for pair in tile for network in pair} in (set(), {*tile.networks})
            assert len(tile.networks) <= 2 * per_job
    return set(found)


def test_groups_of_one_architecture_are_compared_in_distribution():
    """But not networks of one seed, which start from the same weights."""
    config = copy.deepcopy(DEFAULT)
    own = {"architecture": "resnet18", "width": 0.25, "layers": "default"}
    config["networks"] = [
        own | {"seeds": [1, 2]},
        own | {"name": "shuffled", "seeds": [2, 3], "training": {"labels": "shuffled"}},
        own | {"name": "narrow", "width": 0.125, "seeds": [4, 5]},
    ]
    config["alignment"]["map_seeds"] = 2
    experiment = Experiment.of(config)
    across = {
        block: {
            (x.name, y.name) for x, y in experiment.tiles("cifar10", block)[0] if x.group != y.group
        }
        for block in BLOCKS
    }
    first, second = ("resnet18-seed1", "resnet18-seed2"), ("shuffled-seed2", "shuffled-seed3")
    alike = {*itertools.product(first, second)} - {(first[1], second[0])}
    assert across["training"] == alike
    assert across["pixel_values"] == set()
    assert across["final"] == across["untrained"]
    assert alike < across["final"]


def test_groups_that_train_for_longer_go_on_alone():
    """At the last step all stand at their own last one; between, who has ended meets the others."""
    config = copy.deepcopy(DEFAULT)
    own = {"architecture": "resnet18", "width": 0.25, "layers": "default"}
    longer = {"epochs": 6, "checkpoints": ["1", "4", "5"]}
    config["networks"] = [
        own | {"seeds": [1, 2]},
        own | {"name": "longer", "seeds": [3, 4], "training": longer},
    ]
    experiment = Experiment.of(config)
    assert experiment.steps_of("cifar10", "resnet18")[-1] == 1560
    assert experiment.steps_of("cifar10", "longer") == [0, 390, 1560, 1950, 2340]
    assert experiment.steps("cifar10")[-3:] == [1560, 1950, 2340]
    [tile] = experiment.tiles("cifar10", "training")

    def pairs(step):
        there = experiment.shown("cifar10", Sample(IDENTITY, step), tile)
        assert {n for pair in there.pairs for n in pair} == set(there.networks)
        return {frozenset((x.group, y.group)) for x, y in there}

    within, across = {frozenset(("longer",))}, {frozenset(("resnet18", "longer"))}
    assert pairs(390) == within | across | {frozenset(("resnet18",))}
    assert pairs(780) == {frozenset(("resnet18",))}
    assert pairs(1560) == within | across
    assert pairs(1950) == within
    assert pairs(2340) == pairs(390)


def test_the_committed_reference_is_one_of_the_config():
    """Though it is older than some keys: figures are drawn from it, reruns compared with it."""
    reference = ROOT / "results/reference/cifar10"
    old = json.loads((reference / "config.json").read_text())
    assert Experiment.of(old).networks == Experiment.of(DEFAULT).networks
    assert config_differences(reference, DEFAULT) == []


@given(
    seeds=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    per_job=st.none() | st.integers(1, 4),
    map_seeds=st.none() | st.integers(2, 4),
    kept=st.booleans(),
)
def test_whatever_a_job_reads_of_the_results_another_job_makes(seeds, per_job, map_seeds, kept):
    config = copy.deepcopy(DEFAULT) | {"keep_moments": kept}
    for entry, count in zip(config["networks"], seeds, strict=True):
        entry["seeds"] = list(range(1, count + 1))
    config["alignment"] |= {"networks_per_job": per_job, "map_seeds": map_seeds}
    jobs = Design(Experiment.of(config)).jobs
    made = {path for job in jobs for path in job.outputs}
    read = {path for job in jobs for paths in job.inputs.values() for path in paths}
    assert {path for path in read if path.startswith(f"results/{config['experiment']}/")} <= made


def test_groups_that_come_as_activations_are_of_one_architecture_if_their_files_are():
    config = copy.deepcopy(DEFAULT)
    files = ["ours/{seed}_{condition}.h5", "ours/{seed}_{condition}.h5", "other/{seed}.h5"]
    own = {"architecture": "resnet18", "layers": "default", "seeds": [1]}
    config["networks"] = [
        own | {"name": name, "activations": file} for name, file in zip("abc", files, strict=True)
    ]
    experiment = Experiment.of(config)
    assert experiment.are_alike("a", "b")
    assert not experiment.are_alike("a", "c")


def test_a_networks_own_way_to_train_is_compared_by_every_key(tmp_path):
    config = copy.deepcopy(DEFAULT)
    config["training"] |= {"objective": "simclr"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    config["networks"][0]["training"] = {"objective": "supervised"}
    [difference] = config_differences(tmp_path, config)
    assert "networks" in difference
