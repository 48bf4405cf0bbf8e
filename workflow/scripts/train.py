from pathlib import Path

from convergent_learning.training.precision import read_precision
from convergent_learning.training.stopping import deadline_of
from convergent_learning.training.together import train_together
from convergent_learning.workflow.checksums import remove_damaged
from convergent_learning.workflow.job import job

with job(snakemake):
    remove_damaged(map(Path, snakemake.output))
    chosen = [read_precision(Path(path)) for path in snakemake.input.precision]
    train_together(
        snakemake.params.plans,
        Path(snakemake.input.dataset[0]),
        [Path(folder) for folder in snakemake.params.folders],
        Path(snakemake.params.state),
        deadline_of(snakemake.resources.runtime),
        snakemake.params.code,
        next(iter(chosen), None),
    )
