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


def track(
    steps: Iterable[T], description: str, initial: int = 0, scale: int = 1, unit: str = ""
) -> Iterator[T]:
    """Yield from `steps`, whose length is known, showing how far it is and what time is left.

    `initial` steps are already done (a resumed run) and count into the total. Speed is shown in
    `scale` units a step, for example the images of a batch.
    """
    assert isinstance(steps, Sized)
    total = initial + len(steps)
    start = last = time.monotonic()
    bar = tqdm(
        steps,
        desc=description,
        total=total,
        initial=initial,
        unit=f" {unit}" if unit else "it",
        unit_scale=scale if unit else False,
        file=sys.stderr,
        disable=not sys.stderr.isatty(),
        leave=False,
    )
    for done, step in enumerate(bar, start=initial + 1):
        yield step
        now = time.monotonic()
        if now - last > _SECONDS_BETWEEN_LINES or done == total:
            last = now
            speed = (done - initial) / max(now - start, 1e-9)
            shown = f", {scale * speed:.0f} {unit}/s" if unit else ""
            left = tqdm.format_interval((total - done) / speed)
            _LOG.info("%s: %d of %d%s, %s left", description, done, total, shown, left)
