from pathlib import Path

from convergent_learning.stimuli.thumbnails import thumbnails
from convergent_learning.tables.facts import write_duplicates
from convergent_learning.workflow.job import job

with job(snakemake):
    identity = Path(snakemake.input.identity[0])
    conditions = [Path(path) for path in snakemake.input.conditions]
    thumbnails(identity, conditions, Path(snakemake.output.png), Path(snakemake.output.csv))
    write_duplicates([identity, *conditions], Path(snakemake.output.duplicates))
