"""What every job of the workflow does first: its log, its threads."""

from __future__ import annotations

import logging
import sys
from typing import Any


def start(snakemake: Any) -> None:
    """Send log lines and any traceback to the rule's log file and limit torch to its threads.

    `snakemake` is the object that Snakemake gives a script. The numerical libraries' own thread
    variables are set by Snakemake before the interpreter starts.
    """
    logging.basicConfig(
        filename=snakemake.log[0],
        filemode="w",
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    logging.captureWarnings(True)
    sys.excepthook = _log_then_print
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(snakemake.threads)


def _log_then_print(kind, error, traceback) -> None:
    logging.critical("job failed", exc_info=(kind, error, traceback))
    sys.__excepthook__(kind, error, traceback)
