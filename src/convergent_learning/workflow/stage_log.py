"""What a run prints: a line for each stage instead of several for each job.

On a terminal the lines stay at the bottom and are kept up to date; elsewhere each stage has a few.
Everything that Snakemake says stays in `.snakemake/log`, and what it says of errors is printed.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from snakemake.logging import (
    ColorizingTextHandler,
    DefaultFormatter,
    LogEvent,
    LogHandlerBase,
    get_event,
)

from convergent_learning.workflow.screen import Screen

# Snakemake loads all loggers that are installed, for other workflows too, which need not have what
# the plan is made with.
if TYPE_CHECKING:
    from convergent_learning.config.costs import Costs
    from convergent_learning.workflow.time_left import Progress

_TARGET = "all"  # the rule that asks for everything and does nothing
# Of the run as a whole, which the stages show, and of single jobs.
_SHOWN_BY_STAGES = {
    LogEvent.WORKFLOW_STARTED,
    LogEvent.RESOURCES_INFO,
    LogEvent.RUN_INFO,
    LogEvent.GROUP_INFO,
    LogEvent.JOB_INFO,
    LogEvent.JOB_STARTED,
    LogEvent.JOB_FINISHED,
    LogEvent.PROGRESS,
    LogEvent.SHELLCMD,
}
_OF_EACH_JOB = re.compile(
    "Select jobs to execute|Job rate limit reached"
    "|Job .* has been submitted|Submitted array job|Auto-selected partition"
)


class StageLog(LogHandlerBase):
    """The logger `convergent-learning` of Snakemake.

    A dry run, and one that is asked for more (`--verbose`, `--debug-dag`) or for less (`--quiet`),
    prints what Snakemake does. `costs` come from the Snakefile.
    """

    costs: Costs | None = None

    def __post_init__(self) -> None:
        asked = self.common_settings
        self._progress: Progress | None = None
        self._following = threading.RLock()  # the screen reads what the events change
        self._slots, self._cluster = 1, False
        self._everything = bool(
            asked.dryrun or asked.verbose or asked.debug_dag or asked.quiet or asked.stdout
        )
        movable = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._screen = Screen(self._table) if movable and not self._everything else None
        self._printed = ColorizingTextHandler(
            asked.nocolor,
            self._screen or (sys.stdout if asked.stdout else sys.stderr),
            DefaultFormatter(asked.quiet, asked.show_failed_logs),
        )

    @property
    def writes_to_stream(self) -> bool:
        return True

    @property
    def writes_to_file(self) -> bool:
        return False

    @property
    def has_filter(self) -> bool:
        return False

    @property
    def has_formatter(self) -> bool:
        return True

    @property
    def needs_rulegraph(self) -> bool:
        return False

    def emit(self, record: logging.LogRecord) -> None:
        try:
            # Snakemake's queue of records makes text of a missing message.
            if record.msg == "None":
                record.msg = None
            if self._everything or not self._is_followed(record):
                self._printed.emit(record)
        except Exception:
            self.handleError(record)

    def close(self) -> None:
        if self._screen is not None:
            self._screen.close()
        super().close()

    def _is_followed(self, record: logging.LogRecord) -> bool:
        """Take note of what happens to jobs; whether the stages show it already."""
        event = get_event(record)
        with self._following:
            self._follow(event, record.created, record.__dict__)
        return event in _SHOWN_BY_STAGES or (
            record.levelno < logging.WARNING and _OF_EACH_JOB.match(str(record.msg)) is not None
        )

    def _follow(self, event: LogEvent | None, now: float, of: dict[str, Any]) -> None:
        """Take note of an event; `of` holds what Snakemake says of it."""
        if event == LogEvent.RESOURCES_INFO:
            self._slots = of.get("cores") or of.get("nodes") or self._slots
            self._cluster = self._cluster or "nodes" in of
        elif event == LogEvent.RUN_INFO:
            self._begin(of["stats"], now)
        elif self._progress is not None:
            if event == LogEvent.JOB_INFO:
                about = (of["rule_name"], of["wildcards"], of["threads"])
                self._progress.start(of["jobid"], *about, now)
            elif event == LogEvent.JOB_FINISHED:
                self._finish(self._progress, of["job_id"], now)
            elif event == LogEvent.JOB_ERROR:
                self._progress.fail(of["jobid"])
            elif event == LogEvent.GROUP_ERROR:
                for job in of["job_error_info"]:
                    self._progress.fail(job["jobid"])

    def _begin(self, stats: dict[str, int], now: float) -> None:
        from convergent_learning.workflow.time_left import Plan, Progress

        plan = Plan({}, {}) if self.costs is None else Plan.of(self.costs)
        counts = {rule: n for rule, n in stats.items() if rule not in (_TARGET, "total")}
        self._progress = Progress(plan, counts, now, self._slots, self._cluster)
        if self._screen is None:
            self._say(self._progress.first_line(now), now)

    def _finish(self, progress: Progress, number: int, now: float) -> None:
        stage = progress.finish(number, now)
        if self._screen is not None:
            self._screen.draw()
        elif stage is not None and progress.is_news(stage):
            self._say(progress.line(now, stage), now)

    def _say(self, line: str, now: float) -> None:
        clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(now))
        print(f"{clock} {line}", file=sys.stderr, flush=True)

    def _table(self) -> list[str]:
        with self._following:
            return [] if self._progress is None else self._progress.table(time.time())
