"""Speed of the stimulus families at 32 pixels and their memory at 224, as Markdown tables.

OMP_NUM_THREADS=1 python benchmarks/stimuli.py
"""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
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
# The rate of an eidolon does not depend on the number of images: they are made one by one.
N_SLOW, N_FAST = 3000, 10_000


def main() -> None:
    print("| family | level | images | images/s | target | ratio |")
    print("|---|---|---|---|---|---|")
    images = pieces(N_FAST, 32)
    spectrum = mean_spectrum(images)
    for name, family in families().items():
        target = TARGETS.get(name, OTHER_TARGET)
        level = family.default[-1]
        batch = images if target >= 1000 else images[:N_SLOW]
        apply(name, batch[:2], level, spectrum=spectrum)
        start = time.perf_counter()
        apply(name, batch, level, spectrum=spectrum)
        rate = len(batch) / (time.perf_counter() - start)
        numbers = f"{len(batch):,} | {rate:,.0f} | {target:,} | {rate / target:.1f}"
        print(f"| {name} | {level} | {numbers} |")

    print("\n| family | working memory, 16 images of 224 px | 64 images |")
    print("|---|---|---|")
    images = pieces(64, 224)
    spectrum = mean_spectrum(images)
    for name, family in families().items():
        level = family.default[-1]
        few, many = (peak(name, images[:n], level, spectrum) for n in (16, 64))
        print(f"| {name} | {few:.0f} MB | {many:.0f} MB |")


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
