from pathlib import Path

from convergent_learning.alignment.score_tables import score_table
from convergent_learning.files import replace_when_done
from convergent_learning.workflow.job import job

with job(snakemake):
    table = score_table(
        Path(snakemake.input.moments[0]),
        (),
        between=snakemake.params.between,
        rotated=[snakemake.wildcards.metric],
        draws=snakemake.params.draws,
        seed=snakemake.params.seed,
    )
    with replace_when_done(Path(snakemake.output[0])) as partial:
        table.to_parquet(partial, index=False, write_page_checksum=True)
