from pathlib import Path

from convergent_learning.experiment import Experiment
from convergent_learning.jobs import job
from convergent_learning.tables.facts import write_datasets

with job(snakemake):
    experiment = Experiment(snakemake.params.config)
    files = dict(zip(experiment.datasets, map(Path, snakemake.input), strict=True))
    write_datasets(experiment, files, Path(snakemake.output[0]))
