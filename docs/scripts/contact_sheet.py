"""Contact sheet of all stimulus families at all levels.

python docs/scripts/contact_sheet.py docs/stimuli_photograph.png
python docs/scripts/contact_sheet.py docs/stimuli_cifar10.png --dataset <dataset>.h5 --images 0 3
"""

from __future__ import annotations

import argparse
from pathlib import Path

import h5py
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from sklearn.datasets import load_sample_images

from convergent_learning.images.spectra import mean_spectrum
from convergent_learning.stimuli import apply, families, level_text

TILE = 96
GAP = 4
CAPTION = 14
MARGIN = 130
PHOTOGRAPH_SIDE = 224


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--dataset", type=Path, help="data set file; default: a photograph")
    parser.add_argument("--images", type=int, nargs="+", default=[0], help="rows of its test set")
    options = parser.parse_args()
    if options.dataset is None:
        images, indices, spectrum = photograph()
    else:
        with h5py.File(options.dataset) as data:
            images, indices = data["test/images"][sorted(options.images)], sorted(options.images)
            spectrum = data["test/spectrum"][:]
    sheet(images, np.array(indices), spectrum).save(options.out, optimize=True)


def photograph() -> tuple[np.ndarray, list[int], np.ndarray]:
    """One scikit-learn photograph, and the mean spectrum of pieces of both."""
    china, flower = load_sample_images().images
    generator = np.random.default_rng(0)
    pieces = [
        source[y : y + PHOTOGRAPH_SIDE, x : x + PHOTOGRAPH_SIDE]
        for source in (china, flower)
        for y, x in zip(generator.integers(0, 200, 20), generator.integers(0, 400, 20), strict=True)
    ]
    height, width = china.shape[:2]
    square = Image.fromarray(china[:, (width - height) // 2 : (width + height) // 2])
    image = square.resize((PHOTOGRAPH_SIDE, PHOTOGRAPH_SIDE), Image.Resampling.LANCZOS)
    return np.asarray(image)[None], [0], mean_spectrum(np.stack(pieces))


def sheet(images: np.ndarray, indices: np.ndarray, spectrum: np.ndarray) -> Image.Image:
    """One row per family: the originals, the identity level, then mild to strong."""
    n_columns = 2 + max(len(family.levels) for family in families().values())
    row_height = CAPTION + len(images) * (TILE + GAP)
    page = Image.new(
        "RGB", (MARGIN + n_columns * (TILE + GAP), len(families()) * row_height), "white"
    )
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(size=11)
    for row, (name, family) in enumerate(families().items()):
        top = row * row_height
        draw.text((4, top + CAPTION + TILE // 2), name, fill="black", font=font)
        tiles = [("original", images)]
        for level in (family.identity, *family.levels):
            # Families without an identity level leave its column empty.
            if level is not None:
                changed = apply(name, images, level, indices=indices, spectrum=spectrum)
                mark = "*" if level in family.default else ""
                tiles.append((level_text(level) + mark, changed))
            else:
                tiles.append(("", np.full_like(images, 255)))
        for column, (caption, changed) in enumerate(tiles):
            left = MARGIN + column * (TILE + GAP)
            draw.text((left, top), caption, fill="black", font=font)
            for i, image in enumerate(changed):
                page.paste(thumbnail(image), (left, top + CAPTION + i * (TILE + GAP)))
    return page


def thumbnail(image: np.ndarray) -> Image.Image:
    """Small images enlarged pixel by pixel, large ones averaged."""
    method = Image.Resampling.NEAREST if len(image) <= TILE else Image.Resampling.BOX
    return Image.fromarray(image).resize((TILE, TILE), method)


if __name__ == "__main__":
    main()
