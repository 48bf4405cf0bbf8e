"""Where everything of an experiment lies: patterns with the wildcards of the workflow's rules."""

from __future__ import annotations

DATASET = "results/datasets/{dataset}.h5"
RECORDING = "results/recordings/{recording}.h5"
PRECISION = "results/networks/precision.json"

# Below the folders of logs, benchmarks and provenance records, without a suffix.
NAMES = {
    "dataset": "dataset/{dataset}",
    "identity_stimuli": "stimuli/{dataset}/id",
    "condition_stimuli": "stimuli/{dataset}/{family}-{level}",
    "user_stimuli": "stimuli/{dataset}/{user_slug}",
    "recording": "recording/{recording}",
    "recording_stimuli": "stimuli/{dataset}/recordings/{recording}",
    "recording_scores": "recordings/{dataset}/{recording}",
    "precision": "precision",
    "pretrained": "pretrained/{dataset}/{network}",
    "moments": "moments/{dataset}/{block}{tile}",
    "scores": "scores/{dataset}_{block}{tile}",
    "scored_block": "scores/{dataset}_{block}{tile}",
    "shuffled_scores": "shuffled_scores/{dataset}_{block}{tile}",
    "anchors": "anchors/{dataset}_{block}",
    "datasets_table": "tables/datasets",
    "layers_table": "tables/layers",
    "conditions_table": "tables/conditions",
    "groups_table": "tables/groups",
    "recordings_table": "tables/recordings",
    "accuracy_table": "tables/accuracy",
    "training_table": "tables/fig1_training",
    "stimulus_tiles": "tables/fig1_stimuli",
    "claims_file": "claims",
    "claims": "printed_claims",
    "report": "report",
    "research_object": "research_object",
    "verify": "verify",
    "provenance": "provenance",
}
"""Names of jobs by rule; rules made in a loop name themselves."""


class Folder:
    """A folder of `results/` with the logs and benchmarks of the jobs that fill it."""

    def __init__(self, name: str):
        self.results = f"results/{name}"

    def log(self, name: str) -> str:
        return f"{self.results}/logs/{name}.log"

    def benchmark(self, name: str) -> str:
        return f"{self.results}/benchmarks/{name}.tsv"


class TrainedNetworks(Folder):
    """Networks that were trained here: all experiments share them, as they do datasets.

    `network` is the folder of a network's checkpoints and curves, named after its training plan.
    """

    def __init__(self) -> None:
        super().__init__("networks")
        self.network = f"{self.results}/{{dataset}}/{{folder}}"
        self.training_state = f"{self.results}/training_state/{{dataset}}"


class Paths(Folder):
    """Patterns of the files of an experiment.

    `moments` is a folder with one file for each sample of a block, `activations` one with a folder
    for each sample; `description` says what a network that comes trained turned out to be;
    `recorded` is a file of scores with a recording.
    """

    def __init__(self, experiment: str):
        super().__init__(experiment)
        results = self.results
        self.reference = f"results/reference/{experiment}"
        self.stimuli = f"{results}/stimuli/{{dataset}}/{{slug}}.h5"
        self.recorded_stimuli = f"{results}/{NAMES['recording_stimuli']}.h5"
        self.description = f"{results}/{NAMES['pretrained']}.json"
        self.activations = f"{results}/activations/{{dataset}}"
        self.accuracy = f"{results}/accuracy/{{dataset}}/{{block}}{{tile}}.csv"
        self.layers = f"{results}/layers/{{dataset}}/{{block}}{{tile}}.csv"
        self.moments = f"{results}/{NAMES['moments']}"
        self.scores = f"{results}/{NAMES['scores']}.parquet"
        self.shuffled_scores = f"{results}/{NAMES['shuffled_scores']}.parquet"
        self.recorded = f"{results}/{NAMES['recording_scores']}_{{kind}}.parquet"
        self.tables = f"{results}/tables"
        self.figure = f"{results}/figures/fig{{number}}.{{extension}}"
        self.claims = f"{results}/claims.json"
        self.report = f"{results}/report.html"
        self.research_object = f"{results}/ro-crate-metadata.json"

    def table(self, name: str) -> str:
        return f"{self.tables}/{name}.csv"


class AnchorPaths(Paths):
    """Patterns of what is made of the anchors of an experiment's reference, and where these lie.

    `plans` says how they were trained.
    """

    def __init__(self, experiment: str):
        super().__init__(experiment)
        self.plans = f"{self.reference}/anchors/plans.json"
        self.anchor = f"{self.reference}/anchors/{{dataset}}/{{network}}.safetensors"
        made = f"{self.results}/{NAMES['anchors']}"
        self.scores = f"{made}.parquet"
        self.accuracy, self.layers = f"{made}_accuracy.csv", f"{made}_layers.csv"
