from pathlib import Path

from convergent_learning.activations.extract import extract
from convergent_learning.workflow.job import job

with job(snakemake):
    extract(
        snakemake.params.networks,
        int(snakemake.wildcards.step),
        Path(snakemake.input.dataset),
        Path(snakemake.input.stimuli),
        Path(snakemake.output.activations),
        Path(snakemake.output.accuracy),
        snakemake.params.positions,
        snakemake.params.dtype,
    )
