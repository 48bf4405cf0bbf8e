from pathlib import Path

from convergent_learning.tables.score_files import write_scores
from convergent_learning.workflow.checksums import intact
from convergent_learning.workflow.job import job

with job(snakemake) as record:
    asked, wildcards = snakemake.params, snakemake.wildcards
    folder, fitted = Path(snakemake.input.moments[0]), [*map(Path, snakemake.input.transfer)]
    record["taken_over"] = intact(
        Path("results").glob(f"*/scores/{wildcards.dataset}_{wildcards.block}*.parquet")
    )
    used = write_scores(
        [folder / f"{sample}.h5" for sample in asked.samples],
        Path(snakemake.output[0]),
        asked.metric_code,
        earlier=map(Path, record["taken_over"]),
        transfer_from=fitted[0] / f"{asked.identity}.h5" if fitted else None,
        centers=asked.centers,
        ridge=asked.ridge,
        rotated=asked.rotated,
        draws=asked.draws,
        seed=asked.seed,
        threads=snakemake.threads,
    )
    record["taken_over"] = {str(p): record["taken_over"][str(p)] for p in used}
