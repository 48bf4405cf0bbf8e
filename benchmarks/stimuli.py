"""Speed of the stimulus families at 32 pixels and their memory at 224.

    OMP_NUM_THREADS=1 python benchmarks/stimuli.py

The quick setting makes fewer images and prints the fastest and the slowest family alone.
"""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
from scoreboard import Row, parser, show
from sklearn.datasets import load_sample_images

from convergent_learning.images.spectra import mean_spectrum
from convergent_learning.stimuli import apply, families

# Images a second to reach on two cores, by family; 5,000 for the others.
TARGETS = {
    "phase_scrambling": 3000,
    "power_equalisation": 3000,
    "false_colour": 3000,
    "eidolon_I": 300,
    "eidolon_II": 300,
    "eidolon_III": 300,
}
OTHER_TARGET = 5000


def main() -> None:
    options = parser(__doc__).parse_args()
    rates = speeds(2_000 if options.quick else 10_000)
    if options.quick:
        ends = {"fastest": max(rates, key=rates.get), "slowest": min(rates, key=rates.get)}
        rows = [speed_row(f", {end} family", name, rates[name]) for end, name in ends.items()]
    else:
        rows = [speed_row("", name, rate) for name, rate in rates.items()] + memory()
    show(rows, options)


def speeds(n: int) -> dict[str, float]:
    """Images a second of each family at its last default level."""
    images = pieces(n, 32)
    spectrum = mean_spectrum(images)
    rates = {}
    for name, family in families().items():
        # Eidolons are made one by one: their rate does not depend on the number of images.
        batch = images if target(name) >= 1000 else images[: n // 4]
        level = family.default[-1]
        apply(name, batch[:2], level, spectrum=spectrum)
        start = time.perf_counter()
        apply(name, batch, level, spectrum=spectrum)
        rates[name] = len(batch) / (time.perf_counter() - start)
    return rates


def target(name: str) -> int:
    return TARGETS.get(name, OTHER_TARGET)


def speed_row(which: str, name: str, rate: float) -> Row:
    return Row(
        f"stimuli of 32 px{which}: {name} {families()[name].default[-1]}",
        f"{rate:,.0f} images/s",
        f"{rate / target(name):.1f}× the target",
        f"{target(name):,} images/s",
    )


def memory() -> list[Row]:
    """Working memory of each family for few and for many images."""
    images = pieces(64, 224)
    spectrum = mean_spectrum(images)
    rows = []
    for name, family in families().items():
        few, many = (peak(name, images[:n], family.default[-1], spectrum) for n in (16, 64))
        figure = f"stimuli of 224 px: {name}, working memory for 16 and 64 images"
        rows.append(Row(figure, f"{few:.0f} and {many:.0f} MB"))
    return rows


def pieces(n: int, side: int) -> np.ndarray:
    """Random pieces of the two photographs of scikit-learn."""
    photographs = load_sample_images().images
    generator = np.random.default_rng(0)
    height, width = photographs[0].shape[:2]
    rows = generator.integers(0, height - side, n)
    columns = generator.integers(0, width - side, n)
    return np.stack(
        [
            photographs[i % 2][y : y + side, x : x + side]
            for i, (y, x) in enumerate(zip(rows, columns, strict=True))
        ]
    )


def peak(name: str, images: np.ndarray, level: float | str, spectrum: np.ndarray) -> float:
    """Most memory in use at a time besides the images and the result, in MB."""
    tracemalloc.start()
    apply(name, images, level, spectrum=spectrum)
    most = tracemalloc.get_traced_memory()[1] - images.nbytes
    tracemalloc.stop()
    return most / 1e6


if __name__ == "__main__":
    main()
