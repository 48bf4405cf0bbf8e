"""Where everything of an experiment lies: patterns with the wildcards of the workflow's rules."""

from __future__ import annotations

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


class Paths:
    """Patterns of the files of an experiment.

    `network` is the folder of a network's checkpoints and curves, `description` says what one that
    comes trained turned out to be.
    """

    def __init__(self, experiment: str):
        results = self.results = f"results/{experiment}"
        self.reference = f"results/reference/{experiment}"
        self.stimuli = f"{results}/stimuli/{{dataset}}/{{slug}}.h5"
        self.network = f"{results}/networks/{{dataset}}/{{network}}"
        self.training_state = f"{results}/training_state/{{dataset}}"
        self.description = f"{self.network}/pretrained.json"
        self.activations = f"{results}/activations/{{dataset}}/{{slug}}_step{{step}}"
        self.accuracy = f"{results}/accuracy/{{dataset}}/{{slug}}_step{{step}}.csv"
        self.moments = f"{results}/moments/{{dataset}}/{{slug}}_step{{step}}.h5"
        self.scores = f"{results}/{NAMES['scores']}.parquet"
        self.rotated_scores = f"{results}/{NAMES['rotated_scores']}.parquet"
        self.tables = f"{results}/tables"
        self.figure = f"{results}/figures/fig{{number}}.{{extension}}"
        self.claims = f"{results}/claims.json"
        self.report = f"{results}/report.html"
        self.research_object = f"{results}/ro-crate-metadata.json"

    def table(self, name: str) -> str:
        return f"{self.tables}/{name}.csv"

    def log(self, name: str) -> str:
        return f"{self.results}/logs/{name}.log"

    def benchmark(self, name: str) -> str:
        return f"{self.results}/benchmarks/{name}.tsv"
