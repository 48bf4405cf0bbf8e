"""Progress of long work: a bar on a terminal, plain lines in the log."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
_LOG = logging.getLogger(__name__)
_SECONDS_BETWEEN_LINES = 15


def track(steps: Iterable[T], description: str, initial: int = 0) -> Iterator[T]:
    """Yield from `steps`, whose length is known, showing how far it is.

    `initial` steps are already done (a resumed run) and count into the total.
    """
    assert isinstance(steps, Sized)
    total = initial + len(steps)
    last = time.monotonic()
    bar = tqdm(
        steps,
        desc=description,
        total=total,
        initial=initial,
        file=sys.stderr,
        disable=not sys.stderr.isatty(),
        leave=False,
    )
    for done, step in enumerate(bar, start=initial + 1):
        yield step
        if time.monotonic() - last > _SECONDS_BETWEEN_LINES or done == total:
            last = time.monotonic()
            _LOG.info("%s: %d of %d", description, done, total)
