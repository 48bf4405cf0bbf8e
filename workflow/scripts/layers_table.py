from pathlib import Path

from convergent_learning.tables.facts import write_layers
from convergent_learning.workflow.job import job

with job(snakemake):
    moments = {
        Path(folder) / f"{sample}.h5": dataset
        for folder, (dataset, sample) in snakemake.params.files.items()
    }
    write_layers(moments, snakemake.params.architectures, Path(snakemake.output[0]))
