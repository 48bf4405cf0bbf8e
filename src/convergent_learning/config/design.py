"""The jobs that a config means: the one place that knows the workflow's graph.

Rules take inputs, parameters, memory and time of their jobs from here; `plan` adds up the same
jobs. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from convergent_learning.activations.shown import Shown
from convergent_learning.config.experiment import (
    IDENTITY,
    Condition,
    Experiment,
    Network,
    Sample,
    Tile,
)
from convergent_learning.config.paths import DATASET, NAMES, Paths
from convergent_learning.statistics.columns import COLUMNS
from convergent_learning.stimuli import families, level_text

STAGES = ("dataset", "stimuli", "training", "activations", "moments", "scores", "figures")
FIGURES = (1, 2, 3, 4, 5, 6)
CONTEXT_METRIC = "context"
# Metrics that a rotation of the basis can lower, and whose figure shows it.
ROTATED_METRICS = ("permutation",)
# Blocks that hold every layer pair of every network pair.
WHOLE_BLOCKS = ("final", "untrained")
_DECODING_THREADS = 8
# Facts of the experiment that a figure reads besides its own tables: one asked for by name computes
# no more.
_FACTS = {
    1: ("accuracy", "datasets", "conditions"),
    6: ("datasets", "layers", "conditions"),
    **dict.fromkeys((2, 3, 4, 5), ("datasets", "layers")),
}


@dataclass(frozen=True)
class Job:
    """A job of `rule`, which is one of `stage`.

    `name` is that of its log, benchmark and record; `wildcards` tell it from other jobs of its
    rule; `inputs` and `params` are what the rule gives to its script. The rest says what its work
    is, for `work.py`.
    """

    rule: str
    stage: str
    name: str
    wildcards: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, list[str]] = field(default_factory=dict)
    outputs: Sequence[str] = ()
    params: Mapping[str, Any] = field(default_factory=dict)
    dataset: str = ""
    networks: Sequence[Network] = ()
    samples: Sequence[Sample] = ()
    threads: int = 1
    tile: Tile | None = None
    metric: str = ""

    @property
    def kind(self) -> str:
        """Jobs of one kind need memory alike."""
        if self.rule == "rotated_scores":
            return "scores:rotated"
        return f"{self.stage}:{self.metric}" if self.metric else self.stage


class Design:
    """All jobs of `experiment`, in the order of the work."""

    def __init__(self, experiment: Experiment):
        self.experiment = experiment
        self.paths = Paths(experiment.name)

    @cached_property
    def jobs(self) -> list[Job]:
        return [
            *(job for dataset in self.experiment.datasets for job in self._of_dataset(dataset)),
            *self._of_figures(),
        ]

    def job(self, rule: str, wildcards: Mapping[str, str] | None = None) -> Job:
        """The job of a rule with these wildcards, or its only one."""
        return self._by_key[rule, tuple(sorted((wildcards or {}).items()))]

    def values(self, wildcard: str) -> list[str]:
        """What a wildcard stands for in some job."""
        return list(
            dict.fromkeys(j.wildcards[wildcard] for j in self.jobs if wildcard in j.wildcards)
        )

    @cached_property
    def _by_key(self) -> dict[tuple, Job]:
        return {(job.rule, tuple(sorted(job.wildcards.items()))): job for job in self.jobs}

    def _of_dataset(self, dataset: str) -> Iterator[Job]:
        yield self._dataset(dataset)
        yield from self._stimuli(dataset)
        yield from self._trainings(dataset)
        blocks = self.experiment.blocks(dataset)
        for sample in {s.name: s for block in blocks.values() for s in block}.values():
            yield self._activations(dataset, sample)
            yield self._moments(dataset, sample)
        for block, samples in blocks.items():
            yield from self._scores(dataset, block, samples)

    def _dataset(self, dataset: str) -> Job:
        entry = self.experiment.dataset(dataset)
        # The size of the subset changes nothing in an official file; of the user's own data it is
        # compared with what is there.
        kept = {"train_images"} if entry.layout is None else set()
        given = {key: value for key, value in entry.dump().items() if key not in kept}
        return _job(
            "dataset",
            "dataset",
            {"dataset": dataset},
            outputs=[DATASET.format(dataset=dataset)],
            params={"entry": given},
            dataset=dataset,
            # Image files are decoded by several threads, arrays read by one.
            threads=_DECODING_THREADS if entry.layout == "imagefolder" else 1,
        )

    def _stimuli(self, dataset: str) -> Iterator[Job]:
        data = [DATASET.format(dataset=dataset)]
        identity = self._stimulus_set(dataset, IDENTITY)
        yield _job(
            "identity_stimuli",
            "stimuli",
            {"dataset": dataset},
            {"dataset": data},
            [identity],
            {"images": self.experiment.config.stimuli.images, "seed": self.experiment.seed},
            dataset=dataset,
        )
        own = {user_set.stimuli: user_set for user_set in self.experiment.user_sets}
        for condition in self.experiment.conditions:
            stimuli, level = condition.stimuli, condition.level
            common = {
                "outputs": [self._stimulus_set(dataset, condition)],
                "dataset": dataset,
                "samples": [Sample(condition, 0)],
            }
            if stimuli in own:
                yield _job(
                    "user_stimuli",
                    "stimuli",
                    {"dataset": dataset, "user_slug": condition.slug},
                    {"identity": [identity], "sources": own[stimuli].sources},
                    params={"user_condition": (own[stimuli], level)},
                    **common,
                )
            else:
                yield _job(
                    "condition_stimuli",
                    "stimuli",
                    {"dataset": dataset, "family": stimuli, "level": level},
                    {"identity": [identity], "dataset": data},
                    params={"seed": self.experiment.seed},
                    **common,
                )

    def _trainings(self, dataset: str) -> Iterator[Job]:
        for networks in self.experiment.trainings():
            plans = [self.experiment.plan(dataset, network) for network in networks]
            folders = [self._network_folder(dataset, network) for network in networks]
            yield Job(
                f"train_{dataset}_{networks[0].name}",
                "training",
                f"train/{dataset}/{networks[0].name}",
                {},
                {"dataset": [DATASET.format(dataset=dataset)]},
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
                dataset,
                networks,
                threads=self.experiment.config.training.threads * len(networks),
            )
        for network in self.experiment.pretrained:
            yield _job(
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

    def _activations(self, dataset: str, sample: Sample) -> Job:
        networks = self.experiment.at(dataset, sample.step)
        trained = [
            f"{self._network_folder(dataset, n)}/step{sample.step}.safetensors"
            for n in networks
            if n.pretrained is None
        ]
        described = [
            self.paths.description.format(dataset=dataset, network=network.name)
            for network in networks
            if network.pretrained is not None
        ]
        wildcards = _sample_wildcards(dataset, sample)
        return _job(
            "activations",
            "activations",
            wildcards,
            {
                "checkpoints": trained,
                "pretrained": described,
                "dataset": [DATASET.format(dataset=dataset)],
                "stimuli": [self._stimulus_set(dataset, sample.condition)],
            },
            [self.paths.activations.format(**wildcards), self.paths.accuracy.format(**wildcards)],
            {"networks": [self._shown(dataset, network, sample.step) for network in networks]},
            dataset=dataset,
            networks=networks,
            samples=[sample],
        )

    def _moments(self, dataset: str, sample: Sample) -> Job:
        networks = self.experiment.at(dataset, sample.step)
        wildcards = _sample_wildcards(dataset, sample)
        return _job(
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

    def _scores(self, dataset: str, block: str, samples: list[Sample]) -> Iterator[Job]:
        whole = block in WHOLE_BLOCKS
        moments = [self._moments_file(dataset, sample) for sample in samples]
        transfer = []
        if block in self.experiment.paired():
            # The ID maps are tried on the same images, changed.
            last = self.experiment.steps(dataset)[-1]
            transfer = [self._moments_file(dataset, Sample(IDENTITY, last))]
        for metric in [*self.experiment.metrics, *([CONTEXT_METRIC] if whole else [])]:
            for tile in self.experiment.tiles(dataset, block, within=metric == CONTEXT_METRIC):
                yield self._score_job(
                    "scores",
                    dataset,
                    block,
                    metric,
                    tile,
                    samples,
                    {"moments": moments, "transfer": transfer},
                    # Raw means are context, in distribution only.
                    {"centers": ["position", "unit"] if whole else ["position"]},
                )
        for metric in self.experiment.metrics:
            if whole and metric in ROTATED_METRICS:
                for tile in self.experiment.tiles(dataset, block, within=True):
                    inputs = {"moments": moments}
                    yield self._score_job(
                        "rotated_scores", dataset, block, metric, tile, samples, inputs, {}
                    )

    def _score_job(
        self,
        rule: str,
        dataset: str,
        block: str,
        metric: str,
        tile: Tile,
        samples: list[Sample],
        inputs: dict[str, list[str]],
        params: dict[str, Any],
    ) -> Job:
        wildcards = {"dataset": dataset, "block": block, "metric": metric, "tile": tile.name}
        return _job(
            rule,
            "scores",
            wildcards,
            inputs,
            [getattr(self.paths, rule).format(**wildcards)],
            # None for all pairs: a file's name changes with the split, its rows do not.
            params | {"between": tile.sides if tile.name else None},
            dataset=dataset,
            samples=samples,
            tile=tile,
            metric=metric,
        )

    def _of_figures(self) -> Iterator[Job]:
        """Tables of facts, tables of figures, figures, claims and what is made of them."""
        yield from self._fact_tables()
        yield self._stimulus_tiles()
        for number in FIGURES[1:]:
            yield Job(
                f"fig{number}_tables",
                "figures",
                f"tables/fig{number}",
                inputs={
                    "scores": self._figure_scores(number),
                    "accuracy": self._figure_accuracy(number),
                    "facts": self._fact_files(number),
                },
                outputs=self._figure_tables(number),
            )
        drawn = []
        for number in FIGURES:
            pictures = [
                self.paths.figure.format(number=number, extension=kind) for kind in ("pdf", "png")
            ]
            drawn += pictures
            inputs = {"tables": self._figure_tables(number), "facts": self._fact_files(number)}
            yield Job(f"fig{number}", "figures", f"figures/fig{number}", {}, inputs, pictures)
        tables = [table for number in FIGURES for table in self._figure_tables(number)]
        facts = list(dict.fromkeys(f for number in FIGURES for f in self._fact_files(number)))
        duplicates = [self.paths.table("duplicate_conditions")]
        claims = {"claims": [self.paths.claims]}
        every = {"tables": tables, "facts": facts}
        yield _job("claims", "figures", {}, every, [self.paths.claims])
        yield _job(
            "report",
            "figures",
            {},
            {"figures": drawn, "duplicates": duplicates, **every, **claims},
            [self.paths.report],
        )
        yield _job(
            "research_object",
            "figures",
            {},
            {"figures": drawn, "report": [self.paths.report], **every, **claims},
            [self.paths.research_object],
        )

    def _fact_tables(self) -> Iterator[Job]:
        datasets = self.experiment.datasets
        yield self._fact_table(
            "datasets",
            [DATASET.format(dataset=dataset) for dataset in datasets],
            {"datasets": [self._dataset_facts(dataset) for dataset in datasets]},
        )
        final = [Sample(IDENTITY, self.experiment.steps(dataset)[-1]) for dataset in datasets]
        yield self._fact_table(
            "layers",
            [self._moments_file(d, sample) for d, sample in zip(datasets, final, strict=True)],
            {
                "datasets": datasets,
                "architectures": {g.name: g.architecture for g in self.experiment.config.networks},
            },
        )
        yield self._fact_table("conditions", [], {"conditions": self._condition_facts()})
        yield self._fact_table("accuracy", [self._accuracy_file(*each) for each in self._samples])
        networks = [(d, network) for d in datasets for network in self.experiment.trained]
        yield _job(
            "training_table",
            "figures",
            {},
            {"curves": [f"{self._network_folder(d, n)}/epochs.csv" for d, n in networks]},
            [self.paths.table("fig1_training")],
            {"networks": [(dataset, n.group, n.seed) for dataset, n in networks]},
        )

    def _fact_table(
        self, name: str, inputs: list[str], params: dict[str, Any] | None = None
    ) -> Job:
        outputs = [self.paths.table(name)]
        return _job(f"{name}_table", "figures", {}, {"files": inputs}, outputs, params or {})

    def _dataset_facts(self, dataset: str) -> dict[str, Any]:
        """What the table of datasets says besides what the file holds."""
        last = self.experiment.steps(dataset)[-1]
        return {
            "dataset": dataset,
            "train_images": self.experiment.dataset(dataset).images,
            "stimuli": self.experiment.config.stimuli.images,
            "steps_per_epoch": last // self.experiment.config.training.epochs,
            "final_step": last,
        }

    def _condition_facts(self) -> list[dict[str, Any]]:
        """Rows of the table of conditions: places from mild to strong, and the family each is of."""
        sets = {user_set.stimuli: user_set for user_set in self.experiment.user_sets}
        rows = []
        for stimuli in self.experiment.stimuli():
            about = sets.get(stimuli) or families()[stimuli]
            levels = [c.level for c in self.experiment.conditions if c.stimuli == stimuli]
            for order, level in enumerate(levels):
                identity = "" if about.identity is None else level_text(about.identity)
                rows.append(
                    {
                        "stimuli": stimuli,
                        "condition": level,
                        "order": order,
                        "graded": about.graded,
                        "identity": identity,
                        "family": about.group,
                    }
                )
        return rows

    def _stimulus_tiles(self) -> Job:
        dataset = self.experiment.datasets[0]
        conditions = [self._stimulus_set(dataset, c) for c in self.experiment.conditions]
        tables = [f"{self.paths.tables}/fig1_stimuli.png"]
        tables += [self.paths.table(name) for name in ("fig1_stimuli", "duplicate_conditions")]
        identity = self._stimulus_set(dataset, IDENTITY)
        inputs = {"identity": [identity], "conditions": conditions}
        return _job("stimulus_tiles", "figures", {}, inputs, tables)

    @cached_property
    def _samples(self) -> list[tuple[str, Sample]]:
        """Every sample of every dataset, by the dataset's name."""
        return [
            (dataset, sample)
            for dataset in self.experiment.datasets
            for block in self.experiment.blocks(dataset).values()
            for sample in block
        ]

    def _figure_scores(self, number: int) -> list[str]:
        """Score files that figure `number` summarises, of all datasets."""
        blocks = {5: (*WHOLE_BLOCKS, "training"), 6: ("final", *self.experiment.stimuli())}
        return [
            output
            for job in self._score_jobs
            if job.wildcards["block"] in blocks.get(number, WHOLE_BLOCKS)
            and (job.metric != CONTEXT_METRIC or number == 2)
            and (job.rule != "rotated_scores" or number == 3)
            for output in job.outputs
        ]

    @cached_property
    def _score_jobs(self) -> list[Job]:
        """Scoring jobs of all datasets, those of the rotated basis last."""
        jobs = [
            job
            for dataset in self.experiment.datasets
            for block, samples in self.experiment.blocks(dataset).items()
            for job in self._scores(dataset, block, samples)
        ]
        return sorted(jobs, key=lambda job: job.rule == "rotated_scores")

    def _figure_accuracy(self, number: int) -> list[str]:
        """Accuracy files that figure `number` summarises."""
        last = {dataset: self.experiment.steps(dataset)[-1] for dataset in self.experiment.datasets}
        shown = {
            5: [(d, s) for d, s in self._samples if s.condition == IDENTITY],
            6: [(d, s) for d, s in self._samples if s.step == last[d]],
        }
        return [self._accuracy_file(*each) for each in shown.get(number, [])]

    def _figure_tables(self, number: int) -> list[str]:
        """Tables that figure `number` draws, besides facts of the experiment."""
        names = [name for name in COLUMNS if name.startswith(f"fig{number}")]
        images = [f"{self.paths.tables}/fig1_stimuli.png"] if number == 1 else []
        return [self.paths.table(name) for name in names] + images

    def _fact_files(self, number: int) -> list[str]:
        return [self.paths.table(name) for name in _FACTS[number]]

    def _shown(self, dataset: str, network: Network, step: int) -> Shown:
        layers = self.experiment.layers(dataset, network.group)
        if network.pretrained is not None:
            return Shown(network.group, network.seed, layers, pretrained=network.pretrained)
        checkpoint = f"{self._network_folder(dataset, network)}/step{step}.safetensors"
        plan = self.experiment.plan(dataset, network)
        return Shown(network.group, network.seed, layers, (checkpoint, plan))

    def _network_folder(self, dataset: str, network: Network) -> str:
        return self.paths.network.format(dataset=dataset, network=network.name)

    def _stimulus_set(self, dataset: str, condition: Condition) -> str:
        return self.paths.stimuli.format(dataset=dataset, slug=condition.slug)

    def _moments_file(self, dataset: str, sample: Sample) -> str:
        return self.paths.moments.format(**_sample_wildcards(dataset, sample))

    def _accuracy_file(self, dataset: str, sample: Sample) -> str:
        return self.paths.accuracy.format(**_sample_wildcards(dataset, sample))


def _job(
    rule: str,
    stage: str,
    wildcards: Mapping[str, str],
    inputs: Mapping[str, list[str]] | None = None,
    outputs: Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
    **about: Any,
) -> Job:
    name = NAMES[rule].format(**wildcards)
    return Job(rule, stage, name, wildcards, inputs or {}, outputs, params or {}, **about)


def _sample_wildcards(dataset: str, sample: Sample) -> dict[str, str]:
    return {"dataset": dataset, "slug": sample.condition.slug, "step": str(sample.step)}
