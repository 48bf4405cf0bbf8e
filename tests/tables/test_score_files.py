"""Scores are taken over from earlier files where nothing that determines them has changed."""

import os
import shutil
import sys
from pathlib import Path

import h5py
import pandas as pd
import pytest
import yaml

from convergent_learning.alignment import write_moments
from convergent_learning.config.experiment import Experiment
from convergent_learning.tables import score_files
from convergent_learning.tables.score_files import write_scores
from convergent_learning.tables.scores import read_scores

sys.path.insert(0, str(Path(__file__).parents[1] / "alignment"))
from test_files import NETWORKS, write_network

DEFAULT = yaml.safe_load((Path(__file__).parents[2] / "config.yaml").read_text())
METRICS = {"procrustes": "p", "soft_matching": "s", "context": "c"}
HOW = {"centers": ("position", "unit"), "ridge": 0.1, "rotated": (), "draws": 0, "seed": 0}


@pytest.fixture(scope="module")
def activations(tmp_path_factory):
    folder = tmp_path_factory.mktemp("activations")
    return [write_network(folder, group, seed) for group in "ab" for seed in (1, 2)]


@pytest.fixture(scope="module")
def moments(activations, tmp_path_factory):
    out = tmp_path_factory.mktemp("moments") / "id_step7.h5"
    write_moments(activations, out, NETWORKS, 4, 3, True)
    return out


@pytest.fixture
def computed(monkeypatch):
    """What is computed and not taken over: (metric, network x, network y)."""
    asked = []

    def recording(path, metrics, *, wanted, **how):
        def noted(file, *what):
            if wanted(file, *what):
                asked.append(what)
            return wanted(file, *what)

        return original(path, metrics, wanted=noted, **how)

    original = score_files.score_table
    monkeypatch.setattr(score_files, "score_table", recording)
    return asked


@pytest.fixture
def first(moments, tmp_path):
    out = tmp_path / "first.parquet"
    assert write_scores([moments], out, METRICS, **HOW) == []
    return out


def same(one, other):
    pd.testing.assert_frame_equal(pd.read_parquet(one), pd.read_parquet(other))


def test_nothing_is_computed_twice(moments, first, computed, tmp_path):
    out = tmp_path / "again.parquet"
    assert write_scores([moments], out, METRICS, earlier=[first], **HOW) == [first]
    assert computed == []
    assert out.read_bytes() == first.read_bytes()


def test_an_edited_metric_alone_is_computed(moments, first, computed, tmp_path):
    out = tmp_path / "again.parquet"
    write_scores([moments], out, METRICS | {"soft_matching": "edited"}, earlier=[first], **HOW)
    assert {metric for metric, *_ in computed} == {"soft_matching"}
    same(out, first)


def test_new_responses_of_a_network_are_compared_anew(moments, first, computed, tmp_path):
    changed = tmp_path / "changed.h5"
    shutil.copy(moments, changed)
    with h5py.File(changed, "r+") as file:
        file["networks/a-seed2"].attrs["identity"] = "trained otherwise"
    out = tmp_path / "again.parquet"
    write_scores([changed], out, METRICS, earlier=[first], **HOW)
    assert computed
    assert all("a-seed2" in pair for _, *pair in computed)
    same(out, first)


def test_another_setting_is_computed_anew(moments, first, computed, tmp_path):
    out = tmp_path / "again.parquet"
    assert write_scores([moments], out, METRICS, earlier=[first], **HOW | {"ridge": 1.0}) == []
    assert computed


def test_a_smaller_file_gives_what_it_has(activations, moments, first, computed, tmp_path):
    """Files may hold other pairs and metrics: a tile of the pairs, an experiment of fewer seeds."""
    some = tmp_path / "tile.h5"
    tile, out = tmp_path / "tile.parquet", tmp_path / "all.parquet"
    pairs = [("a-seed1", "a-seed2"), ("b-seed1", "a-seed1")]
    write_moments(activations, some, NETWORKS, 4, 3, True, pairs)
    write_scores([some], tile, {"procrustes": "p"}, **HOW)
    computed.clear()
    assert write_scores([moments], out, METRICS, earlier=[tile], **HOW) == [tile]
    assert ("procrustes", "a-seed1", "a-seed2") not in computed
    assert ("procrustes", "a-seed1", "b-seed2") in computed
    same(out, first)


def seed_pairs(rows):
    return set(rows[["seed_x", "seed_y"]].itertuples(index=False, name=None))


def test_more_partners_compute_the_new_pairs_only(computed, tmp_path):
    """The jobs of an experiment, on made-up responses: what is no pair of it has no row."""
    seeds = list(range(1, 9))
    networks = [{"architecture": "resnet18", "name": "a", "width": 1, "layers": "default"}]
    networks[0]["seeds"] = seeds
    activations = [write_network(tmp_path, "a", seed) for seed in seeds]
    expected, earlier = set(), []
    for partners in (2, 4):
        alignment = {"partners": partners, "map_seeds": 2, "networks_per_job": 3}
        alignment = DEFAULT["alignment"] | alignment
        experiment = Experiment.of(DEFAULT | {"networks": networks, "alignment": alignment})
        before, found, made = expected, [], []
        for tile in experiment.tiles("cifar10", "final"):
            pairs = [(x.name, y.name) for x, y in tile]
            shown = [path for path in activations if any(path.stem in pair for pair in pairs)]
            moments = tmp_path / f"{partners}{tile.name}.h5"
            mapped = {"a-seed1", "a-seed2"} & {path.stem for path in shown}
            write_moments(shown, moments, mapped, 4, 3, True, pairs)
            made.append(tmp_path / f"{partners}{tile.name}.parquet")
            write_scores([moments], made[-1], {"procrustes": "p"}, earlier=earlier, **HOW)
            found += pairs
        rows = read_scores(made)
        expected = {(f"a-seed{x}", f"a-seed{y}") for x, y in seed_pairs(rows)}
        assert expected == {*found}
        assert len(expected) == len(found) == 8 * partners // 2
        assert {tuple(pair) for _, *pair in computed} == expected - before
        crossed = rows[rows.layer_x != rows.layer_y]
        assert seed_pairs(crossed) == {(1, 2)}
        computed.clear()
        earlier = made


def test_a_pair_of_an_unknown_network_is_refused(activations, tmp_path):
    pairs = [("a-seed1", "a-seed3")]
    with pytest.raises(ValueError, match="without a file: a-seed3"):
        write_moments(activations, tmp_path / "out.h5", (), 4, 3, True, pairs)


def test_a_network_without_a_partner_has_a_file_without_rows(tmp_path):
    write_moments([write_network(tmp_path, "a", 1)], tmp_path / "alone.h5", (), 4, 3, True)
    out = tmp_path / "alone.parquet"
    write_scores([tmp_path / "alone.h5"], out, METRICS, **HOW)
    assert pd.read_parquet(out).empty
    assert read_scores([out]).empty


def test_an_earlier_file_that_is_replaced_meanwhile_gives_what_it_had(moments, first, tmp_path):
    earlier = score_files._Earlier(first)
    write_scores([moments], tmp_path / "other.parquet", {"context": "c"}, **HOW)
    os.replace(tmp_path / "other.parquet", first)
    assert len(earlier.rows(moments, [("procrustes", "a-seed1", "a-seed2")])) > 0
