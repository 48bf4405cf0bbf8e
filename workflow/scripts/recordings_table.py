from pathlib import Path

from convergent_learning.tables.facts import write_recordings
from convergent_learning.workflow.job import job

with job(snakemake):
    write_recordings([*map(Path, snakemake.input)], Path(snakemake.output[0]))
