from pathlib import Path

from convergent_learning.experiment import Experiment
from convergent_learning.jobs import job
from convergent_learning.tables.facts import write_conditions

with job(snakemake):
    write_conditions(Experiment(snakemake.params.config), Path(snakemake.output[0]))
