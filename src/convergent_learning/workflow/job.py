"""What every job of the workflow does around its work: log, threads, provenance."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from convergent_learning.workflow.checksums import checked_digest
from convergent_learning.workflow.record import finish, record_of, record_path
from convergent_learning.workflow.watch import likely_cause, report_path, watched


@contextlib.contextmanager
def job(snakemake: Any, digest: Callable[[Path], str] = checked_digest) -> Iterator[dict[str, Any]]:
    """Run the block as the job of a rule, with its record; stamp its outputs if it succeeds.

    Log lines and any traceback go to the rule's log file, torch keeps to the rule's threads, and
    outputs carry the job's provenance (`workflow.record`). `snakemake` is the object that
    Snakemake gives a script. The numerical libraries' own thread variables are set by Snakemake
    before the interpreter starts. A signal that ends the job is reported (`workflow.watch`).
    """
    _start(snakemake)
    with watched(snakemake.log[0], snakemake.rule):
        record = record_of(snakemake, digest)
        try:
            yield record
        except Exception as error:
            # It may name the signal that ended a process which the job started.
            cause = likely_cause(str(error))
            if cause is not None:
                error.add_note(cause)
            raise
        if snakemake.output:
            finish(record, snakemake.output, record_path(snakemake.log[0]))
    report_path(snakemake.log[0]).unlink(missing_ok=True)


def _start(snakemake: Any) -> None:
    # The log begins with how earlier attempts were ended, which would be lost otherwise.
    report = report_path(snakemake.log[0])
    Path(snakemake.log[0]).write_bytes(report.read_bytes() if report.exists() else b"")
    logging.basicConfig(
        filename=snakemake.log[0],
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    # What imports took: benchmarks/experiment.py sums it over the logs of a run.
    logging.info("work starts %.2f s after the process", _seconds_since_process_start())
    logging.captureWarnings(True)
    sys.excepthook = _log_then_print
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(snakemake.threads)


def _seconds_since_process_start() -> float:
    """Wall time since this process was created; where the system does not say, its CPU time."""
    try:
        statistics = Path("/proc/self/stat").read_text()
    except OSError:
        return time.process_time()
    # Field 22, in clock ticks since boot; the name of the program before it may hold spaces.
    created = int(statistics.rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - created


def _log_then_print(kind, error, traceback) -> None:
    logging.critical("job failed", exc_info=(kind, error, traceback))
    sys.__excepthook__(kind, error, traceback)
