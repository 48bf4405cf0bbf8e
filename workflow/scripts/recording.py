from pathlib import Path

from convergent_learning.recordings.canonical import prepare_recording, read_recording
from convergent_learning.recordings.systems import scored_systems
from convergent_learning.workflow.job import job

with job(snakemake):
    out, entry = Path(snakemake.output[0]), snakemake.params.entry
    prepare_recording(entry, out)
    # Refused now if some system gives no scores, and not after networks were trained.
    try:
        systems = scored_systems(read_recording(out))
    except ValueError as error:
        raise ValueError(f"{entry.get('source')}: {error}") from None
    for system in systems:
        print(system.about)
