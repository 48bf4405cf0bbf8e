import sys
from pathlib import Path

from convergent_learning.jobs import job
from convergent_learning.provenance.chain import print_chain

with job(snakemake):
    sys.exit(not print_chain(Path(snakemake.params.results), list(snakemake.input)))
