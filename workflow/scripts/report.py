from pathlib import Path

from convergent_learning.config.experiment import Experiment
from convergent_learning.report.page import write_report
from convergent_learning.workflow.job import job
from convergent_learning.workflow.record import repository
from convergent_learning.workflow.sources import computed

with job(snakemake):
    out = Path(snakemake.output[0])
    write_report(
        Experiment.of(snakemake.params.config),
        out.parent,
        snakemake.params.figures,
        out,
        computed(out.parent, repository(snakemake)),
    )
