"""Networks beside a recording made of a network's own layer: the truth is known."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from convergent_learning.activations.forward import Extraction
from convergent_learning.activations.recorded import (
    Asked,
    rotated,
    write_recorded_stimuli,
    write_recording_scores,
)
from convergent_learning.activations.shown import Shown, ShownSample
from convergent_learning.alignment import score
from convergent_learning.alignment.dissimilarities import dissimilarities
from convergent_learning.datasets.canonical import prepare
from convergent_learning.networks.layers import Layer
from convergent_learning.networks.pretrained import Pretrained
from convergent_learning.recordings.canonical import prepare_recording
from convergent_learning.stimuli.stimulus_files import read_stimuli

N, SEEN = 60, "pool"


class Tiny(nn.Module):
    """Two layers on a grid of four positions."""

    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.first = nn.Conv2d(3, 6, 8, stride=8)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.last = nn.Linear(24, 10)

    def forward(self, images):
        return self.last(torch.flatten(self.pool(torch.relu(self.first(images))), 1))


def tiny(seed=0):
    return Tiny(seed)


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """Tables of two networks beside a recording of the first one's layer `pool`."""
    folder = tmp_path_factory.mktemp("recorded")
    prepare({"name": "digits"}, folder / "digits.h5")
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (N, 40, 48, 3)).astype(np.uint8)
    images = np.sort(images, axis=1)  # that patterns differ in more than noise
    np.savez(folder / "blank.npz", images=images, area=rng.standard_normal((N, 3)))
    entry = {"name": "mine", "layout": "responses", "source": str(folder / "blank.npz")}
    prepare_recording(entry, folder / "blank.h5")
    write_recorded_stimuli(folder / "blank.h5", "digits", 32, folder / "shown.h5")
    stimuli = read_stimuli(folder / "shown.h5")
    layers = tuple(Layer(name, "block") for name in ("relu", SEEN, "last"))
    networks = tuple(
        Shown(
            "tiny",
            seed,
            layers,
            Pretrained(
                "tiny", seed, 0, f"{__name__}:tiny", {"seed": seed}, None, [0.5] * 3, [1] * 3
            ),
        )
        for seed in (1, 2)
    )
    pixels = (torch.from_numpy(stimuli.images).permute(0, 3, 1, 2) / 255 - 0.5).float()
    with torch.inference_mode():
        network = tiny(1)
        pooled = network.pool(torch.relu(network.first(pixels))).flatten(1)
    mixed = pooled @ torch.randn(24, 12, generator=torch.Generator().manual_seed(0))
    signal = (mixed / mixed.std(0)).numpy()
    trials = signal + 0.5 * rng.standard_normal((6, N, 12))
    systems = {
        "area": trials,
        "copy": np.stack([signal] * 2),
        "shuffled": trials[:, rng.permutation(N)],
    }
    np.savez(folder / "mine.npz", images=images, **systems)
    prepare_recording({**entry, "source": str(folder / "mine.npz")}, folder / "mine.h5")
    out = {kind: folder / f"{kind}.parquet" for kind in ("scores", "resampled", "shuffled")}
    asked = Asked(
        ("linear", "procrustes", "soft_matching"), (0,), (0,), 5, 1e-4, 0, resamples=50, shuffles=50
    )
    write_recording_scores(
        [ShownSample(str(folder / "shown.h5"), 0, networks, (), "mine_step0")],
        folder / "digits.h5",
        folder / "mine.h5",
        out,
        Extraction("all", "float32", 0, {}),
        asked,
    )
    tables = {kind: pd.read_parquet(path) for kind, path in out.items()}
    return tables | {"pooled": pooled, "trials": trials, "mean": trials.mean(0)}


def rows(scored, system="area", **where):
    table = scored["scores"]
    for name, value in {"system": system, **where}.items():
        table = table[table[name] == value]
    return table


