from pathlib import Path

from convergent_learning.activations.extract import extract
from convergent_learning.training.plan import TrainingPlan
from convergent_learning.workflow.job import job

with job(snakemake):
    plans = snakemake.params.plans.items()
    extract(
        {
            name: (Path(path), TrainingPlan.of(plan))
            for path, (name, plan) in zip(snakemake.input.checkpoints, plans, strict=True)
        },
        snakemake.params.pretrained,
        int(snakemake.wildcards.step),
        Path(snakemake.input.dataset),
        Path(snakemake.input.stimuli),
        Path(snakemake.output.activations),
        Path(snakemake.output.accuracy),
        snakemake.params.layers,
        snakemake.params.positions,
        snakemake.params.dtype,
    )
