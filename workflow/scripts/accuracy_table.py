from pathlib import Path

from convergent_learning.jobs import start
from convergent_learning.setting import write_accuracy

start(snakemake)
write_accuracy([Path(path) for path in snakemake.input], Path(snakemake.output[0]))
