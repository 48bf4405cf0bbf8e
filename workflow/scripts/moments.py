from pathlib import Path

from convergent_learning.activations.block import write_block
from convergent_learning.workflow.job import job

with job(snakemake):
    kept = snakemake.params.kept
    write_block(
        snakemake.params.samples,
        Path(snakemake.input.dataset),
        Path(snakemake.output.moments),
        Path(snakemake.output.accuracy),
        Path(snakemake.output.layers),
        positions=snakemake.params.positions,
        dtype=snakemake.params.dtype,
        n_folds=snakemake.params.folds,
        seed=snakemake.params.seed,
        code=snakemake.params.response_code,
        kept=Path(kept) if kept else None,
    )
