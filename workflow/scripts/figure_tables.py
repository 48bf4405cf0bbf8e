from importlib import import_module
from pathlib import Path

from convergent_learning.tables.figure_tables import write_tables
from convergent_learning.workflow.job import job

with job(snakemake):
    write_tables(
        import_module(f"convergent_learning.figures.fig{snakemake.params.number}").DATA,
        [Path(path) for path in snakemake.input.scores],
        Path(snakemake.output[0]).parent,
        [Path(path) for path in snakemake.input.accuracy],
        [Path(path) for path in snakemake.input.shuffled],
    )
