from pathlib import Path

from convergent_learning.datasets.canonical import prepare
from convergent_learning.jobs import start

start(snakemake)
prepare(snakemake.wildcards.dataset, Path(snakemake.output[0]), snakemake.params.source)
