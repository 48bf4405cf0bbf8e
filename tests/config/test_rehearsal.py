"""The rehearsal has all that the study's scale has, and the study's scale can be paid for."""

from pathlib import Path

import pytest

from convergent_learning.config.costs import Costs
from convergent_learning.config.design import Design
from convergent_learning.config.overlay import experiment_named, resolved_config
from convergent_learning.config.sizes import Sizes

ROOT = Path(__file__).parents[2]


def design(name):
    return Design(experiment_named(name, ROOT))


def structure(jobs):
    """Rules, with the blocks and the groups that their jobs are about."""
    return {
        (
            job.stage if job.rule.startswith("train_") else job.rule,
            job.wildcards.get("block", ""),
            tuple(dict.fromkeys(network.group for network in job.networks)),
        )
        for job in jobs
    }


def test_the_rehearsal_has_the_structure_of_the_large_run():
    assert structure(design("rehearsal").jobs) == structure(design("paper-cifar").jobs)
    rehearsed, large = (resolved_config(name, ROOT) for name in ("rehearsal", "paper-cifar"))
    assert [n["architecture"] for n in rehearsed["networks"]] == [
        n["architecture"] for n in large["networks"]
    ]
    assert rehearsed["keep_moments"] is large["keep_moments"] is False
    for key in ("map_seeds", "partners", "networks_per_job"):
        assert rehearsed["alignment"][key], key
        assert large["alignment"][key], key
    assert min(len(network["seeds"]) for network in rehearsed["networks"]) == 5


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    plan = design("paper-cifar")
    return Costs(plan, Sizes(plan.experiment, tmp_path_factory.mktemp("sizes") / "sizes.json"))


@pytest.mark.slow
def test_the_large_run_can_be_paid_for(large):
    jobs = large.design.jobs
    on_processors = sum(large.without_gpu(job).get("scores", 0.0) for job in jobs) / 3600
    on_gpus = sum(large.parts(job).get("scores", 0.0) for job in jobs) / 3600
    assert on_processors <= 1_200
    assert on_gpus <= 25
    assert sum(large.work(job).disk for job in jobs) <= 400e9
    assert max(large.megabytes(job) for job in jobs) <= 32e3
    assert max(large.seconds(job) for job in jobs) <= 6 * 3600
    assert len(jobs) <= 12_000
