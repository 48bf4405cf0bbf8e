from pathlib import Path

from convergent_learning.tables.facts import write_accuracy
from convergent_learning.workflow.job import job

with job(snakemake):
    write_accuracy([Path(path) for path in snakemake.input], Path(snakemake.output[0]))
