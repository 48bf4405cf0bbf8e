from pathlib import Path

from convergent_learning.claims.evaluation import write_claims
from convergent_learning.tables.storage import remove_others
from convergent_learning.workflow.job import job

with job(snakemake):
    tables = Path(snakemake.input.tables[0]).parent
    # Those of an earlier config would be taken for this one's, here and by whatever reads them.
    remove_others(tables, snakemake.params.made)
    write_claims(tables, Path(snakemake.output[0]))
