from pathlib import Path

import pandas as pd

from convergent_learning.alignment.comparisons import CONTEXT
from convergent_learning.alignment.score_tables import score_table
from convergent_learning.files import replace_when_done
from convergent_learning.workflow.job import job

with job(snakemake):
    metric = snakemake.wildcards.metric
    tables = [
        score_table(
            Path(moments),
            [] if metric == CONTEXT else [metric],
            between=snakemake.params.between,
            centers=snakemake.params.centers,
            transfer_from=next(iter(snakemake.input.transfer), None),
            ridge=snakemake.params.ridge,
            context=metric == CONTEXT,
        )
        for moments in snakemake.input.moments
    ]
    table = pd.concat(tables, ignore_index=True)
    with replace_when_done(Path(snakemake.output[0])) as partial:
        table.to_parquet(partial, index=False, write_page_checksum=True)
