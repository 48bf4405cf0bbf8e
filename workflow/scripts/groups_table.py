from pathlib import Path

from convergent_learning.tables.facts import write_groups
from convergent_learning.workflow.job import job

with job(snakemake):
    write_groups(snakemake.params.groups, Path(snakemake.output[0]))
