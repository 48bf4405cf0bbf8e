"""Lines at the bottom of a terminal, drawn anew while everything else scrolls above them."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable

_SECONDS_BETWEEN_DRAWINGS = 1.0
_STREAMS = (1, 2)  # descriptors of the standard output and the standard error


class Screen:
    """A stream to the terminal behind the standard error, with `lines` below what is written.

    Whatever this process and those that it starts write to the terminal would run into the lines.
    Until `close`, it goes into a pipe instead, from which it is written above them.
    """

    def __init__(self, lines: Callable[[], list[str]]):
        self._lines = lines
        self._lock = threading.RLock()
        self._drawn, self._unwritten, self._closing = 0, "", False
        self._terminal = open(os.dup(2), "wb")  # noqa: SIM115 - until the end
        self._pipe, self._end = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._streams = {fd: os.dup(fd) for fd in _STREAMS if os.isatty(fd)}
        for fd in self._streams:
            os.dup2(self._end, fd)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def write(self, text: str) -> None:
        """Keep text until `flush`."""
        self._unwritten += text

    def flush(self) -> None:
        """Show what was written."""
        text, self._unwritten = self._unwritten, ""
        self._show(text.encode())

    def isatty(self) -> bool:
        return True

    def draw(self) -> None:
        """Draw the lines anew."""
        self._show(b"")

    def close(self) -> None:
        """Draw the lines for the last time, and give the terminal back."""
        if self._closing:
            return
        self._closing = True
        sys.stdout.flush()
        sys.stderr.flush()
        for fd, stream in self._streams.items():
            os.dup2(stream, fd)
            os.close(stream)
        os.close(self._end)
        self._reader.join()
        self.draw()
        self._terminal.close()

    def _read(self) -> None:
        """Show what comes out of the pipe line by line; the last one need not end."""
        rest = b""
        while True:
            seconds = 0 if self._closing else _SECONDS_BETWEEN_DRAWINGS
            if select.select([self._pipe], [], [], seconds)[0]:
                data = os.read(self._pipe, 1 << 16)
                if not data:
                    break
                whole, newline, rest = (rest + data).rpartition(b"\n")
                self._show(whole + newline)
            elif self._closing:  # Processes that were left behind may hold the other end.
                break
            else:
                self.draw()
        os.close(self._pipe)
        if rest:
            self._show(rest + b"\n")

    def _show(self, text: bytes) -> None:
        # Before the lock: whoever holds what the lines are made of may wait to draw.
        lines = self._lines()
        # The terminal may be gone; what is written to the pipe must be read all the same.
        with self._lock, contextlib.suppress(OSError):
            columns, rows = os.get_terminal_size(self._terminal.fileno())
            lines = [line[: (columns or 80) - 1] for line in lines][: (rows or 24) - 1]
            erased = f"\x1b[{self._drawn}A\x1b[J" if self._drawn else ""
            drawn = "".join(f"{line}\n" for line in lines)
            self._terminal.write(erased.encode() + text + drawn.encode())
            self._terminal.flush()
            self._drawn = len(lines)
