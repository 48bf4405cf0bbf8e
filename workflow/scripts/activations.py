from pathlib import Path

from convergent_learning.activations.extract import extract
from convergent_learning.jobs import start

start(snakemake)
extract(
    [Path(path) for path in snakemake.input.checkpoints],
    Path(snakemake.input.stimuli),
    Path(snakemake.output.activations),
    Path(snakemake.output.accuracy),
    snakemake.params.layers,
    snakemake.params.positions,
    snakemake.params.dtype,
)
