"""The strip of thumbnails that shows one image under every condition."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from convergent_learning.files import replace_when_done

from .stimulus_files import open_stimuli

_LARGEST_TILE = 64


def thumbnails(
    identity_h5: Path,
    condition_paths: Iterable[Path],
    out_png: Path,
    out_csv: Path,
    image: int = 0,
) -> None:
    """Draw one image of the ID set and of every condition, side by side in one row.

    Parameters
    ----------
    identity_h5 : path
        ID stimulus set: the first tile.
    condition_paths : iterable of path
        Stimulus sets of the conditions, in the order of the tiles. A set that does not correspond
        with the ID set shows its own image in that row (counted round, if it has fewer).
    out_png, out_csv : path
        Tile i is the square of pixels ``[:, i·side : (i+1)·side]``, side = height of the strip:
        the images' own (shorter side), 64 pixels at most. The table has a row a tile: tile, image
        (source index of the ID image beside which it is shown), stimuli, condition.
    image : int
        Row of the image in the ID set.

    Raises
    ------
    ValueError
        If the ID set has no such row.
    """
    tiles: list[np.ndarray] = []
    rows: list[tuple[int, int, str, str]] = []
    for path in (identity_h5, *condition_paths):
        with open_stimuli(path) as file:
            n, *shape = file["images"].shape[:3]
            if not tiles:
                if not 0 <= image < n:
                    raise ValueError(f"{path} has {n} images, no row {image}")
                side = min(*shape, _LARGEST_TILE)
                source = int(file["index"][image])
            tiles.append(_tile(file["images"][image % n], side))
            rows.append((len(rows), source, file.attrs["stimuli"], file.attrs["condition"]))
    with replace_when_done(out_png) as partial:
        Image.fromarray(np.hstack(tiles)).save(partial, format="PNG")
    with replace_when_done(out_csv) as partial, open(partial, "w", newline="") as table:
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(("tile", "image", "stimuli", "condition"))
        writer.writerows(rows)


def _tile(image: np.ndarray, side: int) -> np.ndarray:
    """The image, scaled down if it is larger than the tile."""
    if image.shape[:2] == (side, side):
        return image
    return np.asarray(Image.fromarray(image).resize((side, side), Image.Resampling.BOX))
