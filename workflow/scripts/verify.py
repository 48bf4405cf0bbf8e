import sys
from pathlib import Path

from convergent_learning.config.design import Design
from convergent_learning.config.experiment import Experiment
from convergent_learning.files import DamagedFileError
from convergent_learning.verify.anchors import anchor_tables
from convergent_learning.verify.fingerprints import fingerprints
from convergent_learning.verify.printed import lines
from convergent_learning.verify.reference import BadReferenceError
from convergent_learning.verify.result import verify, write_verification
from convergent_learning.workflow.job import job

try:
    with job(snakemake):
        results = Path(snakemake.input.claims).parent
        for earlier in ("verify.json", "verify.csv"):
            (results / earlier).unlink(missing_ok=True)
        config = snakemake.params.config
        design = Design(Experiment.of(config))
        anchors = anchor_tables(design) if design.anchors else None
        digests = fingerprints(design, Path())
        found = verify(Path(snakemake.params.reference), results, config, anchors, digests)
        # Not outputs of the rule: Snakemake would delete them where the comparison fails.
        write_verification(found, results / "verify.json", results / "verify.csv")
        print(*lines(found), sep="\n")
except (BadReferenceError, DamagedFileError) as error:
    sys.exit(f"verify: {error}")
sys.exit(not found.passed)
