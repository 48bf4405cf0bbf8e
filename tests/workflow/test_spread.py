"""Tolerances from runs that differ by noise of a known size."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from convergent_learning.tables.schema import TABLES
from convergent_learning.tables.storage import read_table
from convergent_learning.verify import roles
from convergent_learning.verify.reference import make_reference
from convergent_learning.verify.result import verify
from convergent_learning.verify.spread import measure_spread

NOISE = 0.03
CONFIG = {"experiment": "smoke"}


@pytest.fixture(scope="session")
def rerun(finished, tmp_path_factory):
    """Makes results as another machine or other seeds would, every trained number a bit off."""
    original = finished.folder / "results/smoke"

    def make(name, noise=NOISE, seeds=0):
        folder = tmp_path_factory.mktemp("runs") / name
        shutil.copytree(original / "tables", folder / "tables")
        rng = np.random.default_rng(sum(map(ord, name)))
        for table in TABLES:
            frame = read_table(folder / "tables", table)
            trained = roles.pools(table, frame).stage != "untrained"
            for column in roles.measured(table, frame):
                # Claims and counts follow from the numbers; here they stay as they are.
                if pd.api.types.is_float_dtype(frame[column]):
                    moved = frame[column] + noise * rng.normal(size=len(frame))
                    frame[column] = frame[column].where(~trained, moved)
            for column in frame:
                if "seed" in column:
                    frame[column] += seeds
            frame.to_csv(folder / f"tables/{table}.csv", index=False)
        shutil.copy(original / "claims.json", folder)
        return folder

    return make


@pytest.fixture(scope="session")
def runs(rerun):
    return [rerun("first"), rerun("seeds", seeds=3), rerun("threads")]


def test_the_spread_is_that_of_the_difference_of_two_runs(runs):
    spread, calibration = measure_spread(runs)
    scores = spread[(spread.table == "fig2_pairs") & (spread.column == "score")]
    trained = scores[scores.stage == "final"]
    assert trained.spread.to_numpy() == pytest.approx(NOISE * 2**0.5, rel=0.3)
    assert scores[scores.stage == "untrained"].spread.max() == 0
    assert [run["run"] for run in calibration["left_out"]] == ["first", "seeds", "threads"]
    assert all(5 < factor < 10 for factor in calibration["factors"].values())


def test_untrained_rows_are_compared_between_runs_of_the_same_seeds_only(rerun, runs):
    spread, _ = measure_spread(runs[:2])
    assert set(spread.stage) == {"trained", "final", "first epoch"}


@pytest.mark.slow
def test_an_honest_rerun_passes_and_a_shift_beyond_the_noise_fails(rerun, runs, tmp_path):
    make_reference(runs[0], tmp_path / "reference", CONFIG, {}, pd.DataFrame(), runs[1:])
    for name in ("fourth", "fifth", "sixth"):
        found = verify(tmp_path / "reference", rerun(name), CONFIG)
        assert found.numbers.deviation.max() < 1
    shifted = rerun("shifted")
    table = read_table(shifted / "tables", "fig6_pairs")
    table.loc[3, "ood"] += 20 * NOISE
    table.to_csv(shifted / "tables/fig6_pairs.csv", index=False)
    found = verify(tmp_path / "reference", shifted, CONFIG)
    beyond = found.numbers[found.numbers.deviation > 1]
    assert set(zip(beyond.table, beyond.column, strict=True)) == {
        ("fig6_pairs", "ood"),
        ("fig6_pairs", "ood among metrics"),
    }


def test_one_run_alone_has_floors_only(runs, tmp_path):
    calibration = make_reference(runs[0], tmp_path / "reference", CONFIG, {}, pd.DataFrame())
    assert calibration["left_out"] == []
    assert pd.read_csv(tmp_path / "reference/tolerances.csv").empty
    assert json.loads((tmp_path / "reference/spread.json").read_text())["factors"]["number"] > 5
    assert not verify(tmp_path / "reference", runs[0], CONFIG).numbers.deviation.any()
