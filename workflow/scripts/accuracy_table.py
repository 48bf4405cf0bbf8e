from pathlib import Path

from convergent_learning.jobs import job
from convergent_learning.tables.facts import write_accuracy

with job(snakemake):
    write_accuracy([Path(path) for path in snakemake.input], Path(snakemake.output[0]))
