from pathlib import Path

from convergent_learning.alignment.score_tables import rotated_table
from convergent_learning.files import replace_when_done
from convergent_learning.workflow.job import job

with job(snakemake):
    table = rotated_table(
        Path(snakemake.input.moments[0]),
        snakemake.wildcards.metric,
        snakemake.params.draws,
        snakemake.params.seed,
        between=snakemake.params.between,
    )
    with replace_when_done(Path(snakemake.output[0])) as partial:
        table.to_parquet(partial, index=False, write_page_checksum=True)
