"""The interface: what goes in, what comes out, and that other images do not matter."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convergent_learning.images.arrays import batches, from_unit
from convergent_learning.images.spectra import mean_spectrum
from convergent_learning.stimuli import apply, condition_slug, families, get_family, level_text

ALL = list(families())
STRONGEST = [(name, family.levels[-1]) for name, family in families().items()]


def test_the_families_and_levels_are_those_of_the_methods():
    table = {name: (family.levels, family.identity) for name, family in families().items()}
    reaches = (1, 2, 4, 8, 16, 32, 64, 128)
    assert table == {
        "colour": (("bw",), None),
        "contrast": ((50, 30, 15, 10, 5, 3, 1), 100),
        "high_pass": ((3, 1.5, 1, 0.7, 0.55, 0.45, 0.4), float("inf")),
        "low_pass": ((1, 3, 5, 7, 10, 15, 40), 0),
        "phase_scrambling": ((30, 60, 90, 120, 150, 180), 0),
        "power_equalisation": (("pow",), None),
        "false_colour": (("opponent",), None),
        "rotation": ((90, 180, 270), 0),
        "eidolon_I": (reaches, 0),
        "eidolon_II": (reaches, 0),
        "eidolon_III": (reaches, 0),
        "uniform_noise": ((0.03, 0.05, 0.1, 0.2, 0.35, 0.6, 0.9), 0),
    }
    assert sum(len(family.default) for family in families().values()) == 21
    ungraded = {name for name, family in families().items() if not family.graded}
    assert ungraded == {"colour", "power_equalisation", "false_colour", "rotation"}
    assert {family.counts_as for family in families().values() if "eidolon" in family.name} == {
        "eidolon"
    }
    assert all(family.source for family in families().values())


def test_torch_is_not_imported():
    code = "import convergent_learning.stimuli.sets, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(("family", "level"), STRONGEST)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_shape_and_dtype_come_back_and_the_input_stays(family, level, dtype, crops):
    images = crops(3, 16)
    images = images if dtype == np.uint8 else (images / 255).astype(dtype)
    before = images.copy()
    changed = apply(family, images, level)
    assert (images == before).all()
    assert changed.shape == images.shape
    assert changed.dtype == dtype
    assert changed.min() >= 0
    assert changed.max() <= (255 if dtype == np.uint8 else 1)
    if family != "false_colour":
        assert (changed == changed[..., :1]).all()


@pytest.mark.parametrize(("family", "level"), STRONGEST)
def test_float_and_uint8_agree_to_half_a_step(family, level, crops):
    images = crops(3, 32)
    from_bytes = apply(family, images, level) / 255
    from_floats = apply(family, images / 255, level)
    np.testing.assert_allclose(from_bytes, from_floats, atol=0.5 / 255 + 1e-9)


def test_uint8_rounds_half_to_even():
    values = np.array([0.5, 1.5, 2.5, 254.5, 300, -1]) / 255
    assert from_unit(values, np.dtype(np.uint8)).tolist() == [0, 2, 2, 254, 255, 0]


@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_a_subset_or_another_batch_size_gives_the_same_pictures(data, crops):
    family, level = data.draw(st.sampled_from(STRONGEST))
    seed = data.draw(st.integers(0, 2**32))
    images = crops(12, 16)
    indices = np.array(data.draw(st.permutations(range(100)))[: len(images)])
    spectrum = mean_spectrum(images)
    whole = apply(family, images, level, seed, indices, spectrum)
    rows = data.draw(st.lists(st.integers(0, len(images) - 1), min_size=1, max_size=8))
    part = apply(family, images[rows], level, seed, indices[rows], spectrum)
    assert (part == whole[rows]).all()


@pytest.mark.parametrize("family", ["phase_scrambling", "uniform_noise", "eidolon_II"])
def test_indices_count_from_0_and_matter_and_so_does_the_seed(family, crops):
    images = crops(4, 16)
    level = families()[family].levels[-1]
    first = apply(family, images, level)
    assert (apply(family, images, level, indices=np.arange(4)) == first).all()
    assert (
        (apply(family, images, level, indices=np.arange(1, 5)) != first).any(axis=(1, 2, 3)).all()
    )
    assert (apply(family, images, level, seed=1) != first).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("family", ["contrast", "high_pass", "low_pass", "rotation"])
def test_identity_levels_give_the_grey_image(family, crops):
    images = crops(3, 32)
    grey = apply("colour", images, "bw")
    assert (apply(family, images, families()[family].identity) == grey).all()


def test_no_phase_shift_gives_the_grey_image(crops):
    images = crops(3, 32)
    assert (apply("phase_scrambling", images, 0) == apply("colour", images, "bw")).all()


@pytest.mark.parametrize("family", ALL)
@pytest.mark.parametrize("shape", [(8, 8), (9, 9), (33, 33), (12, 20)])
def test_any_side_of_8_pixels_or_more(family, shape):
    images = np.random.default_rng(0).integers(0, 256, (2, *shape, 3), dtype=np.uint8)
    level = 180 if family == "rotation" else families()[family].levels[-1]
    assert apply(family, images, level).shape == images.shape


def test_images_that_are_not_square_cannot_be_turned_by_90_degrees():
    with pytest.raises(ValueError, match="not square"):
        apply("rotation", np.zeros((1, 8, 9, 3), dtype=np.uint8), 90)


def test_no_images_give_no_images():
    for family, level in STRONGEST:
        assert apply(family, np.zeros((0, 8, 8, 3)), level).shape == (0, 8, 8, 3)


def test_a_constant_image_survives_power_equalisation():
    images = np.full((2, 8, 8, 3), 100, dtype=np.uint8)
    assert np.ptp(apply("power_equalisation", images, "pow")) == 0


@pytest.mark.parametrize(
    ("level", "text"),
    [
        (50, "50"),
        (50.0, "50"),
        ("50", "50"),
        (0.03, "0.03"),
        (".03", "0.03"),
        (0.55, "0.55"),
        (128, "128"),
        ("bw", "bw"),
        (float("inf"), "inf"),
        (np.int64(3), "3"),
    ],
)
def test_level_text_is_canonical(level, text):
    assert level_text(level) == text


def test_levels_come_as_numbers_or_text():
    contrast = get_family("contrast")
    assert contrast.level("50") == contrast.level(50.0) == contrast.level(50) == 50
    assert contrast.level("100") == 100
    assert get_family("colour").level("bw") == "bw"
    assert get_family("uniform_noise").level(".03") == 0.03
    assert get_family("high_pass").level("inf") == float("inf")


def test_levels_of_a_configuration():
    contrast = get_family("contrast")
    assert contrast.chosen_levels("all") == contrast.levels
    assert contrast.chosen_levels("default") == (50, 30)
    assert contrast.chosen_levels([1, "30", 50]) == (50, 30, 1)
    for choice, message in [("some", "'all', 'default'"), ([30, "30"], "twice"), ([], "empty")]:
        with pytest.raises(ValueError, match=message):
            contrast.chosen_levels(choice)


def test_slugs():
    assert condition_slug("id") == "id"
    assert condition_slug("contrast", "50") == "contrast-50"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"family": "blur"}, "unknown stimulus family 'blur'.*contrast, high_pass"),
        ({"level": 42}, "no level 42; allowed: 50, 30, 15, 10, 5, 3, 1 .identity: 100."),
        ({"level": "bw"}, "no level 'bw'"),
        ({"level": True}, "number or a text"),
        ({"level": None}, "number or a text"),
        ({"images": np.zeros((8, 8, 3))}, r"must be \(n, h, w, 3\), not \(8, 8, 3\)"),
        ({"images": np.zeros((1, 8, 8, 1))}, "must be"),
        ({"images": np.zeros((1, 7, 9, 3))}, "7×9 pixels are too small: a side has at least 8"),
        ({"images": np.zeros((1, 8, 8, 3), dtype=int)}, "uint8 or float, not int64"),
        ({"images": np.full((1, 8, 8, 3), 255.0)}, r"must lie in \[0, 1\]"),
        ({"images": np.full((1, 8, 8, 3), np.nan)}, r"must lie in \[0, 1\]"),
        ({"images": np.full((1, 8, 8, 3), -0.1)}, r"must lie in \[0, 1\]"),
        ({"indices": np.arange(3)}, "indices must be 1 integers"),
        ({"indices": np.array([0.5])}, "indices must be 1 integers"),
        ({"indices": np.array([-1])}, "not be negative"),
    ],
)
def test_errors_name_what_is_wrong(change, message):
    images = np.zeros((1, 8, 8, 3), dtype=np.uint8)
    arguments = {"family": "contrast", "images": images, "level": 50} | change
    with pytest.raises(ValueError, match=message):
        apply(**arguments)


@pytest.mark.parametrize(
    ("spectrum", "message"),
    [(np.ones((8, 9)), "spectrum is"), (-np.ones((8, 8)), "not negative")],
)
def test_a_spectrum_that_does_not_fit(spectrum, message):
    with pytest.raises(ValueError, match=message):
        apply("power_equalisation", np.zeros((1, 8, 8, 3)), "pow", spectrum=spectrum)
    with pytest.raises(ValueError, match="no images"):
        mean_spectrum(np.zeros((0, 8, 8, 3)))


def test_mean_spectrum_does_not_depend_on_batches(crops):
    images = crops(300, 32)
    grey = images / 255 @ [0.2125, 0.7154, 0.0721]
    want = np.abs(np.fft.fft2(grey)).mean(axis=0)
    np.testing.assert_allclose(mean_spectrum(images), want, rtol=1e-12)


@pytest.mark.parametrize(("n", "pixels"), [(0, 64), (1, 10**9), (1000, 1024)])
def test_batches_cover_all_images_once(n, pixels):
    assert [i for rows in batches(n, pixels) for i in range(n)[rows]] == list(range(n))
