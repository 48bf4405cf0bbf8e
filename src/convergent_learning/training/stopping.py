"""When a training must save and stop: its time limit is near, or it was sent SIGTERM."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator


class TimeLimitError(RuntimeError):
    """Training stopped before its end and saved its state: started again, it goes on."""


@contextlib.contextmanager
def reason_to_stop(deadline: float | None) -> Iterator[Callable[[], str]]:
    """Yield a function that says why to stop now; it returns an empty text while nothing is wrong.

    `deadline` is a value of ``time.monotonic()``, or None for no limit. SIGTERM, with which batch
    systems announce the end of a job, is heard inside the block only, and in the main thread only.
    """
    terminated = threading.Event()
    hears_signals = threading.current_thread() is threading.main_thread()
    if hears_signals:
        previous = signal.signal(signal.SIGTERM, lambda number, frame: terminated.set())

    def reason() -> str:
        if terminated.is_set():
            return "SIGTERM"
        if deadline is not None and time.monotonic() >= deadline:
            return "the time limit of its job is near"
        return ""

    try:
        yield reason
    finally:
        if hears_signals:
            signal.signal(signal.SIGTERM, previous)


def deadline_of(minutes: float) -> float:
    """The ``time.monotonic()`` value at which a job of `minutes` that starts now should stop.

    A twentieth of the time, two minutes at most, is left for a step, the state and the clean-up.
    """
    seconds = 60 * minutes
    return time.monotonic() + seconds - min(120, seconds / 20)
