"""Jobs from scores to the report: tables, figures, claims."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from convergent_learning.config.block_jobs import WHOLE_BLOCKS
from convergent_learning.config.experiment import IDENTITY, Experiment
from convergent_learning.config.jobs import BlockJob, Files, Job
from convergent_learning.config.recording_jobs import SCORED
from convergent_learning.figures import figures
from convergent_learning.stimuli import families, level_text
from convergent_learning.tables.figure_data import FigureData, Scores


class FigureJobs(Files):
    """Jobs that summarise what the jobs `comparing` networks found."""

    def __init__(self, experiment: Experiment, comparing: Sequence[BlockJob]):
        super().__init__(experiment)
        self._comparing = comparing

    def all(self) -> Iterator[Job]:
        """Tables of facts, tables of figures, figures, claims and what is made of them."""
        numbers = self.experiment.figures
        tabulating = [*self._fact_tables(), self._stimulus_tiles(), *self._summaries(numbers)]
        yield from tabulating
        drawn = []
        for number in numbers:
            pictures = [
                self.paths.figure.format(number=number, extension=kind) for kind in ("pdf", "png")
            ]
            drawn += pictures
            inputs = {"tables": self._figure_tables(number), "facts": self._fact_files(number)}
            name = f"fig{number}"
            yield Job(name, "figures", {}, inputs, pictures, named=f"figures/{name}")
        tables = [table for number in numbers for table in self._figure_tables(number)]
        facts = list(dict.fromkeys(f for number in numbers for f in self._fact_files(number)))
        duplicates = [self.paths.table("duplicate_conditions")]
        claims = {"claims": [self.paths.claims]}
        every = {"tables": tables, "facts": facts}
        made = sorted({Path(output).stem for job in tabulating for output in job.outputs})
        yield Job("claims_file", "figures", {}, every, [self.paths.claims], {"made": made})
        yield Job(
            "report",
            "figures",
            {},
            {"figures": drawn, "duplicates": duplicates, **every, **claims},
            [self.paths.report],
        )
        yield Job(
            "research_object",
            "figures",
            {},
            {
                "figures": drawn,
                "duplicates": duplicates,
                "report": [self.paths.report],
                **every,
                **claims,
            },
            [self.paths.research_object],
        )

    def _summaries(self, numbers: Sequence[int]) -> Iterator[Job]:
        """Jobs that make the tables of figures from scores."""
        for number in numbers:
            if _data(number).scores is not Scores.NONE:
                yield Job(
                    f"fig{number}_tables",
                    "figures",
                    inputs={
                        "scores": self._figure_scores(number),
                        "accuracy": self._figure_accuracy(number),
                        "shuffled": self._figure_shuffles(number),
                        "facts": self._fact_files(number),
                    },
                    outputs=self._figure_tables(number),
                    named=f"tables/fig{number}",
                )

    def _fact_tables(self) -> Iterator[Job]:
        datasets = self.experiment.datasets
        yield self._fact_table(
            "datasets",
            [self.dataset_file(dataset) for dataset in datasets],
            {"datasets": [self._dataset_facts(dataset) for dataset in datasets]},
        )
        yield self._fact_table(
            "layers",
            [self.layer_file(job) for job in self._blocks() if job.wildcards["block"] == "final"],
            {"architectures": {g.name: g.architecture for g in self.experiment.config.networks}},
        )
        yield self._fact_table("conditions", [], {"conditions": self._condition_facts()})
        facts = [row for dataset in datasets for row in self._group_facts(dataset)]
        yield self._fact_table("groups", [], {"groups": facts})
        entries = self.experiment.config.recordings
        if entries:
            yield self._fact_table("recordings", [self.recording_file(e.name) for e in entries])
        yield self._fact_table("accuracy", [self.accuracy_file(job) for job in self._blocks()])
        networks = [(d, network) for d in datasets for network in self.experiment.trained]
        yield Job(
            "training_table",
            "figures",
            {},
            {"curves": [f"{self.network_folder(d, n)}/epochs.csv" for d, n in networks]},
            [self.paths.table("fig1_training")],
            {"networks": [(dataset, n.group, n.seed) for dataset, n in networks]},
        )

    def _fact_table(
        self, name: str, inputs: list[str], params: dict[str, Any] | None = None
    ) -> Job:
        outputs = [self.paths.table(name)]
        return Job(f"{name}_table", "figures", {}, {"files": inputs}, outputs, params or {})

    def _dataset_facts(self, dataset: str) -> dict[str, Any]:
        """What the table of datasets says besides what the file holds."""
        return {
            "dataset": dataset,
            "train_images": self.experiment.dataset(dataset).images,
            "stimuli": self.experiment.config.stimuli.images,
        }

    def _condition_facts(self) -> list[dict[str, Any]]:
        """Rows of the table of conditions: places from mild to strong, and their families."""
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
                        "family": about.counts_as,
                    }
                )
        return rows

    def _group_facts(self, dataset: str) -> Iterator[dict[str, Any]]:
        """Rows of the table of groups: what each learns from what, and for how long."""
        for name in self.experiment.groups:
            plan = self.experiment.learned(name, dataset)
            told = ("", "", "") if plan is None else (plan.labels, plan.images, plan.objective)
            yield dict(zip(("labels", "images", "objective"), told, strict=True)) | {
                "dataset": dataset,
                "group": name,
                "steps_per_epoch": self.experiment.first_epoch(dataset, name),
                "final_step": self.experiment.last_step(dataset, name),
            }

    def _stimulus_tiles(self) -> Job:
        dataset = self.experiment.datasets[0]
        conditions = [self.stimulus_set(dataset, c) for c in self.experiment.conditions]
        tables = [f"{self.paths.tables}/fig1_stimuli.png"]
        tables += [self.paths.table(name) for name in ("fig1_stimuli", "duplicate_conditions")]
        identity = self.stimulus_set(dataset, IDENTITY)
        inputs = {"identity": [identity], "conditions": conditions}
        return Job("stimulus_tiles", "figures", {}, inputs, tables)

    def _figure_scores(self, number: int) -> list[str]:
        """Score files that figure `number` summarises, of all datasets."""
        if _data(number).scores is Scores.RECORDINGS:
            return [
                self.recorded_file(dataset, entry.name, kind)
                for dataset in self.experiment.datasets
                for entry in self.experiment.config.recordings
                for kind in SCORED
            ]
        return [self.score_file(job) for job in self._shown(number)]

    def _shown(self, number: int) -> list[BlockJob]:
        """Jobs whose samples figure `number` is about."""
        scores = _data(number).scores
        return [job for job in self._blocks() if _is_shown(job.wildcards["block"], scores)]

    def _blocks(self) -> list[BlockJob]:
        """One job for each tile of each block."""
        scoring = (job for job in self._comparing if job.rule != "shuffled_scores")
        return list({self.score_file(job): job for job in scoring}.values())

    def _figure_accuracy(self, number: int) -> list[str]:
        """Accuracy files that figure `number` summarises."""
        return [self.accuracy_file(job) for job in self._shown(number) if _data(number).accuracy]

    def _figure_shuffles(self, number: int) -> list[str]:
        """Scores with permuted stimuli that figure `number` judges its own by."""
        if not _data(number).calibrated:
            return []
        shuffled = (job for job in self._comparing if job.rule == "shuffled_scores")
        return [self.shuffled_file(job) for job in shuffled]

    def _figure_tables(self, number: int) -> list[str]:
        """Tables that figure `number` draws, besides facts of the experiment."""
        data = _data(number)
        tables = [self.paths.table(name) for name in data.names(self.experiment.calibrated)]
        return tables + [f"{self.paths.tables}/{name}" for name in data.pictures]

    def _fact_files(self, number: int) -> list[str]:
        # No others: a figure asked for by name computes no more.
        return [self.paths.table(name) for name in _data(number).facts]


def _data(number: int) -> FigureData:
    """What figure `number` is drawn from."""
    return figures()[number].DATA


def _is_shown(block: str, scores: Scores) -> bool:
    """Whether scores of a block of samples are among those that a figure asks for."""
    over_training = (*WHOLE_BLOCKS, "training")
    if scores is Scores.TRAINING:
        return block in over_training
    if scores is Scores.CONDITIONS:
        return block == "final" or block not in over_training
    return scores is Scores.ENDS and block in WHOLE_BLOCKS
