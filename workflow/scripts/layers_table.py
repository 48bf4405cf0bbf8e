from pathlib import Path

from convergent_learning.tables.facts import write_layers
from convergent_learning.workflow.job import job

with job(snakemake):
    write_layers(
        [Path(path) for path in snakemake.input],
        snakemake.params.architectures,
        Path(snakemake.output[0]),
    )
