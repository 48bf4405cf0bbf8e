"""Time and memory of the measures of all stimuli, each in a process of its own.

    OMP_NUM_THREADS=2 python benchmarks/measures.py

Synthetic float32 responses of 512 units a side; three minutes on 2 cores. The quick setting takes
one measure of each kind: of inner products, of patterns and of units.
"""

from __future__ import annotations

import subprocess
import sys

from scoreboard import Row, parser, show

from convergent_learning.alignment import measures

STIMULI, UNITS, LIMIT = 10_000, 512, 4096
QUICK = ("cka", "rsa", "angular_procrustes")
MEASURE = """
import sys, time
import numpy as np
from convergent_learning.alignment import measure

name, n, units, gram = sys.argv[1], *map(int, sys.argv[2:])
rng = np.random.default_rng(0)
shared = rng.standard_normal((n, units), dtype=np.float32)
x, y = (shared + rng.standard_normal((n, units), dtype=np.float32) for _ in range(2))
if gram:
    x, y = x @ x.T, y @ y.T
start = time.perf_counter()
measure(x, y, name, gram=bool(gram))
seconds = time.perf_counter() - start
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(seconds, int(peak) / 1024)
"""


def main():
    options = parser(__doc__).parse_args()
    names = QUICK if options.quick else measures()
    asked = [(name, 0) for name in names] + [("cka", 1)]
    show([measured(*each) for each in asked], options)


def measured(name, gram):
    arguments = [name, STIMULI, UNITS, gram]
    command = [sys.executable, "-c", MEASURE, *map(str, arguments)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    seconds, peak = map(float, output.split())
    given = "float32 Gram matrices" if gram else f"{UNITS} units"
    return Row(
        f"measure {name}, {STIMULI:,} stimuli, {given} a side",
        f"{seconds:.1f} s, peak {peak:,.0f} MiB",
        limit=f"≤ {LIMIT:,} MiB",
    )


if __name__ == "__main__":
    main()
