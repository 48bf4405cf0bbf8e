from pathlib import Path

from convergent_learning.experiment import Experiment
from convergent_learning.setting import write_conditions
from convergent_learning.workflow.job import job

with job(snakemake):
    write_conditions(Experiment(snakemake.params.config), Path(snakemake.output[0]))
