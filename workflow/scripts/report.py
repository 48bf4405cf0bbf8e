from pathlib import Path

from convergent_learning.experiment import Experiment
from convergent_learning.jobs import job
from convergent_learning.report.page import write_report
from convergent_learning.report.provenance import Source

with job(snakemake):
    out = Path(snakemake.output[0])
    write_report(
        Experiment(snakemake.params.config),
        out.parent,
        snakemake.params.figures,
        out,
        Source.computed(out.parent, Path(snakemake.params.repository)),
    )
