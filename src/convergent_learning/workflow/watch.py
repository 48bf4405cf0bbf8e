"""A process beside each job says which signal ended the job, and ends what the job left behind.

A process that is killed can say nothing itself, and the processes that it started go on: a training
that nobody waits for would keep the lock that the next attempt at it needs, for hours.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

_VARIABLE = "CONVERGENT_LEARNING_JOB"  # in the environment of what a job starts, but for the watch
_DONE = b"\0done"
_MEMORY = (
    "The system does this when memory runs out, and a batch system when a job exceeds what it asked"
    " for: run fewer jobs at once (`--cores`), or give the machine or the job more memory"
)
_CAUSES = {
    "SIGKILL": _MEMORY,
    "SIGTERM": "A person or a batch system asked it to end: the same command goes on from here",
    "SIGBUS": "A file in memory was cut short, or a disk or `/dev/shm` is full",
    "SIGILL": "A library was built for another processor: install the locked environment anew",
}
_OTHER_CAUSE = "This is an error in a compiled library: the log says what it was doing"
_FATAL = {  # as `faulthandler` writes them
    "Aborted": "SIGABRT",
    "Bus error": "SIGBUS",
    "Floating-point exception": "SIGFPE",
    "Floating point exception": "SIGFPE",
    "Illegal instruction": "SIGILL",
    "Segmentation fault": "SIGSEGV",
}


@contextlib.contextmanager
def watched(log: str, rule: str) -> Iterator[None]:
    """Run the block under the watch of another process.

    If a signal ends this process inside the block, its name, the likely cause and, where the signal
    allows it, the place in the code are written to the file `log` and to the standard error, and
    the processes that this one started are sent SIGTERM.
    """
    mark = f"{os.getpid()}-{time.time_ns()}"
    command = [sys.executable, "-I", __file__, log, rule, mark]
    # In a session of its own, it outlives a signal to all processes of a terminal.
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, bufsize=0, start_new_session=True
    ) as watcher:
        pipe = watcher.stdin
        assert pipe is not None
        os.environ[_VARIABLE] = mark
        faulthandler.enable(pipe)
        faulthandler.register(signal.SIGTERM, pipe, all_threads=False, chain=True)
        try:
            yield
        finally:
            faulthandler.unregister(signal.SIGTERM)
            faulthandler.disable()
            del os.environ[_VARIABLE]
            with contextlib.suppress(BrokenPipeError):
                pipe.write(_DONE)


def likely_cause(text: str) -> str | None:
    """What the signal that `text` names means most often; None if it names none with a cause."""
    return next((cause for name, cause in _CAUSES.items() if name in text), None)


def _watch(log: str, rule: str, mark: str) -> None:
    """Wait for the end of the job, which closes the pipe; its last words are on it."""
    words = sys.stdin.buffer.read()
    if words.endswith(_DONE):
        return
    name, trace = _signal_behind(words.decode(errors="replace"))
    message = (
        f"job failed: process {mark.partition('-')[0]} of rule {rule} was ended by {name}."
        f" {likely_cause(name) or _OTHER_CAUSE}."
    )
    with open(log, "a", encoding="utf-8") as file:
        file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} CRITICAL {message}\n{trace}")
    print(message, file=sys.stderr, flush=True)
    _end_all(mark)


def _signal_behind(words: str) -> tuple[str, str]:
    """The name of a signal, and the place in the code; none of SIGKILL, which lets nothing run."""
    if not words:
        return "SIGKILL", ""
    _, fatal, reason = words.partition("Fatal Python error: ")
    if not fatal:
        return "SIGTERM", words
    reason = reason.partition("\n")[0]
    return _FATAL.get(reason, f"a fatal error ({reason})"), words


def _end_all(mark: str) -> None:
    """Send SIGTERM to the processes with this mark: a training saves its state and ends."""
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(_VARIABLE) == mark:
                process.terminate()


if __name__ == "__main__":
    _watch(*sys.argv[1:])
