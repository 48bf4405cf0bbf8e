from pathlib import Path

from convergent_learning.training.precision import write_precision
from convergent_learning.workflow.job import job

with job(snakemake):
    write_precision(Path(snakemake.output[0]), Path(".snakemake/precision.json"))
