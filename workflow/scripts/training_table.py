from pathlib import Path

from convergent_learning.tables.facts import write_training
from convergent_learning.workflow.job import job

with job(snakemake):
    curves = dict(zip(snakemake.params.networks, map(Path, snakemake.input), strict=True))
    write_training(curves, Path(snakemake.output[0]))
