"""Paths and helpers: the only file with Python in it."""

import re
from dataclasses import asdict
from pathlib import Path

from snakemake.exceptions import WorkflowError

from convergent_learning.activations.shown import Shown
from convergent_learning.experiment import CONTEXT_METRIC, Experiment
from convergent_learning.stale_locks import clear_stale_locks
from convergent_learning.tables.schema import tables_of_figure
from convergent_learning.stimuli import families
from convergent_learning.validation import ConfigError, check
from convergent_learning.verification.drawn import DrawingError, refuse_drawings

clear_stale_locks(Path(".snakemake"))

try:
    check(config, Path(workflow.basedir) / "workflow/schemas/config.schema.json")
    refuse_drawings(Path("results") / config["experiment"])
except (ConfigError, DrawingError) as error:
    raise WorkflowError(str(error)) from None
EXPERIMENT = Experiment(config)

for overlay in workflow.overwrite_configfiles:
    if Path(overlay).stem not in ("config", EXPERIMENT.name):
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
SCORES = f"{RESULTS}/scores/{{dataset}}_{{block}}_{{metric}}{{tile}}.parquet"
ROTATED = f"{RESULTS}/scores/{{dataset}}_{{block}}_{{metric}}_rotated{{tile}}.parquet"
TABLES = f"{RESULTS}/tables"
FIGURE = f"{RESULTS}/figures/fig{{number}}.{{extension}}"
LOG = f"{RESULTS}/logs"
BENCHMARK = f"{RESULTS}/benchmarks"

# Tables besides its own that a figure reads: a figure asked for by name computes no more.
SETTING_TABLES = {
    1: ["accuracy", "datasets", "conditions"],
    2: ["datasets", "layers"],
    3: ["datasets", "layers"],
    4: ["datasets", "layers"],
    5: ["datasets", "layers"],
    6: ["datasets", "layers", "conditions"],
}
# Modules whose edit decides the claims again.
CLAIMS_CODE = [
    LIBRARY / f"{module}.py"
    for module in (
        *("claims/evaluation", "claims/definitions", "claims/contrasts", "claims/ingredients"),
        "tables/intervals",
    )
]
PRETRAINED = EXPERIMENT.pretrained
ROTATED_METRICS = [metric for metric in EXPERIMENT.metrics if metric == "permutation"]
BLOCKS = {dataset: EXPERIMENT.blocks(dataset) for dataset in EXPERIMENT.datasets}
FINAL_STEP = {dataset: EXPERIMENT.steps(dataset)[-1] for dataset in EXPERIMENT.datasets}
SCORED_METRICS = [*EXPERIMENT.metrics, CONTEXT_METRIC]
TILES = {
    (dataset, block, within): {tile.name: tile for tile in EXPERIMENT.tiles(dataset, block, within)}
    for dataset, blocks in BLOCKS.items()
    for block in blocks
    for within in (False, True)
}
SAMPLES = [
    {"dataset": dataset, "slug": sample.condition.slug, "step": sample.step}
    for dataset, blocks in BLOCKS.items()
    for samples in blocks.values()
    for sample in samples
]


def any_of(names):
    """A pattern that matches exactly `names`, and nothing where there are none."""
    patterns = [re.escape(name) for name in names]
    return f"(?:{'|'.join(patterns)})" if patterns else "(?!)"


wildcard_constraints:
    network=any_of(network.name for network in EXPERIMENT.networks),
    dataset=any_of(EXPERIMENT.datasets),
    block=any_of(sorted({block for blocks in BLOCKS.values() for block in blocks})),
    metric=any_of(SCORED_METRICS),
    tile=any_of(sorted({name for tiles in TILES.values() for name in tiles})),
    slug="[^/]+",
    step="[0-9]+",


def dataset_files(wildcards):
    """The config entry of a dataset. The size of the subset changes nothing in an official file;
    of the user's own data it is compared with what is there."""
    entry = EXPERIMENT.dataset_entry(wildcards.dataset)
    unused = {"train_images"} if entry.get("layout") is None else set()
    return {key: value for key, value in entry.items() if key not in unused}


def dataset_threads(wildcards):
    """Image files are decoded by several threads, arrays read by one."""
    entry = EXPERIMENT.dataset_entry(wildcards.dataset)
    return 8 if entry.get("layout") == "imagefolder" else 1


def growing(amount):
    """Memory or time that grows with every attempt of a job."""
    return lambda wildcards, attempt: amount * attempt


def network_folder(dataset, network):
    """Where a network's checkpoints and curves are."""
    return Path(NETWORK.format(dataset=dataset, network=network.name))


def training_products(dataset, networks):
    """Files that the training of `networks` on `dataset` ends with."""
    return [
        network_folder(dataset, network) / name
        for network in networks
        for name in EXPERIMENT.plan(dataset, network).products
    ]


def training_plans(dataset, networks):
    """Training plans of `networks`, as a rule's params hold them."""
    return [asdict(EXPERIMENT.plan(dataset, network)) for network in networks]


