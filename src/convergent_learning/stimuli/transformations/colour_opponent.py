"""False colours: opponent colours swapped at equal luminance."""

from __future__ import annotations

import numpy as np

from convergent_learning.stimuli.registry import Setting, family

_RGB_TO_LMS = np.array(
    [
        [0.1619982647, 0.208049264, 0.0389347448],
        [0.0330275785, 0.2496504557, 0.0618343518],
        [0.0015524055, 0.0198861001, 0.1890224274],
    ]
)
# Rows: luminance, L−M, S−(L+M); of the difference to the background in LMS.
_LMS_TO_DKL = np.array(
    [
        [9.27590805, 9.27590805, 0],
        [7.86421647, -9.33587662, 0],
        [-3.39709047, -3.39709047, 12.16230246],
    ]
)
_BACKGROUND_LMS = np.array([0.20449114, 0.17225619, 0.10523047])


@family(
    "false_colour",
    levels=("opponent",),
    kind="pixel_values",
    source="Geirhos et al. 2018 (Derrington, Krauskopf & Lennie 1984); sRGB curve in place of the "
    "laboratory's monitor table (deviation of this project)",
)
def false_colour(images: np.ndarray, level: str, setting: Setting) -> np.ndarray:
    """Linear light, signs of L−M and S−(L+M) reversed about mid-grey, clipped, encoded again."""
    linear = _decode(images)
    # One affine map a channel, summed by hand: a matrix product rounds with the number of rows.
    red, green, blue = (linear[..., c] for c in range(3))
    swapped = np.empty_like(linear)
    for channel, (row, constant) in enumerate(zip(_SWAP, _OFFSET, strict=True)):
        swapped[..., channel] = row[0] * red + row[1] * green + row[2] * blue + constant
    return _encode(np.clip(swapped, 0, 1))


def _swap_map() -> tuple[np.ndarray, np.ndarray]:
    """Matrix and offset that take linear RGB to linear RGB with both opponent axes reversed."""
    to_dkl = _LMS_TO_DKL @ _RGB_TO_LMS
    swap = np.linalg.inv(to_dkl) @ np.diag([1, -1, -1]) @ to_dkl
    background = np.linalg.inv(_RGB_TO_LMS) @ _BACKGROUND_LMS
    return swap, background - swap @ background


_SWAP, _OFFSET = _swap_map()


def _decode(image: np.ndarray) -> np.ndarray:
    """sRGB values to linear light (IEC 61966-2-1)."""
    return np.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055) ** 2.4)


def _encode(light: np.ndarray) -> np.ndarray:
    """Linear light to sRGB values."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
