import sys
from pathlib import Path

from convergent_learning.workflow.chain import print_chain
from convergent_learning.workflow.job import job

with job(snakemake):
    results = Path(snakemake.input.claims).parent
    sys.exit(not print_chain(results, list(snakemake.input)))
