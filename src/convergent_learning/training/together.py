"""Several trainings at once in one job, so that small networks share a GPU: a process for each."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import torch

from convergent_learning.training.loop import train
from convergent_learning.training.plan import PORTABLE, TrainingPlan
from convergent_learning.training.portable import VARIABLES
from convergent_learning.training.precision import Precision
from convergent_learning.training.stopping import TimeLimitError

_STOPPED_IN_TIME = 75  # exit status of a process that saved its state and stopped (EX_TEMPFAIL)
_LOG = logging.getLogger(__name__)


def train_together(
    plans: Sequence[TrainingPlan],
    dataset: Path,
    folders: Sequence[Path],
    state_folder: Path,
    deadline: float | None = None,
    code: str = "",
    precision: Precision | None = None,
) -> None:
    """Train the network of each plan into its folder, all at once.

    A single one is trained in this process, unless it is to be portable: that is decided before a
    process starts.
    The threads of this process are shared out evenly, at least one each. The other parameters are
    those of `loop.train`. A SIGTERM is passed on. When one training fails the others go on to their
    end; then RuntimeError names those that failed, or TimeLimitError if all they did was to stop
    in time.
    """
    portable = any(plan.precision == PORTABLE for plan in plans)
    if len(plans) == 1 and not portable:
        train(plans[0], dataset, folders[0], state_folder, deadline, code, precision)
        return
    threads = 1 if portable else max(1, torch.get_num_threads() // len(plans))
    children: list[_Child] = []
    with _terminated_with_this_process(children):
        for plan, folder in zip(plans, folders, strict=True):
            request = {
                "plan": plan.fields,
                "dataset": str(dataset),
                "folder": str(folder),
                "state_folder": str(state_folder),
                "deadline": deadline,
                "code": code,
                "precision": None if precision is None else asdict(precision),
                "threads": threads,
            }
            children.append(_Child(folder.name, request, VARIABLES if portable else {}))
        failures = {child.name: status for child in children if (status := child.wait())}
    if not failures:
        return
    message = "; ".join(f"{child.name}: {child.ending}" for child in children if child.status)
    if set(failures.values()) == {_STOPPED_IN_TIME}:
        raise TimeLimitError(message)
    raise RuntimeError(f"{len(failures)} of {len(plans)} trainings failed. {message}")


class _Child:
    """A process that trains one network; its log lines go to this process's log."""

    def __init__(self, name: str, request: dict, environment: dict[str, str]):
        self.name, self.status = name, 0
        self._last_lines: deque[str] = deque(maxlen=1)
        threads = str(request["threads"])
        self.process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads} | environment,
        )
        request_pipe, lines = self.process.stdin, self.process.stderr
        assert request_pipe is not None
        assert lines is not None
        request_pipe.write(json.dumps(request))
        request_pipe.close()
        self._relay = threading.Thread(target=self._log, args=(lines,), daemon=True)
        self._relay.start()

    def wait(self) -> int:
        """Exit status, once the process has ended and its last line is logged."""
        self.status = self.process.wait()
        self._relay.join()
        return self.status

    @property
    def ending(self) -> str:
        """Why it failed: its last line, which is its error, or the signal that killed it."""
        if self.status < 0:
            return f"killed by {signal.Signals(-self.status).name}"
        return "".join(self._last_lines) or f"exit status {self.status}"

    def _log(self, lines: Iterable[str]) -> None:
        for line in lines:
            if line.strip():
                self._last_lines.append(line.strip())
                _LOG.info("%s: %s", self.name, line.rstrip())


@contextlib.contextmanager
def _terminated_with_this_process(children: list[_Child]) -> Iterator[None]:
    """Pass SIGTERM on to the children, and end those that an error here would leave behind."""

    def terminate(*_: object) -> None:
        for child in children:
            if child.process.poll() is None:
                child.process.terminate()

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
        terminate()


def _child() -> int:
    """What a child process does: read its request, train."""
    request = json.load(sys.stdin)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    logging.captureWarnings(True)
    torch.set_num_threads(request["threads"])
    try:
        train(
            TrainingPlan.of(request["plan"]),
            Path(request["dataset"]),
            Path(request["folder"]),
            Path(request["state_folder"]),
            request["deadline"],
            request["code"],
            None if request["precision"] is None else Precision(**request["precision"]),
        )
    except TimeLimitError as stopped:
        print(stopped, file=sys.stderr)
        return _STOPPED_IN_TIME
    return 0


if __name__ == "__main__":
    sys.exit(_child())
