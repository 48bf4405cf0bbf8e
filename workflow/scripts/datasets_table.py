from pathlib import Path

from convergent_learning.tables.facts import write_datasets
from convergent_learning.workflow.job import job

with job(snakemake):
    write_datasets(
        snakemake.params.datasets, list(map(Path, snakemake.input)), Path(snakemake.output[0])
    )
