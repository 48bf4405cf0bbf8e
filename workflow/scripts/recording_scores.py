from pathlib import Path

from convergent_learning.activations.forward import Extraction
from convergent_learning.activations.recorded import Asked, write_recording_scores
from convergent_learning.workflow.job import job

with job(snakemake):
    params = snakemake.params
    write_recording_scores(
        params.samples,
        Path(snakemake.input.dataset),
        Path(snakemake.input.recording),
        {kind: Path(path) for kind, path in snakemake.output.items()},
        Extraction(params.positions, params.dtype, 0, {}),
        Asked(**params.asked),
    )
