from pathlib import Path

from convergent_learning.jobs import start
from convergent_learning.training.loop import train
from convergent_learning.training.plan import TrainingPlan

start(snakemake)
train(
    TrainingPlan(**snakemake.params.plan),
    Path(snakemake.input.dataset),
    Path(snakemake.output[0]).parent,
    Path(snakemake.params.state),
)
