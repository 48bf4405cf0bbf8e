"""Jobs that make datasets, stimuli and networks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from convergent_learning.config.experiment import IDENTITY, Condition, Sample
from convergent_learning.config.jobs import Files, Job
from convergent_learning.config.paths import PRECISION
from convergent_learning.stimuli.user_sets import UserSet
from convergent_learning.training.plan import AUTO

_DECODING_THREADS = 8


class NetworkJobs(Files):
    """Jobs whose work is on images, and the training of networks."""

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
            {},
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
        params: dict[str, Any] = {}
        if user_set is None:
            rule = "condition_stimuli"
            wildcards |= {"family": condition.stimuli, "level": condition.level}
            inputs["dataset"] = [self.dataset_file(dataset)]
        else:
            rule = "user_stimuli"
            wildcards["user_slug"] = condition.slug
            inputs["sources"] = user_set.sources
            params = {"user_condition": (user_set, condition.level)}
        outputs, samples = [self.stimulus_set(dataset, condition)], [Sample(condition, 0)]
        return Job(
            rule, "stimuli", wildcards, inputs, outputs, params, dataset=dataset, samples=samples
        )

    def precision(self) -> Iterator[Job]:
        """What `precision: auto` means, for all trainings of whatever experiment."""
        plans = [
            self.experiment.plan(d, n)
            for d in self.experiment.datasets
            for n in self.experiment.trained
        ]
        if any(plan.precision == AUTO for plan in plans):
            yield Job("precision", "training", outputs=[PRECISION], shared=True)

    def trainings(self, dataset: str) -> Iterator[Job]:
        planned: set[str] = set()
        for together in self.experiment.trainings():
            # Groups that differ in their layers alone share their networks.
            folders = {network: self.network_folder(dataset, network) for network in together}
            networks = [network for network in together if folders[network] not in planned]
            planned.update(folders.values())
            if not networks:
                continue
            plans = [self.experiment.plan(dataset, network) for network in networks]
            automatic = any(plan.precision == AUTO for plan in plans)
            yield Job(
                f"train_{dataset}_{networks[0].name}",
                "training",
                {},
                {
                    "dataset": [self.dataset_file(dataset)],
                    "precision": [PRECISION] if automatic else [],
                },
                [
                    f"{folders[network]}/{product}"
                    for network, plan in zip(networks, plans, strict=True)
                    for product in plan.products
                ],
                {
                    "plans": plans,
                    "folders": [folders[network] for network in networks],
                    "state": self.trained.training_state.format(dataset=dataset),
                },
                f"{dataset}/{plans[0].folder}",
                dataset,
                networks,
                threads=self.experiment.config.training.threads * len(networks),
                shared=True,
            )
        for network in self.experiment.networks:
            if network.pretrained is None:  # trained here, or activations alone
                continue
            steps = self.experiment.steps_of(dataset, network.group) or [0]
            followed = [network.pretrained.at(step) for step in steps]
            files = [file for each in followed for file in each.files]
            yield Job(
                "pretrained",
                "moments",
                {"dataset": dataset, "network": network.name},
                {"files": list(dict.fromkeys(files))},
                [self.description(dataset, network)],
                {
                    "followed": followed,
                    "layers": self.experiment.layers(dataset, network.group),
                    "image_size": self.experiment.dataset(dataset).info.side,
                },
                dataset=dataset,
                networks=[network],
            )
