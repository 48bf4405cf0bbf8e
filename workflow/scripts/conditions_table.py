from pathlib import Path

from convergent_learning.tables.facts import write_conditions
from convergent_learning.workflow.job import job

with job(snakemake):
    write_conditions(snakemake.params.conditions, Path(snakemake.output[0]))
