"""Jobs from raw data to moments: datasets, stimuli, networks and what they respond."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convergent_learning.activations.shown import Shown
from convergent_learning.config.experiment import IDENTITY, Condition, Network, Sample
from convergent_learning.config.jobs import Files, Job, sample_wildcards
from convergent_learning.stimuli.user_sets import UserSet

_DECODING_THREADS = 8


class NetworkJobs(Files):
    """Jobs whose work is on images and networks."""

    def dataset(self, dataset: str) -> Job:
        entry = self.experiment.dataset(dataset)
        # The size of the subset changes nothing in an official file; of the user's own data it is
        # compared with what is there.
        kept = {"train_images"} if entry.layout is None else set()
        given = {key: value for key, value in entry.dump().items() if key not in kept}
        return Job(
            "dataset",
            "dataset",
            {"dataset": dataset},
            outputs=[self.dataset_file(dataset)],
            params={"entry": given},
            dataset=dataset,
            # Image files are decoded by several threads, arrays read by one.
            threads=_DECODING_THREADS if entry.layout == "imagefolder" else 1,
        )

    def stimuli(self, dataset: str) -> Iterator[Job]:
        yield Job(
            "identity_stimuli",
            "stimuli",
            {"dataset": dataset},
            {"dataset": [self.dataset_file(dataset)]},
            [self.stimulus_set(dataset, IDENTITY)],
            {"images": self.experiment.config.stimuli.images, "seed": self.experiment.seed},
            dataset=dataset,
        )
        own = {user_set.stimuli: user_set for user_set in self.experiment.user_sets}
        for condition in self.experiment.conditions:
            yield self._condition_stimuli(dataset, condition, own.get(condition.stimuli))

    def _condition_stimuli(
        self, dataset: str, condition: Condition, user_set: UserSet | None
    ) -> Job:
        wildcards = {"dataset": dataset}
        inputs = {"identity": [self.stimulus_set(dataset, IDENTITY)]}
        params: dict[str, Any]
        if user_set is None:
            rule = "condition_stimuli"
            wildcards |= {"family": condition.stimuli, "level": condition.level}
            inputs["dataset"] = [self.dataset_file(dataset)]
            params = {"seed": self.experiment.seed}
        else:
            rule = "user_stimuli"
            wildcards["user_slug"] = condition.slug
            inputs["sources"] = user_set.sources
            params = {"user_condition": (user_set, condition.level)}
        outputs, samples = [self.stimulus_set(dataset, condition)], [Sample(condition, 0)]
        return Job(
            rule, "stimuli", wildcards, inputs, outputs, params, dataset=dataset, samples=samples
        )

    def trainings(self, dataset: str) -> Iterator[Job]:
        for networks in self.experiment.trainings():
            plans = [self.experiment.plan(dataset, network) for network in networks]
            folders = [self.network_folder(dataset, network) for network in networks]
            yield Job(
                f"train_{dataset}_{networks[0].name}",
                "training",
                {},
                {"dataset": [self.dataset_file(dataset)]},
                [
                    f"{folder}/{product}"
                    for folder, plan in zip(folders, plans, strict=True)
                    for product in plan.products
                ],
                {
                    "plans": plans,
                    "folders": folders,
                    "state": self.paths.training_state.format(dataset=dataset),
                },
                f"train/{dataset}/{networks[0].name}",
                dataset,
                networks,
                threads=self.experiment.config.training.threads * len(networks),
            )
        for network in self.experiment.networks:
            if network.pretrained is None:
                continue
            yield Job(
                "pretrained",
                "training",
                {"dataset": dataset, "network": network.name},
                {"files": network.pretrained.files},
                [self.paths.description.format(dataset=dataset, network=network.name)],
                {
                    "pretrained": network.pretrained,
                    "layers": self.experiment.layers(dataset, network.group),
                    "image_size": self.experiment.dataset(dataset).info.side,
                },
                dataset=dataset,
                networks=[network],
            )

    def activations(self, dataset: str, sample: Sample) -> Job:
        networks = self.experiment.at(dataset, sample.step)
        trained = [
            self.checkpoint(dataset, network, sample.step)
            for network in networks
            if network.pretrained is None
        ]
        described = [
            self.paths.description.format(dataset=dataset, network=network.name)
            for network in networks
            if network.pretrained is not None
        ]
        wildcards = sample_wildcards(dataset, sample)
        return Job(
            "activations",
            "activations",
            wildcards,
            {
                "checkpoints": trained,
                "pretrained": described,
                "dataset": [self.dataset_file(dataset)],
                "stimuli": [self.stimulus_set(dataset, sample.condition)],
            },
            [self.paths.activations.format(**wildcards), self.paths.accuracy.format(**wildcards)],
            {"networks": [self._shown(dataset, network, sample.step) for network in networks]},
            dataset=dataset,
            networks=networks,
            samples=[sample],
        )

    def moments(self, dataset: str, sample: Sample) -> Job:
        networks = self.experiment.at(dataset, sample.step)
        wildcards = sample_wildcards(dataset, sample)
        return Job(
            "moments",
            "moments",
            wildcards,
            {"activations": [self.paths.activations.format(**wildcards)]},
            [self.paths.moments.format(**wildcards)],
            {
                "networks": [network.name for network in networks],
                "mapped": [network.name for network in self.experiment.mapped(dataset, sample)],
            },
            dataset=dataset,
            networks=networks,
            samples=[sample],
        )

    def _shown(self, dataset: str, network: Network, step: int) -> Shown:
        layers = self.experiment.layers(dataset, network.group)
        source = network.pretrained or (
            self.checkpoint(dataset, network, step),
            self.experiment.plan(dataset, network),
        )
        return Shown(network.group, network.seed, layers, source)
