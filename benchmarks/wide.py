"""Cost of scores where units outnumber stimuli, in time and memory.

    OMP_NUM_THREADS=1 python benchmarks/wide.py

Random responses of low rank with noise, both directions, `ridge="cv"`, each case in a process of
its own; seconds include the import of torch. Scores from rows (alignment/row_scores.py) are
compared with those from second moments up to 2,501 units, where the latter take minutes and
gigabytes; the quick setting stops at 1,001 units.
"""

from __future__ import annotations

import json
import subprocess
import sys

from scoreboard import Row, parser, show

STIMULI = 1_000
CASE = """
import json, sys, time, warnings
import numpy as np
from convergent_learning.alignment import pair_scores, score
warnings.simplefilter("ignore")
n, units, metric, by_rows = json.loads(sys.argv[1])
if not by_rows:
    pair_scores.WIDE = units + 1
rng = np.random.default_rng(0)
latent = rng.standard_normal((n, 50), dtype=np.float32)
def layer():
    noise = rng.standard_normal((n, units), dtype=np.float32)
    noise *= 2
    noise += latent @ rng.standard_normal((50, units), dtype=np.float32)
    return noise
x, y = layer(), layer()
clock, processor = time.perf_counter(), time.process_time()
directions = score(x, y, metric)[metric].directions
clock, processor = time.perf_counter() - clock, time.process_time() - processor
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
folds = [*map(float, directions["x->y"]), *map(float, directions["y->x"])]
print(json.dumps([clock, processor, int(peak) / 1e6, folds]))
"""


def main():
    options = parser(__doc__).parse_args()
    rows = []
    for metric in ("linear", "procrustes"):
        for units in (1_000,) if options.quick else (1_000, 2_500):
            rows += against_moments(units + 1, metric)
        case = f"{STIMULI:,} × 25,000 with the same, {metric}, by rows"
        clock, processor, memory, _ = measured(25_000, metric, by_rows=True)
        rows.append(Row(case, told(clock, processor, memory), limit="≤ 10 s, ≤ 2 GB"))
    show(rows, options)


def against_moments(units, metric):
    case = f"{STIMULI:,} × {units:,} with the same, {metric}, by rows"
    *ours, folds = measured(units, metric, by_rows=True)
    *theirs, expected = measured(units, metric, by_rows=False)
    worst = max(abs(a - b) for a, b in zip(folds, expected, strict=True))
    return [
        Row(
            f"{case}; largest difference {worst:.0e}",
            told(*ours),
            f"{theirs[1] / ours[1]:.1f}× as fast",
            f"by second moments: {told(*theirs)}",
        )
    ]


def told(clock, processor, memory):
    return f"{clock:.1f} s ({processor:.1f} s of the processor), peak {memory:.2f} GB"


def measured(units, metric, by_rows):
    """Seconds by the clock and of the processor, peak memory in GB, and the fold scores."""
    case = json.dumps([STIMULI, units, metric, by_rows])
    command = [sys.executable, "-c", CASE, case]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
