from pathlib import Path

from convergent_learning.stimuli.sets import write_identity_set
from convergent_learning.workflow.job import job

with job(snakemake):
    write_identity_set(
        Path(snakemake.input.dataset),
        Path(snakemake.output[0]),
        snakemake.params.images,
        snakemake.params.seed,
    )
