"""Paths and helpers: the only file with Python in it."""

from dataclasses import asdict
from pathlib import Path

from snakemake.exceptions import WorkflowError

from convergent_learning.experiment import CONTEXT_METRIC, ConfigError, Experiment, read_schema

try:
    EXPERIMENT = Experiment(
        config, read_schema(Path(workflow.basedir) / "workflow/schemas/config.schema.json")
    )
except ConfigError as error:
    raise WorkflowError(str(error)) from None

for overlay in workflow.overwrite_configfiles:
    if EXPERIMENT.name != Path(overlay).stem:
        raise WorkflowError(
            f"{overlay} says `experiment: {EXPERIMENT.name}`, but an experiment is called like its"
            f" file: write `experiment: {Path(overlay).stem}` in it, or rename it"
        )

ENVIRONMENT = "../../envs/environment.yaml"
FIGURES = [1, 2, 3, 4, 5, 6]
LIBRARY = Path(workflow.basedir) / "src/convergent_learning"

RESULTS = f"results/{EXPERIMENT.name}"
DATASET = "results/datasets/{dataset}.h5"
STIMULI = f"{RESULTS}/stimuli/{{dataset}}/{{slug}}.h5"
NETWORK = f"{RESULTS}/networks/{{dataset}}/{{network}}"
ACTIVATIONS = f"{RESULTS}/activations/{{dataset}}/{{slug}}_step{{step}}"
ACCURACY = f"{RESULTS}/accuracy/{{dataset}}/{{slug}}_step{{step}}.csv"
MOMENTS = f"{RESULTS}/moments/{{dataset}}/{{slug}}_step{{step}}.h5"
SCORES = f"{RESULTS}/scores/{{dataset}}_{{block}}_{{metric}}.parquet"
ROTATED = f"{RESULTS}/scores/{{dataset}}_{{block}}_{{metric}}_rotated.parquet"
TABLES = f"{RESULTS}/tables"
FIGURE = f"{RESULTS}/figures/fig{{number}}.{{extension}}"
LOG = f"{RESULTS}/logs"
BENCHMARK = f"{RESULTS}/benchmarks"

BLOCKS = {dataset: EXPERIMENT.blocks(dataset) for dataset in EXPERIMENT.datasets}
FINAL_STEP = {dataset: EXPERIMENT.steps(dataset)[-1] for dataset in EXPERIMENT.datasets}
SCORED_METRICS = [*EXPERIMENT.metrics, CONTEXT_METRIC]
SAMPLES = [
    {"dataset": dataset, "slug": sample.condition.slug, "step": sample.step}
    for dataset, blocks in BLOCKS.items()
    for samples in blocks.values()
    for sample in samples
]


wildcard_constraints:
    dataset="|".join(EXPERIMENT.datasets),
    block="|".join({block for blocks in BLOCKS.values() for block in blocks}),
    metric="|".join(SCORED_METRICS),
    slug="[^/]+",
    step="[0-9]+",


def training_products(dataset):
    """Files that the training of any network on `dataset` ends with."""
    names = EXPERIMENT.plan(dataset, EXPERIMENT.networks[0].name).products
    return [NETWORK.replace("{dataset}", dataset) + f"/{name}" for name in names]


def checkpoints(wildcards):
    """Checkpoints of all networks of a dataset at one step."""
    return [
        f"{NETWORK}/step{{step}}.safetensors".format(network=network.name, **wildcards)
        for network in EXPERIMENT.networks
    ]


def block_moments(wildcards):
    """Fold moments that a block of scores reads."""
    return [
        MOMENTS.format(dataset=wildcards.dataset, slug=sample.condition.slug, step=sample.step)
        for sample in BLOCKS[wildcards.dataset][wildcards.block]
    ]


def transfer_moments(wildcards):
    """The ID moments whose maps are tried on an OOD family; nothing for ID blocks."""
    if wildcards.block not in EXPERIMENT.families():
        return []
    return MOMENTS.format(dataset=wildcards.dataset, slug="id", step=FINAL_STEP[wildcards.dataset])


def is_layer_by_layer(wildcards):
    """Whether a sample gets every layer pair of every network pair (figure 4)."""
    steps = EXPERIMENT.steps(wildcards.dataset)
    return wildcards.slug == "id" and int(wildcards.step) in (steps[0], steps[-1])


def score_files(*blocks):
    """Score files of all datasets: `blocks` (all if none) times the metrics."""
    return [
        SCORES.format(dataset=dataset, block=block, metric=metric)
        for dataset in EXPERIMENT.datasets
        for block in BLOCKS[dataset]
        if not blocks or block in blocks
        for metric in SCORED_METRICS
    ]
