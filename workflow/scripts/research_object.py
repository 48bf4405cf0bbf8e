from pathlib import Path

from convergent_learning.workflow.crate import write_crate
from convergent_learning.workflow.job import job
from convergent_learning.workflow.record import repository

with job(snakemake):
    write_crate(
        snakemake.params.config,
        Path(snakemake.output[0]).parent,
        [Path(product) for product in snakemake.input],
        repository(snakemake),
    )