def checkpoints(wildcards):
    """Checkpoints of all networks that are trained on a dataset, at one step."""
    return [
        network_folder(wildcards.dataset, network) / f"step{wildcards.step}.safetensors"
        for network in EXPERIMENT.trained
    ]


def pretrained_descriptions(wildcards):
    """Their descriptions: made before anything is trained, so that a mistake in one shows at once."""
    return [
        network_folder(wildcards.dataset, network) / "pretrained.json"
        for network in EXPERIMENT.at(wildcards.dataset, int(wildcards.step))
        if network.pretrained is not None
    ]


def pretrained_layers(wildcards):
    """Scored layers of a network that comes trained."""
    [group] = [n.group for n in EXPERIMENT.networks if n.name == wildcards.network]
    return EXPERIMENT.layers(wildcards.dataset)[group]


def shown_networks(wildcards):
    """The networks that are shown the stimuli at a step."""
    dataset, step = wildcards.dataset, int(wildcards.step)
    layers = EXPERIMENT.layers(dataset)
    return [
        Shown(
            network.group,
            network.seed,
            layers[network.group],
            (
                None
                if network.pretrained
                else (
                    str(network_folder(dataset, network) / f"step{step}.safetensors"),
                    EXPERIMENT.plan(dataset, network),
                )
            ),
            network.pretrained,
        )
        for network in EXPERIMENT.at(dataset, step)
    ]


def block_moments(wildcards):
    """Fold moments that a block of scores reads."""
    return [
        MOMENTS.format(dataset=wildcards.dataset, slug=sample.condition.slug, step=sample.step)
        for sample in BLOCKS[wildcards.dataset][wildcards.block]
    ]


def transfer_moments(wildcards):
    """The ID moments whose maps are tried on the same images, changed; nothing for other blocks."""
    if wildcards.block not in EXPERIMENT.paired():
        return []
    return MOMENTS.format(dataset=wildcards.dataset, slug="id", step=FINAL_STEP[wildcards.dataset])


def tiles(dataset, block, metric, rotated=False):
    """Jobs that score a block under a metric, by name."""
    return TILES[dataset, block, rotated or metric == CONTEXT_METRIC]


def networks_between(wildcards):
    """Names of the networks on both sides of the pairs of a scoring job; None for all pairs."""
    if not wildcards.tile:
        return None
    return TILES[wildcards.dataset, wildcards.block, False][wildcards.tile].sides


def centers(wildcards):
    """Centrings of a block's own-layer scores: raw means are context, in distribution only."""
    return ["position", "unit"] if wildcards.block in ("final", "untrained") else ["position"]


def mapped_networks(wildcards):
    """Names of the networks that a sample gets layer x layer maps of (figure 4)."""
    networks = EXPERIMENT.mapped(wildcards.dataset, wildcards.slug, int(wildcards.step))
    return [network.name for network in networks]


def figure_scores(number):
    """Score files that figure `number` summarises, of all datasets."""
    chosen = {
        2: ["final", "untrained"],
        3: ["final", "untrained"],
        4: ["final", "untrained"],
        5: ["final", "untrained", "training"],
        6: ["final", *EXPERIMENT.families()],
    }[number]
    files = [
        SCORES.format(dataset=dataset, block=block, metric=metric, tile=tile)
        for dataset in EXPERIMENT.datasets
        for block in chosen
        if block in BLOCKS[dataset]
        for metric in (SCORED_METRICS if number == 2 else EXPERIMENT.metrics)
        for tile in tiles(dataset, block, metric)
    ]
    return files + (rotated_scores() if number == 3 else [])


def figure_accuracy(number):
    """Accuracy files that figure `number` summarises."""
    shown = {5: lambda sample: sample["slug"] == "id", 6: is_final}
    return [
        ACCURACY.format(**sample) for sample in SAMPLES if number in shown and shown[number](sample)
    ]


def is_final(sample):
    return sample["step"] == FINAL_STEP[sample["dataset"]]


def setting_tables(number):
    """Tables of the setting that figure `number` reads."""
    return [f"{TABLES}/{name}.csv" for name in SETTING_TABLES[number]]


def rotated_scores():
    """Scores of the rotated basis: of the metrics that a rotation can lower."""
    return [
        ROTATED.format(dataset=dataset, block=block, metric=metric, tile=tile)
        for dataset in EXPERIMENT.datasets
        for block in ("final", "untrained")
        if block in BLOCKS[dataset]
        for metric in ROTATED_METRICS
        for tile in tiles(dataset, block, metric, rotated=True)
    ]


def figure_tables(number):
    """Tables that figure `number` draws, besides those of the setting."""
    images = [f"{TABLES}/fig1_stimuli.png"] if number == 1 else []
    return [f"{TABLES}/{name}.csv" for name in tables_of_figure(number)] + images


def figure_code(number):
    """Modules whose edit redraws figure `number`."""
    return [LIBRARY / f"figures/{module}.py" for module in (f"fig{number}", "common", "style")]
