from pathlib import Path

from convergent_learning.recordings.canonical import prepare_recording, read_recording
from convergent_learning.recordings.systems import scored_systems
from convergent_learning.workflow.job import job

with job(snakemake):
    out = Path(snakemake.output[0])
    prepare_recording(snakemake.params.entry, out)
    # Refused now if nothing of a system can be scored, and not after networks were trained.
    for system in scored_systems(read_recording(out)):
        print(system.about)
