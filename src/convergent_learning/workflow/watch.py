"""A process beside each job says which signal ended the job, and ends what the job left behind.

A process that is killed can say nothing itself, and the processes that it started go on: a training
that nobody waits for would keep the lock that the next attempt at it needs, for hours.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

_VARIABLE = "CONVERGENT_LEARNING_JOB"  # in the environment of what a job starts, but for the watch
_DONE = b"\0done"
_SECONDS_TO_END = 30  # for the watch, once the job has said that it is done
# Those that end a process by default, and that a person or a batch system sends.
_SENT = ("SIGTERM", "SIGHUP", "SIGXCPU", "SIGUSR1", "SIGUSR2")
_SILENT = "ended without a word, most likely by SIGKILL"  # which lets nothing run
_MEMORY = (
    "The system does this when memory runs out, and a batch system when a job exceeds what it asked"
    " for: run fewer jobs at once (`--cores`), or give the machine or the job more memory"
)
_AGAIN = "Run the same command again to resume"
_CAUSES = {
    "SIGKILL": _MEMORY,
    "SIGTERM": f"A person or a batch system asked it to end. {_AGAIN}",
    "SIGHUP": f"The terminal or connection that it ran in was closed. {_AGAIN}",
    "SIGXCPU": "It used all the processor time that it is allowed (`ulimit -t`)",
    "SIGUSR": f"A batch system does this when the time of a job is nearly over. {_AGAIN}",
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
    allows it, the place in the code are written to the files `log` and `report_path(log)` and to
    the standard error, and the processes that this one started are sent SIGTERM.
    """
    mark = f"{os.getpid()}-{time.time_ns()}"
    # Whatever ignores or handles one of these already (nohup, a caller) is not ended by it.
    names = [
        name for name in _SENT if signal.getsignal(signal.Signals[name]) is signal.Handlers.SIG_DFL
    ]
    with contextlib.ExitStack() as stack:
        # A trace does not say which signal caused it, so each signal has a file of its own.
        traces = {name: stack.enter_context(tempfile.TemporaryFile(buffering=0)) for name in names}
        places = [f"{name}={file.fileno()}" for name, file in traces.items()]
        watcher = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-I", __file__, log, rule, mark, *places],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                bufsize=0,
                pass_fds=[file.fileno() for file in traces.values()],
                # In a session of its own, it outlives a signal to all processes of a terminal.
                start_new_session=True,
            )
        )
        pipe = watcher.stdin
        assert pipe is not None
        os.register_at_fork(after_in_child=lambda: _silence(pipe, traces.values()))
        os.environ[_VARIABLE] = mark
        faulthandler.enable(pipe)
        for name, file in traces.items():
            faulthandler.register(signal.Signals[name], file, all_threads=False, chain=True)
        try:
            yield
        finally:
            for name in traces:
                faulthandler.unregister(signal.Signals[name])
            faulthandler.disable()
            del os.environ[_VARIABLE]
            with contextlib.suppress(BrokenPipeError):
                pipe.write(_DONE)
            try:
                watcher.wait(_SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                watcher.kill()


def report_path(log: str) -> Path:
    """Where reports on killed attempts at a job outlast its log, until an attempt succeeds."""
    return Path(f"{log}.ended")


def _silence(pipe: IO[bytes], traces: Iterable[IO[bytes]]) -> None:
    """Send to nowhere what a forked child would tell the watch, as if it were the job."""
    if pipe.closed:
        return
    os.dup(pipe.fileno())  # The watch finds a forked child by the pipe that it holds.
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for file in (pipe, *traces):
        os.dup2(nowhere, file.fileno(), inheritable=False)


def likely_cause(text: str) -> str | None:
    """What the signal that `text` names means most often; None if it names none with a cause."""
    return next((cause for name, cause in _CAUSES.items() if name in text), None)


def _watch(log: str, rule: str, mark: str, *places: str) -> None:
    """Wait for the end of the job, and report it unless the job said that it is done."""
    for name in _SENT:  # A batch system may send these to every process of a job.
        signal.signal(signal.Signals[name], signal.SIG_IGN)
    job = mark.partition("-")[0]
    words = _last_words(int(job))
    if words.endswith(_DONE):
        return
    traces = {}
    for name, _, descriptor in (place.partition("=") for place in places):
        with open(int(descriptor), "rb") as file:
            file.seek(0)
            traces[name] = file.read().decode(errors="replace")
    ending, trace = _ending(words.decode(errors="replace"), traces)
    cause = likely_cause(ending) or _OTHER_CAUSE
    message = f"job failed: process {job} of rule {rule} {ending}. {cause}."
    _end_all(mark)
    with contextlib.suppress(OSError):  # The terminal may be gone.
        print(message, file=sys.stderr, flush=True)
    for path in (Path(log), report_path(log)):
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} CRITICAL {message}\n{trace}")


def _last_words(job: int) -> bytes:
    """What process `job`, the parent of this one, wrote on the pipe until it was done or ended.

    Forked children of the job keep the pipe open, so that its end may not come.
    """
    words = b""
    while not words.endswith(_DONE):
        alive = os.getppid() == job  # A process whose parent ends gets another one.
        if select.select([sys.stdin], [], [], 1 if alive else 0)[0]:
            part = os.read(sys.stdin.fileno(), 1 << 16)
            if not part:
                break
            words += part
        elif not alive:
            break
    return words


def _ending(words: str, traces: dict[str, str]) -> tuple[str, str]:
    """How the job ended, and the place in the code if it is known."""
    _, fatal, reason = words.partition("Fatal Python error: ")
    if fatal:
        reason = reason.partition("\n")[0]
        return f"was ended by {_FATAL.get(reason, f'a fatal error ({reason})')}", words
    for name, trace in traces.items():
        if trace:
            return f"was ended by {name}", trace
    return _SILENT, ""


def _end_all(mark: str) -> None:
    """Send SIGTERM to the processes with this mark: a training saves its state and ends."""
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(_VARIABLE) == mark or _is_forked(process.pid):
                process.terminate()


def _is_forked(pid: int) -> bool:
    """Whether a process is a forked child of the job: it has the environment in which the job was
    started, without the mark, but holds the pipe. Without ``/proc`` such children are not found.
    """
    folder = f"/proc/{pid}/fd"
    pipe = os.readlink("/proc/self/fd/0")
    return pid != os.getpid() and any(
        os.readlink(f"{folder}/{each}") == pipe for each in os.listdir(folder)
    )


if __name__ == "__main__":
    _watch(*sys.argv[1:])
