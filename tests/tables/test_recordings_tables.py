"""The tables of figure 8 and claim C9, of scores whose truth is known."""

import itertools

import numpy as np
import pandas as pd
import pytest

from convergent_learning.claims.definitions import part_named
from convergent_learning.claims.evaluation import part_entry
from convergent_learning.tables.recordings import recording_means, recording_tables
from convergent_learning.tables.storage import with_stages

BLOCKS, STEPS = 6, (0, 10, 20, 40)
LAYERS = [(f"b{i}", i / 6, "block") for i in range(BLOCKS)] + [("fc", 1.0, "logits")]
LATE = ["b4", "b5"]
SYSTEMS = [("r1", "IT"), ("r2", "V4")]
# The rise of late blocks after epochs 0, 1, 2 and 4: three quarters of it in epoch 1.
RISE = dict(zip(STEPS, (0.0, 0.15, 0.18, 0.2), strict=True))


def expected(layer, step):
    return 0.1 + 0.02 * int(layer[1]) + (RISE[step] if layer in LATE else 0) if layer != "fc" else 0


def write(folder, missing=(), seeds=(1, 2, 3)):
    """Parquet files as `activations.recorded` writes them; `missing` rows are NaN."""
    rng = np.random.default_rng(0)
    rows, resampled, shuffled = [], [], []
    for (recording, system), step, (layer, *_) in itertools.product(SYSTEMS, STEPS, LAYERS):
        about = {"dataset": "d", "recording": recording, "system": system}
        for seed in seeds:
            score = expected(layer, step) + 0.005 * rng.normal()
            if (recording, layer, seed, step) in missing:
                score = np.nan
            rows.append(
                {
                    **about, "group": "g", "seed": seed, "step": step, "layer": layer,
                    "metric": "rsa", "direction": "", "subject": "mean", "score": score,
                    "normalised": np.nan,
                }
            )  # fmt: skip
        cell = {**about, "group": "g", "step": step, "layer": layer}
        known = not any(row[:2] == (recording, layer) for row in missing)
        noise = 0.05 * np.random.default_rng(1).normal(size=200)  # the same draws everywhere
        if step in (STEPS[0], STEPS[-1]):
            scores = expected(layer, step) + noise if known else np.full(200, np.nan)
            resampled += [{**cell, "draw": i, "score": value} for i, value in enumerate(scores)]
        if step == STEPS[-1] and known:
            scores = 0.02 * rng.normal(size=199)
            shuffled += [{**cell, "draw": i, "score": value} for i, value in enumerate(scores)]
    paths = []
    for kind, table in (("scores", rows), ("resampled", resampled), ("shuffled", shuffled)):
        paths.append(folder / f"d_{kind}.parquet")
        pd.DataFrame(table).to_parquet(paths[-1])
    return paths


@pytest.fixture
def facts():
    layers = pd.DataFrame(LAYERS, columns=["layer", "depth", "role"]).assign(dataset="d", group="g")
    groups = [{"dataset": "d", "group": "g", "final_step": STEPS[-1], "steps_per_epoch": 10}]
    pairs = [
        {
            "dataset": "d", "group": "g", "seed_x": x, "seed_y": y, "step": step,
            "epoch": step / 10, "layer": layer, "depth": depth, "role": role,
            "metric": "procrustes", "score": 0.3 + 2 * RISE[step] + 0.001 * (x + y),
            "accuracy": 0.5,
        }
        for (x, y), step, (layer, depth, role) in itertools.product(
            [(1, 2), (1, 3), (2, 3)], STEPS, LAYERS
        )
    ]  # fmt: skip
    return {
        "layers": layers,
        "groups": pd.DataFrame(groups),
        "fig5_pairs": pd.DataFrame(pairs),
    }


def late(table, recording="r1", step=STEPS[-1]):
    rows = table[(table.recording == recording) & (table.layer == "late") & (table.step == step)]
    [row] = rows.itertuples()
    return row


def test_the_last_third_is_a_row_of_its_own_with_both_intervals(tmp_path, facts):
    tables = recording_tables(write(tmp_path), facts)
    row = late(tables["fig8"])
    assert abs(row.mean - np.mean([expected(layer, 40) for layer in LATE])) < 0.01
    assert abs(row.gain - 0.2) < 0.01
    assert row.gain_low < 0.2 < row.gain_high
    # Draws move both steps alike: the interval of a difference is as narrow as they are paired.
    assert row.stimuli_high - row.stimuli_low > 0.1
    assert row.stimuli_gain_high - row.stimuli_gain_low < 1e-6
    assert abs(row.stimuli_gain_low - 0.2) < 1e-6


def test_a_layer_without_a_score_is_left_out_of_its_recording_alone(tmp_path, facts):
    tables = recording_tables(write(tmp_path, missing=[("r1", "b5", 2, 0)]), facts)
    one, other = (late(tables["fig8"], recording) for recording, _ in SYSTEMS)
    # Of b0 … b4 the last third is b3 and b4; b3 does not rise.
    assert abs(one.gain - 0.1) < 0.01
    assert abs(one.stimuli_gain_low - 0.1) < 1e-6
    assert abs(other.gain - 0.2) < 0.01


