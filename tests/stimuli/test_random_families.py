"""Random families, by the distribution of what they draw."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage, stats

from convergent_learning.stimuli import apply
from convergent_learning.stimuli.draws import Draws
from convergent_learning.stimuli.registry import Setting
from convergent_learning.stimuli.transformations import eidolon

REACHES = (1, 2, 4, 8, 16, 32, 64, 128)
# Coherence 1, 256 pixels: the curve of the methods, for other photographs; and the algorithm of
# the published toolbox (pixels moved by whole steps) run on the three photographs used here.
PUBLISHED_CORRELATION = (0.95, 0.93, 0.92, 0.86, 0.82, 0.76, 0.68, 0.68)
TOOLBOX_CORRELATION = (0.972, 0.962, 0.937, 0.898, 0.850, 0.786, 0.713, 0.639)


@pytest.fixture(scope="module")
def faint(crops):
    """Float photographs of so little contrast that nothing is clipped."""
    return crops(40, 32) / 255 * 0.1 + 0.45


def grey_of(images):
    return images @ [0.2125, 0.7154, 0.0721]


class TestUniformNoise:
    @pytest.mark.parametrize("level", [0.03, 0.35])
    def test_noise_is_uniform_in_its_range_and_equal_in_the_channels(self, level, faint):
        changed = apply("uniform_noise", faint, level)
        assert (changed == changed[..., :1]).all()
        noise = changed[..., 0] - (0.3 * grey_of(faint) + 0.35)
        assert np.abs(noise).max() <= level + 1e-12
        assert stats.kstest(noise.ravel(), stats.uniform(-level, 2 * level).cdf).pvalue > 0.01

    def test_draws_are_the_same_at_all_levels_and_differ_between_images_and_seeds(self, faint):
        base = 0.3 * grey_of(faint) + 0.35
        weak, strong = (apply("uniform_noise", faint, w)[..., 0] - base for w in (0.03, 0.2))
        np.testing.assert_allclose(weak / 0.03, strong / 0.2, atol=1e-9)
        assert np.abs(np.corrcoef(weak.reshape(len(faint), -1)) - np.eye(len(faint))).max() < 0.15
        other = apply("uniform_noise", faint, 0.03, seed=1)[..., 0] - base
        assert abs(np.corrcoef(weak.ravel(), other.ravel())[0, 1]) < 0.02

    def test_level_0_leaves_the_image_at_30_per_cent_contrast(self, faint):
        want = 0.3 * grey_of(faint) + 0.35
        np.testing.assert_allclose(apply("uniform_noise", faint, 0)[..., 0], want, atol=1e-12)

    def test_values_beyond_the_range_are_clipped(self, crops):
        changed = apply("uniform_noise", crops(4, 32), 0.9)
        assert changed.min() == 0
        assert changed.max() == 255


class TestPhaseScrambling:
    @pytest.mark.parametrize("side", [31, 32])
    def test_amplitudes_stay(self, side, crops):
        images = crops(5, side) / 255 * 0.1 + 0.45
        before = np.abs(np.fft.fft2(grey_of(images)))
        for level in (30, 180):
            after = np.abs(np.fft.fft2(apply("phase_scrambling", images, level)[..., 0]))
            np.testing.assert_allclose(after, before, atol=1e-9)

    @pytest.mark.parametrize("level", [30, 120, 180])
    def test_phases_move_uniformly_by_the_width_at_most(self, level, faint):
        before = np.fft.fft2(grey_of(faint))
        after = np.fft.fft2(apply("phase_scrambling", faint, level)[..., 0])
        shift = np.rad2deg(np.angle(after / before))
        assert np.abs(shift).max() <= level + 1e-6
        still = np.zeros((32, 32), dtype=bool)
        still[0, 0] = still[16, :] = still[:, 16] = True
        np.testing.assert_allclose(shift[:, still], 0, atol=1e-6)
        # One of each pair of opposite frequencies.
        half = np.triu(np.ones((15, 15), dtype=bool)).ravel()
        draws = shift[:, 1:16, 1:16].reshape(len(shift), -1)[:, half].ravel()
        assert stats.kstest(draws, stats.uniform(-level, 2 * level).cdf).pvalue > 0.01

    def test_shifts_are_odd_under_frequency_reversal(self, faint):
        before = np.fft.fft2(grey_of(faint))
        shift = np.angle(np.fft.fft2(apply("phase_scrambling", faint, 90)[..., 0]) / before)
        reversed_shift = np.roll(shift[:, ::-1, ::-1], 1, axis=(1, 2))
        np.testing.assert_allclose(shift, -reversed_shift, atol=1e-8)

    def test_shifts_grow_with_the_level_from_the_same_draws(self, faint):
        before = np.fft.fft2(grey_of(faint))
        weak, strong = (
            np.angle(np.fft.fft2(apply("phase_scrambling", faint, level)[..., 0]) / before)
            for level in (30, 120)
        )
        np.testing.assert_allclose(strong, 4 * weak, atol=1e-7)


class TestEidolon:
    def test_reach_0_is_a_blur_by_the_finest_scale(self, photographs):
        images = photographs(256)[:2] / 255
        want = [
            ndimage.gaussian_filter(image, 2**-0.5, mode="reflect") for image in grey_of(images)
        ]
        for family in ("eidolon_I", "eidolon_II", "eidolon_III"):
            np.testing.assert_allclose(apply(family, images, 0)[..., 0], want, atol=1e-9)

    @pytest.mark.parametrize("coherence", [1.0, 0.3, 0.0])
    def test_equals_a_literal_displacement_of_slices(self, coherence, crops):
        image = crops(1, 64, seed=3)[0] / 255
        scale, reach = 64 / 256, 16
        generator = next(Draws(5, "name", np.array([7])).generators())
        rows, columns = eidolon._displacement((12, 64, 64), coherence, generator)
        scales = [2 ** ((k - 1) / 2) * scale for k in range(12)]
        blurred = [ndimage.gaussian_filter(grey_of(image), s, mode="reflect") for s in scales]
        want = np.zeros((64, 64))
        y, x = np.mgrid[:64, :64]
        for k in range(12):
            part = blurred[k] - blurred[k + 1] if k < 11 else blurred[k]
            at = [y + reach * scale * rows[k], x + reach * scale * columns[k]]
            want += ndimage.map_coordinates(part, at, order=1, mode="reflect")
        generator = next(Draws(5, "name", np.array([7])).generators())
        setting = Setting(Draws(5, "name", np.array([7])))
        got = eidolon._eidolon(image[None], reach, setting, coherence=coherence)[0]
        np.testing.assert_allclose(got, want, atol=1e-9)

    def test_displacements_have_the_deviations_of_their_definition(self):
        own = displacements(coherence=0.0)
        assert own.std() == pytest.approx(0.75, rel=0.03)
        slices = own[:, 0].swapaxes(0, 1).reshape(12, -1)
        assert np.abs(np.corrcoef(slices) - np.eye(12)).max() < 0.1
        shared = displacements(coherence=1.0)
        terms = shared[:, :, :-1] - shared[:, :, 1:]
        # The coarser a field, the fewer independent values it has.
        np.testing.assert_allclose(terms[:, :, :6].std(axis=(0, 1, 3, 4)), 0.12, rtol=0.05)
        want = 0.12 * np.sqrt(12 - np.arange(6))
        np.testing.assert_allclose(shared[:, :, :6].std(axis=(0, 1, 3, 4)), want, rtol=0.2)

    def test_correlation_with_the_original_follows_the_published_curve(self, photographs):
        got = correlation(photographs(256), "eidolon_I", REACHES)
        np.testing.assert_allclose(got, PUBLISHED_CORRELATION, atol=0.05)
        np.testing.assert_allclose(got, TOOLBOX_CORRELATION, atol=0.02)
        assert (np.diff(got) < 0).all()

    @pytest.mark.parametrize("family", ["eidolon_II", "eidolon_III"])
    def test_correlation_falls_with_reach_without_coherence(self, family, photographs):
        got = correlation(photographs(256), family, (2, 16, 128))
        assert (np.diff(got) < -0.05).all()


def displacements(coherence):
    """Fields of eight images, (8, 2, 12, 128, 128)."""
    generators = Draws(0, "eidolon", np.arange(8)).generators()
    return np.array([eidolon._displacement((12, 128, 128), coherence, g) for g in generators])


def correlation(images, family, reaches):
    """Mean correlation of grey images with their eidolons."""
    original = grey_of(images).reshape(len(images), -1)
    means = []
    for reach in reaches:
        changed = apply(family, images, reach, seed=2)[..., 0].reshape(len(images), -1)
        pairs = zip(original, changed, strict=True)
        means.append(np.mean([np.corrcoef(a, b)[0, 1] for a, b in pairs]))
    return np.array(means)
