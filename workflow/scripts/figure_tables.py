from pathlib import Path

from convergent_learning.jobs import job
from convergent_learning.tables.figure_tables import write_tables

with job(snakemake):
    write_tables(
        snakemake.params.number,
        [Path(path) for path in snakemake.input.scores],
        Path(snakemake.output[0]).parent,
        [Path(path) for path in snakemake.input.accuracy],
    )
