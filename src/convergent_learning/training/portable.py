"""`precision: portable`: weights that do not depend on the processor.

Libraries choose their kernels by the instruction set, and other kernels sum in another order. Held
down to AVX2, with one thread and in float32, an Intel Xeon and an AMD EPYC gave the same bits
(docs/performance.md). The libraries read these variables once, so they are for a process that is
still to start.
"""

from __future__ import annotations

import os

import torch

VARIABLES = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "COMPATIBLE",
}


def check_portable(name: str) -> None:
    """Raise RuntimeError unless what the network `name` is trained with is portable here."""
    wrong = [key for key, value in VARIABLES.items() if os.environ.get(key) != value]
    if wrong:
        raise RuntimeError(
            f"training {name}: `precision: portable` needs {', '.join(wrong)} in the environment"
            " before Python starts, see convergent_learning.training.portable"
        )
    if (capability := torch.backends.cpu.get_cpu_capability()) != "AVX2":
        raise RuntimeError(
            f"training {name}: this processor computes with {capability}; `precision: portable`"
            " needs an x86-64 one with AVX2, use another precision here"
        )
    if (threads := torch.get_num_threads()) != 1:
        raise RuntimeError(
            f"training {name}: `precision: portable` needs one thread, but has {threads}"
        )
