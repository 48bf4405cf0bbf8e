"""The machine that this process runs on."""

from __future__ import annotations

import platform
from pathlib import Path


def processor() -> str:
    """Model of the processor, as the system calls it."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
