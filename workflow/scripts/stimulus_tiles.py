from pathlib import Path

from convergent_learning.jobs import start
from convergent_learning.stimuli.thumbnails import thumbnails

start(snakemake)
thumbnails(
    Path(snakemake.input.identity),
    [Path(path) for path in snakemake.input.conditions],
    Path(snakemake.output.png),
    Path(snakemake.output.csv),
)
