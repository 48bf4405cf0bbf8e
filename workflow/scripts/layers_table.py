from pathlib import Path

from convergent_learning.tables.facts import write_layers
from convergent_learning.workflow.job import job

with job(snakemake):
    moments = dict(zip(snakemake.params.datasets, map(Path, snakemake.input), strict=True))
    write_layers(moments, snakemake.params.architectures, Path(snakemake.output[0]))
