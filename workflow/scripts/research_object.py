from pathlib import Path

from convergent_learning.jobs import job
from convergent_learning.provenance.crate import write_crate

with job(snakemake):
    write_crate(
        snakemake.params.config,
        Path(snakemake.output[0]).parent,
        Path(snakemake.params.repository),
    )