def test_the_best_layer_has_a_score_in_every_network_and_a_p_value(tmp_path, facts):
    whole = recording_tables(write(tmp_path), facts)["fig8_best"]
    assert set(whole.layer) == {"b5"}
    assert (whole.p == 1 / 200).all()
    gap = recording_tables(write(tmp_path, missing=[("r1", "b5", 1, 40)]), facts)["fig8_best"]
    assert dict(zip(gap.recording, gap.layer, strict=True)) == {"r1": "b4", "r2": "b5"}
    assert (gap.n_networks == 3).all()


def test_shares_of_the_rise_begin_at_zero_and_end_at_one(tmp_path, facts):
    course = recording_tables(write(tmp_path), facts)["fig8_course"]
    for _, rows in course.groupby(["recording", "course"]):
        by_step = rows.set_index("step").gain_share
        assert abs(by_step[0]) < 1e-9
        assert abs(by_step[40] - 1) < 1e-9
        assert abs(by_step[10] - 0.75) < 0.05
    assert set(course.course) == {"recording", "networks"}


def test_summaries_follow_from_networks_and_pairs(tmp_path, facts):
    tables = recording_tables(write(tmp_path), facts)
    again = recording_means(tables, facts)
    np.testing.assert_allclose(again["fig8"]["mean"], tables["fig8"]["mean"])


def claimed(tables, facts, part):
    systems = pd.DataFrame(SYSTEMS, columns=["recording", "system"])
    about = systems.assign(ceiling_low=0.3, ceiling_high=0.6)
    frames = with_stages({**facts, **tables, "recordings": about})
    return part_entry(part_named(part), frames)


@pytest.mark.parametrize("part", ["C9a-r1 IT", "C9b-r2 V4"])
def test_a_rise_that_comes_early_is_supported(tmp_path, facts, part):
    entry = claimed(recording_tables(write(tmp_path), facts), facts, part)
    assert entry["verdict"] == "supported"
    assert abs(entry["estimate"] - {"a": 0.2, "b": 0.05}[part[2]]) < 0.01


def test_a_rise_that_is_missing_leaves_the_second_part_open(tmp_path, facts, monkeypatch):
    monkeypatch.setitem(RISE, 40, 0.0)
    tables = recording_tables(write(tmp_path), facts)
    assert claimed(tables, facts, "C9a-r1 IT")["verdict"] == "inconclusive"
    entry = claimed(tables, facts, "C9b-r1 IT")
    assert entry["verdict"] == "inconclusive"
    assert "whether there is a rise is open" in entry["reason"]


def test_what_training_of_one_epoch_cannot_say_is_said(tmp_path, facts):
    facts["groups"]["steps_per_epoch"] = 40
    tables = recording_tables(write(tmp_path), facts)
    assert claimed(tables, facts, "C9a-r1 IT")["verdict"] == "supported"
    assert "training ends with epoch 1" in claimed(tables, facts, "C9b-r1 IT")["reason"]


def test_without_a_checkpoint_after_epoch_one_the_first_part_is_judged(tmp_path, facts):
    facts["groups"]["steps_per_epoch"] = 15
    tables = recording_tables(write(tmp_path), facts)
    assert claimed(tables, facts, "C9a-r1 IT")["verdict"] == "supported"
    assert "at the stage epoch 1" in claimed(tables, facts, "C9b-r1 IT")["reason"]


def test_fewer_than_three_networks_have_no_verdict(tmp_path, facts):
    tables = recording_tables(write(tmp_path, seeds=(1, 2)), facts)
    assert "fewer than 3 networks" in claimed(tables, facts, "C9a-r1 IT")["reason"]


def test_networks_that_are_given_as_they_are_gain_nothing(tmp_path, facts):
    paths = write(tmp_path)
    for path in paths:
        frame = pd.read_parquet(path)
        frame[frame.step == STEPS[-1]].to_parquet(path)
    facts["groups"]["final_step"] = 0
    table = recording_tables(paths, facts)["fig8"]
    assert table["mean"].notna().all()
    assert table[["gain", "gain_low", "gain_high"]].isna().all(axis=None)
    assert table[["stimuli_gain_low", "stimuli_gain_high"]].isna().all(axis=None)


def test_a_layer_that_is_left_out_is_named(tmp_path, facts):
    tables = recording_tables(write(tmp_path, missing=[("r1", "b5", 2, 0)]), facts)
    for part in ("C9a-r1 IT", "C9b-r1 IT"):
        assert "left out, without a score: d g b5" in claimed(tables, facts, part)["reason"]
    assert "left out" not in claimed(tables, facts, "C9a-r2 V4")["reason"]
