from pathlib import Path

from convergent_learning.stimuli.user_sets import write_user_set
from convergent_learning.workflow.job import job

with job(snakemake):
    write_user_set(
        *snakemake.params.user_condition,
        Path(snakemake.input.identity),
        Path(snakemake.output[0]),
    )
