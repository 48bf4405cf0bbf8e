"""Each deterministic family against a literal float64 implementation of its formula."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from convergent_learning.stimuli import apply, families

RGB_TO_LMS = np.array(
    [
        [0.1619982647, 0.208049264, 0.0389347448],
        [0.0330275785, 0.2496504557, 0.0618343518],
        [0.0015524055, 0.0198861001, 0.1890224274],
    ]
)
LMS_TO_DKL = np.array(
    [
        [9.27590805, 9.27590805, 0],
        [7.86421647, -9.33587662, 0],
        [-3.39709047, -3.39709047, 12.16230246],
    ]
)
MID_GREY_LMS = np.array([0.20449114, 0.17225619, 0.10523047])


def literal_grey(image):
    """Grey of one float image (h, w, 3), pixel by pixel."""
    return 0.2125 * image[:, :, 0] + 0.7154 * image[:, :, 1] + 0.0721 * image[:, :, 2]


def literal_contrast(image, level):
    return level / 100 * literal_grey(image) + (1 - level / 100) / 2


def literal_high_pass(image, level):
    grey = literal_grey(image)
    if level == float("inf"):
        return grey
    fine = grey - ndimage.gaussian_filter(grey, level, mode="constant", cval=0.4423)
    return fine + (0.4423 - fine.mean())


def literal_low_pass(image, level):
    grey = literal_grey(image)
    if level == 0:
        return grey
    sigma = level * len(grey) / 224
    return ndimage.gaussian_filter(grey, sigma, mode="constant", cval=0.4423)


def literal_power_equalisation(image, spectrum):
    phase = np.angle(np.fft.fft2(literal_grey(image)))
    return np.fft.ifft2(spectrum * np.exp(1j * phase)).real


def literal_rotation(image, level):
    """Counter-clockwise: after 90°, the top right corner is the top left one."""
    grey = literal_grey(image)
    for _ in range(int(level) // 90):
        grey = grey.T[::-1]
    return grey


def literal_false_colour(image):
    linear = np.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055) ** 2.4)
    pixels = linear.reshape(-1, 3)
    dkl = LMS_TO_DKL @ (RGB_TO_LMS @ pixels.T - MID_GREY_LMS[:, None])
    dkl[1:] *= -1
    lms = np.linalg.solve(LMS_TO_DKL, dkl) + MID_GREY_LMS[:, None]
    light = np.clip(np.linalg.solve(RGB_TO_LMS, lms).T.reshape(image.shape), 0, 1)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


LITERAL = {
    "colour": lambda image, level: literal_grey(image),
    "contrast": literal_contrast,
    "high_pass": literal_high_pass,
    "low_pass": literal_low_pass,
    "rotation": literal_rotation,
    "false_colour": lambda image, level: literal_false_colour(image),
}


def expected(family, images, level):
    out = []
    for image in images.astype(np.float64) / 255:
        changed = LITERAL[family](image, level)
        if changed.ndim == 2:
            changed = np.repeat(changed[:, :, None], 3, axis=2)
        out.append(np.clip(changed, 0, 1))
    return np.array(out)


@pytest.mark.parametrize("side", [32, 224])
@pytest.mark.parametrize("family", LITERAL)
def test_equals_the_literal_formula_at_every_level(family, side, photographs):
    images = photographs(side)
    chosen = families()[family]
    for level in chosen.levels if chosen.identity is None else (chosen.identity, *chosen.levels):
        want = expected(family, images, level)
        got = apply(family, images, level)
        assert got.dtype == np.uint8
        # Half a step of rounding, and nothing else.
        np.testing.assert_allclose(got / 255, want, atol=0.5 / 255 + 1e-9)
        np.testing.assert_allclose(apply(family, images / 255, level), want, atol=1e-9)


@pytest.mark.parametrize("side", [32, 224])
def test_power_equalisation_gives_every_image_the_mean_spectrum(side, photographs):
    images = photographs(side) / 255
    spectrum = np.mean([np.abs(np.fft.fft2(literal_grey(image))) for image in images], axis=0)
    want = np.clip([literal_power_equalisation(image, spectrum) for image in images], 0, 1)
    want = np.repeat(want[..., None], 3, axis=3)
    np.testing.assert_allclose(apply("power_equalisation", images, "pow"), want, atol=1e-9)
    np.testing.assert_allclose(
        apply("power_equalisation", images[:1], "pow", spectrum=spectrum), want[:1], atol=1e-9
    )


def test_a_gaussian_filter_is_the_sum_over_its_kernel():
    """The filter itself, by loops: sampled, cut at 4 σ, normalised, border 0.4423."""
    image = np.random.default_rng(0).uniform(size=(9, 8))
    sigma = 10 * 8 / 224
    radius = int(4 * sigma + 0.5)
    kernel = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    kernel /= kernel.sum()
    want = np.zeros_like(image)
    for y, x in np.ndindex(image.shape):
        for i, j in np.ndindex(2 * radius + 1, 2 * radius + 1):
            row, column = y + i - radius, x + j - radius
            inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
            value = image[row, column] if inside else 0.4423
            want[y, x] += kernel[i] * kernel[j] * value
    grey = np.repeat(image[None, :, :, None], 3, axis=3)
    np.testing.assert_allclose(apply("low_pass", grey, 10)[0, :, :, 0], want, atol=1e-12)


def test_low_pass_keeps_its_size_relative_to_the_image(photographs):
    """The same level on the same picture blurs the same details at 64 and at 224 pixels."""
    from_large = apply("low_pass", photographs(224), 10)[:, 3::7, 3::7]
    from_small = apply("low_pass", photographs(64), 10)[:, 1::2, 1::2]
    difference = np.abs(from_large.astype(float) - from_small)
    assert difference[:, 4:-4, 4:-4].mean() < 4


def test_grey_stays_grey_under_false_colour():
    ramp = np.repeat(np.linspace(0, 1, 64).reshape(1, 8, 8, 1), 3, axis=3)
    np.testing.assert_allclose(apply("false_colour", ramp, "opponent"), ramp, atol=1e-5)


def test_false_colour_keeps_luminance_and_turns_red_to_green():
    image = np.full((1, 8, 8, 3), 0.5)
    image[..., 0] += 0.05
    changed = apply("false_colour", image, "opponent")[0, 0, 0]
    assert changed[0] < changed[1]

    def luminance(colour):
        linear = ((np.asarray(colour) + 0.055) / 1.055) ** 2.4
        return LMS_TO_DKL[0] @ RGB_TO_LMS @ linear

    assert luminance(changed) == pytest.approx(luminance(image[0, 0, 0]), rel=1e-9)
