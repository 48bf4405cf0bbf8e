import sys
from pathlib import Path

from convergent_learning.files import DamagedFileError
from convergent_learning.verification.reference import ReferenceError
from convergent_learning.verification.verify import lines, verify, write_verification
from convergent_learning.workflow.job import job

with job(snakemake):
    results = Path(snakemake.input.claims).parent
    for earlier in ("verify.json", "verify.csv"):
        (results / earlier).unlink(missing_ok=True)
    try:
        found = verify(Path(snakemake.params.reference), results, snakemake.params.config)
    except (ReferenceError, DamagedFileError) as error:
        sys.exit(f"verify: {error}")
    # Not outputs of the rule: Snakemake would delete them where the comparison fails.
    write_verification(found, results / "verify.json", results / "verify.csv")
    print(*lines(found), sep="\n")
    sys.exit(not found.passed)
