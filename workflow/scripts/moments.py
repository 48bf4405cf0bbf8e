from pathlib import Path

from convergent_learning.alignment.store import write_moments
from convergent_learning.workflow.job import job

with job(snakemake):
    folder = Path(snakemake.input.activations)
    write_moments(
        [folder / f"{network}.h5" for network in snakemake.params.networks],
        Path(snakemake.output[0]),
        mapped=snakemake.params.mapped,
        n_folds=snakemake.params.folds,
        seed=snakemake.params.seed,
        shuffled=True,
    )
