from pathlib import Path

from convergent_learning.recordings.canonical import prepare_recording
from convergent_learning.workflow.job import job

with job(snakemake):
    prepare_recording(snakemake.params.entry, Path(snakemake.output[0]))
