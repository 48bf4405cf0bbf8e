"""Measures unit costs on this machine: from the benchmark files of finished runs.

    python -m convergent_learning.planning.calibrate results/cifar10 results/smoke

A run's folder is called like its experiment. Two runs of different size tell the start of a job
from its work; jobs that had the machine to themselves give the best numbers. What arithmetic costs
is measured by a convolution: narrow networks alone would not tell it from the cost of moving maps.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd
import torch

from convergent_learning.config.overlay import experiment_named
from convergent_learning.planning.costs import COMMITTED, fit, measured
from convergent_learning.planning.work import Workload
from convergent_learning.workflow.origin import processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", nargs="+", type=Path, help="folders results/<experiment>")
    parser.add_argument("--out", type=Path, default=COMMITTED, help="default: the committed file")
    options = parser.parse_args()
    tables = [
        measured(Workload(experiment_named(results.name)).jobs(), results)
        for results in options.results
    ]
    runs = [results.name for results in options.results]
    arithmetic = {"tflop:network": convolution_seconds()}
    costs = fit(pd.concat(tables, ignore_index=True), processor(), runs, arithmetic)
    costs.write(options.out)
    print(f"{sum(map(len, tables))} jobs of {', '.join(runs)}: {options.out}")


def convolution_seconds() -> float:
    """Seconds that one core needs for 10¹² operations of a wide 3 × 3 convolution in float32."""
    torch.set_num_threads(1)
    convolution = torch.nn.Conv2d(256, 256, 3, padding=1).to(memory_format=torch.channels_last)
    images = torch.randn(16, 256, 16, 16).to(memory_format=torch.channels_last)
    flop = 2 * images.numel() * 256 * 9
    seconds = []
    with torch.inference_mode():
        for _ in range(20):
            start = time.process_time()
            convolution(images)
            seconds.append(time.process_time() - start)
    return min(seconds) * 1e12 / flop


if __name__ == "__main__":
    main()
