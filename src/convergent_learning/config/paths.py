"""Where everything of an experiment lies: patterns with the wildcards of the workflow's rules."""

from __future__ import annotations

from dataclasses import dataclass

DATASET = "results/datasets/{dataset}.h5"

# Below the folders of logs, benchmarks and provenance records, without a suffix.
NAMES = {
    "dataset": "dataset/{dataset}",
    "identity_stimuli": "stimuli/{dataset}/id",
    "condition_stimuli": "stimuli/{dataset}/{family}-{level}",
    "user_stimuli": "stimuli/{dataset}/{user_slug}",
    "pretrained": "pretrained/{dataset}/{network}",
    "activations": "activations/{dataset}/{slug}_step{step}",
    "moments": "moments/{dataset}/{slug}_step{step}",
    "scores": "scores/{dataset}_{block}_{metric}{tile}",
    "rotated_scores": "scores/{dataset}_{block}_{metric}_rotated{tile}",
    "datasets_table": "tables/datasets",
    "layers_table": "tables/layers",
    "conditions_table": "tables/conditions",
    "accuracy_table": "tables/accuracy",
    "training_table": "tables/fig1_training",
    "stimulus_tiles": "tables/fig1_stimuli",
    "claims": "claims",
    "report": "report",
    "research_object": "research_object",
    "verify": "verify",
    "provenance": "provenance",
}
"""Names of jobs by rule; rules made in a loop name themselves."""


@dataclass(frozen=True)
class Paths:
    """Patterns of the files of an experiment."""

    experiment: str

    @property
    def results(self) -> str:
        return f"results/{self.experiment}"

    @property
    def reference(self) -> str:
        return f"results/reference/{self.experiment}"

    @property
    def stimuli(self) -> str:
        return f"{self.results}/stimuli/{{dataset}}/{{slug}}.h5"

    @property
    def network(self) -> str:
        """The folder of a network's checkpoints and curves."""
        return f"{self.results}/networks/{{dataset}}/{{network}}"

    @property
    def training_state(self) -> str:
        return f"{self.results}/training_state/{{dataset}}"

    @property
    def description(self) -> str:
        """What a network that comes trained turned out to be."""
        return f"{self.network}/pretrained.json"

    @property
    def activations(self) -> str:
        return f"{self.results}/activations/{{dataset}}/{{slug}}_step{{step}}"

    @property
    def accuracy(self) -> str:
        return f"{self.results}/accuracy/{{dataset}}/{{slug}}_step{{step}}.csv"

    @property
    def moments(self) -> str:
        return f"{self.results}/moments/{{dataset}}/{{slug}}_step{{step}}.h5"

    @property
    def scores(self) -> str:
        return f"{self.results}/{NAMES['scores']}.parquet"

    @property
    def rotated_scores(self) -> str:
        return f"{self.results}/{NAMES['rotated_scores']}.parquet"

    @property
    def tables(self) -> str:
        return f"{self.results}/tables"

    @property
    def figure(self) -> str:
        return f"{self.results}/figures/fig{{number}}.{{extension}}"

    @property
    def claims(self) -> str:
        return f"{self.results}/claims.json"

    @property
    def report(self) -> str:
        return f"{self.results}/report.html"

    @property
    def research_object(self) -> str:
        return f"{self.results}/ro-crate-metadata.json"

    def table(self, name: str) -> str:
        return f"{self.tables}/{name}.csv"

    def log(self, name: str) -> str:
        return f"{self.results}/logs/{name}.log"

    def benchmark(self, name: str) -> str:
        return f"{self.results}/benchmarks/{name}.tsv"
