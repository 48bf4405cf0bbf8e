from pathlib import Path

from convergent_learning.config.experiment import Experiment
from convergent_learning.report.page import write_report
from convergent_learning.workflow.job import job
from convergent_learning.workflow.record import repository
from convergent_learning.workflow.sources import computed

with job(snakemake):
    out, experiment = Path(snakemake.output[0]), Experiment.of(snakemake.params.config)
    source = computed(experiment, repository(snakemake))
    write_report(experiment, out.parent, snakemake.params.figures, out, source)
