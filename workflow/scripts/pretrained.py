from pathlib import Path

from convergent_learning.networks.loading import describe_pretrained
from convergent_learning.workflow.job import job

with job(snakemake):
    describe_pretrained(
        snakemake.params.followed,
        snakemake.params.layers,
        snakemake.params.image_size,
        Path(snakemake.output[0]),
    )
