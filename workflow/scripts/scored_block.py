from pathlib import Path

from convergent_learning.activations.block import Block
from convergent_learning.tables.scored_block import score_block
from convergent_learning.workflow.checksums import intact
from convergent_learning.workflow.job import job

with job(snakemake) as record:
    asked, wildcards, out = snakemake.params, snakemake.wildcards, snakemake.output
    record["taken_over"] = intact(
        Path("results").glob(f"*/scores/{wildcards.dataset}_{wildcards.block}*.parquet")
    )
    block = Block(
        Path(snakemake.input.dataset),
        positions=asked.positions,
        dtype=asked.dtype,
        n_folds=asked.folds,
        seed=asked.seed,
        code=asked.response_code,
        kept=Path(asked.kept) if asked.kept else None,
    )
    used = score_block(
        block,
        asked.samples,
        next(iter(asked.identity), None),
        Path(out.scores),
        asked.metric_code,
        earlier=map(Path, record["taken_over"]),
        centers=asked.centers,
        ridge=asked.ridge,
        rotated=asked.rotated,
        draws=asked.draws,
        seed=asked.seed,
        threads=snakemake.threads,
    )
    block.write_facts(Path(out.accuracy), Path(out.layers))
    record["taken_over"] = {str(p): record["taken_over"][str(p)] for p in used}
