from pathlib import Path

from convergent_learning.activations.block import Block
from convergent_learning.activations.shuffled import write_shuffled_scores
from convergent_learning.workflow.job import job

with job(snakemake):
    asked = snakemake.params
    block = Block(
        Path(snakemake.input.dataset),
        positions=asked.positions,
        dtype=asked.dtype,
        n_folds=asked.folds,
        seed=asked.seed,
        code=asked.response_code,
        kept=None,
    )
    write_shuffled_scores(
        block,
        asked.sample,
        Path(snakemake.output[0]),
        list(asked.metric_code),
        asked.draws,
        crossed=asked.crossed,
        ridge=asked.ridge,
        threads=snakemake.threads,
    )
