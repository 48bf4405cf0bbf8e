from pathlib import Path

from convergent_learning.claims.evaluation import write_claims
from convergent_learning.workflow.job import job

with job(snakemake):
    write_claims(Path(snakemake.input.tables[0]).parent, Path(snakemake.output[0]))
