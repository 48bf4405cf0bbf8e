from pathlib import Path

from convergent_learning.datasets.canonical import prepare
from convergent_learning.workflow.job import job

with job(snakemake):
    prepare(snakemake.params.entry, Path(snakemake.output[0]), snakemake.threads)
