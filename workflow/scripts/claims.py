from convergent_learning.claims.entries import print_claims
from convergent_learning.workflow.job import job

with job(snakemake):
    print_claims(snakemake.input[0])
