from pathlib import Path

from convergent_learning.activations.extract import extract
from convergent_learning.training.plan import TrainingPlan
from convergent_learning.workflow.job import job

with job(snakemake):
    plans = [TrainingPlan.of(plan) for plan in snakemake.params.plans]
    extract(
        dict(zip(map(Path, snakemake.input.checkpoints), plans, strict=True)),
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
