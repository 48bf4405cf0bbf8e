from pathlib import Path

from convergent_learning.stimuli.sets import write_condition_set
from convergent_learning.workflow.job import job

with job(snakemake):
    write_condition_set(
        Path(snakemake.input.identity),
        Path(snakemake.input.dataset),
        Path(snakemake.output[0]),
        snakemake.wildcards.family,
        snakemake.wildcards.level,
        snakemake.params.seed,
    )
