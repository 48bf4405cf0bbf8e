from pathlib import Path

from convergent_learning.jobs import job
from convergent_learning.networks.loading import describe_pretrained

with job(snakemake):
    pretrained = snakemake.params.pretrained
    describe_pretrained(
        pretrained,
        snakemake.params.layers,
        snakemake.params.image_size,
        Path(snakemake.output[0]),
    )
