from importlib import import_module
from pathlib import Path

from convergent_learning.workflow.job import job
from convergent_learning.workflow.stamps import record_text

with job(snakemake) as record:
    figure = import_module(f"convergent_learning.figures.fig{snakemake.params.number}")
    figure.draw(
        Path(snakemake.input[0]).parent,
        Path(snakemake.output.pdf),
        Path(snakemake.output.png),
        record_text(record),
    )
