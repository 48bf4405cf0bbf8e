from pathlib import Path

from convergent_learning.activations.recorded import write_recorded_stimuli
from convergent_learning.workflow.job import job

with job(snakemake):
    write_recorded_stimuli(
        Path(snakemake.input.recording),
        snakemake.wildcards.dataset,
        snakemake.params.side,
        Path(snakemake.output[0]),
    )