def test_images_are_cropped_to_a_square_and_scaled(scored, tmp_path):
    images = np.zeros((N, 40, 48, 3), np.uint8)
    images[:, :, :4] = images[:, :, -4:] = 255  # what the crop cuts off
    np.savez(tmp_path / "r.npz", images=images, area=np.eye(N)[:, :2])
    entry = {"name": "r", "layout": "responses", "source": str(tmp_path / "r.npz")}
    prepare_recording(entry, tmp_path / "r.h5")
    write_recorded_stimuli(tmp_path / "r.h5", "digits", 32, tmp_path / "shown.h5")
    shown = read_stimuli(tmp_path / "shown.h5")
    assert shown.images.shape == (N, 32, 32, 3)
    assert shown.images.max() == 0
    assert (shown.labels == -1).all()


def test_the_recorded_layer_maps_onto_the_recording_up_to_its_ceiling(scored):
    [own] = rows(scored, seed=1, layer=SEEN, metric="linear", direction="to").to_dict("records")
    [other] = rows(scored, seed=2, layer=SEEN, metric="linear", direction="to").to_dict("records")
    assert own["score"] > 0.9
    assert abs(own["normalised"] - 1) < 0.04
    assert other["score"] < own["score"] - 0.1


def test_a_copy_without_noise_is_mapped_onto_whole(scored):
    [own] = rows(scored, "copy", seed=1, layer=SEEN, metric="linear", direction="to").itertuples()
    assert abs(own.normalised - 1) < 0.01
    assert own.normalised == own.score


@pytest.mark.parametrize("metric", ["rsa", "linear", "procrustes"])
def test_with_shuffled_stimuli_nothing_is_left(scored, metric):
    found = rows(scored, "shuffled", metric=metric)
    assert abs(found[found.direction != "from"].score.mean()) < 0.12


def test_rsa_of_a_layer_is_that_of_its_patterns(scored):
    from scipy.stats import spearmanr

    expected = spearmanr(
        dissimilarities(scored["pooled"]),
        dissimilarities(torch.from_numpy(scored["mean"])),
    ).statistic
    [found] = rows(scored, seed=1, layer=SEEN, metric="rsa").score
    assert abs(found - expected) < 1e-4


def test_rsa_has_no_direction_and_maps_have_two(scored):
    there = set(scored["scores"][["metric", "direction"]].itertuples(index=False, name=None))
    maps = ("linear", "procrustes", "soft_matching")
    assert there == {("rsa", ""), *((m, way) for m in maps for way in ("to", "from"))}
    [back] = rows(scored, seed=1, layer=SEEN, metric="linear", direction="from").score
    [other] = rows(scored, seed=2, layer=SEEN, metric="linear", direction="from").score
    assert back > other + 0.1


def test_draws_are_of_the_mean_over_networks(scored):
    for kind in ("resampled", "shuffled"):
        table = scored[kind].query("system == 'area'")
        assert set(table.layer) == {"relu", SEEN, "last"}
        assert table.groupby("layer").draw.nunique().eq(50).all()
    mean = rows(scored, metric="rsa", layer=SEEN).score.mean()
    resampled = scored["resampled"].query("system == 'area' and layer == @SEEN").score
    assert resampled.min() < mean < resampled.max()
    assert abs(scored["shuffled"].query("system == 'area' and layer == @SEEN").score.mean()) < 0.1


def test_one_direction_is_the_same_score_alone():
    rng = np.random.default_rng(1)
    x, y = (torch.from_numpy(rng.standard_normal((40, p))) for p in (5, 4))
    both, one = (score(x, y, "linear", **how)["linear"] for how in ({}, {"directions": ("x->y",)}))
    assert list(one.directions) == ["x->y"]
    assert (one.directions["x->y"] == both.directions["x->y"]).all()
    assert one.mean == both.directions["x->y"].mean()


def test_more_units_than_stimuli_are_rotated_without_loss():
    rng = np.random.default_rng(0)
    wide = torch.from_numpy(rng.standard_normal((40, 300)).astype(np.float32))
    target = torch.from_numpy((wide.numpy() @ rng.standard_normal((300, 4))).astype(np.float32))
    turned = rotated(wide)
    assert turned.shape == (40, 39)
    for metric in ("linear", "procrustes"):
        # A ridge is shared out over as many axes as there are.
        found, expected = (
            score(x, target, metric, ridge=ridge)[metric].directions["x->y"].mean()
            for x, ridge in ((turned, 1e-2 * 39 / 300), (wide, 1e-2))
        )
        assert abs(found - expected) < 1e-4
        assert found > 0.1
