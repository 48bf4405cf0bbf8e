"""Tables from score files: contents, roles, and errors that name the file at fault."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic

from convergent_learning.figures import fig4, fig5, fig6, figures
from convergent_learning.figures.__main__ import markdown
from convergent_learning.tables.figure_tables import write_tables
from convergent_learning.tables.schema import COLUMNS, Role, with_role
from convergent_learning.tables.scores import read_scores
from convergent_learning.tables.storage import read_table, read_tables, remove_others
from convergent_learning.tables.summaries import map_means

FAMILIES = {"colour": ["bw"], "contrast": ["50", "5"], "eidolon_I": ["8"], "eidolon_II": ["8"]}
WRITTEN = [f"fig{n}{kind}" for n in range(2, 7) for kind in ("", "_pairs")] + [
    *(
        "fig3_null",
        "fig4_matches",
        "fig5_networks",
        "fig5_accuracy",
        "fig6_conditions",
        "fig6_slopes",
    )
]


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    folder = tmp_path_factory.mktemp("experiment")
    frame, context = synthetic.score_frame(families=FAMILIES)
    frame.loc[frame.layer_x == "relu", "n_dead_x"] = 3
    return folder, frame, synthetic.write_all(folder, frame, context)


def test_every_table_is_written_with_its_columns(experiment):
    for name in WRITTEN:
        table = read_table(experiment[0] / "tables", name)
        assert list(table) == COLUMNS[name]
        assert len(table), name


def test_scores_are_fold_means(experiment):
    _, frame, files = experiment
    got = read_scores(files)
    keys = [c for c in frame if c not in ("fold", "score", "n_dead_x", "n_dead_y")]
    expected = frame.groupby(keys).score.mean()
    assert len(got) == len(expected)
    assert np.allclose(got.set_index(keys).score.loc[expected.index], expected)
    assert (got.n_folds == 2).all()


def test_small_batches_give_the_same(experiment, monkeypatch):
    files = experiment[2][:3]
    whole = read_scores(files)
    monkeypatch.setattr("convergent_learning.tables.scores._BATCH_ROWS", 137)
    pd.testing.assert_frame_equal(read_scores(files), whole)


def test_a_nan_fold_makes_the_cell_nan(experiment, tmp_path):
    frame = pd.read_parquet(experiment[2][0])
    frame.loc[0, "score"] = np.nan
    frame.to_parquet(tmp_path / "a.parquet")
    assert read_scores([tmp_path / "a.parquet"]).score.isna().sum() == 1


def test_fig2_pairs_own_layers_and_counterparts(experiment):
    table = read_table(experiment[0] / "tables", "fig2_pairs")
    within = table[table.group_x == table.group_y]
    assert (within.layer_x == within.layer_y).all()
    assert set(within.step) == {0, 784}
    assert set(within.baseline) == {"learned", "shuffled"}
    assert set(within.center) == {"position", "unit"}
    across = table[table.group_x != table.group_y]
    pooled = across[across.layer_x == "flatten"]
    assert set(pooled.layer_y) == {"flatten"}
    assert set(across[across.layer_x == "fc"].layer_y) == {"classifier"}
    blocks = across[across.role == "block"]
    assert blocks.layer_y.str.startswith("features").all()
    assert len(across[["seed_x", "seed_y"]].drop_duplicates()) == 9
    row = within[(within.layer_x == "relu") & (within.metric == "linear")].iloc[0]
    assert row.rows_per_unit == pytest.approx(1000 * (1 - 1 / 2) * 64 / 16)
    assert row.n_dead_x == 3


def test_fig3_tests_no_logits(experiment):
    table = read_table(experiment[0] / "tables", "fig3")
    logits = table.role == "logits"
    assert table.p_adjusted[logits].isna().all()
    assert table.p_adjusted[~logits].notna().all()
    assert (table.n_draws == 19).all()
    pairs = read_table(experiment[0] / "tables", "fig3_pairs")
    assert np.allclose(pairs.difference, pairs.learned - pairs.rotated, atol=1e-6)


def test_fig4_has_one_best_block_a_target(experiment):
    table = read_table(experiment[0] / "tables", "fig4")
    table = table[table.metric == "procrustes"]
    groups = ["step", "source_group", "target_group", "target_layer", "target_role"]
    best = table.groupby(groups).best.sum()
    role = best.index.get_level_values("target_role")
    assert (best[role == "block"] == 1).all()
    assert (best[role != "block"] == 0).all()
    directed = read_table(experiment[0] / "tables", "fig4_pairs")
    directed = directed[directed.metric == "procrustes"]
    assert len(directed) == 2 * (2 * 3 * (11 * 11 + 10 * 10) + 2 * 9 * 11 * 10)


def test_fig6_drops_and_accuracies(experiment):
    table = read_table(experiment[0] / "tables", "fig6_pairs")
    assert np.allclose(table["drop"], table.id - table.ood, atol=1e-6)
    assert np.allclose(table.accuracy_drop, table.accuracy_id - table.accuracy, atol=1e-6)
    assert set(table.loc[table.stimuli.str.startswith("eidolon"), "family"]) == {"eidolon"}
    assert set(table.condition) == {"bw", "50", "5", "8"}
    everything = read_table(experiment[0] / "tables", "fig6")
    assert "all" in set(everything.stimuli)
    slopes = read_table(experiment[0] / "tables", "fig6_slopes")
    late = slopes[(slopes.third == "late") & (slopes.metric == "procrustes")]
    assert np.allclose(late.slope, 0.6, atol=0.2)


def test_near_chance_conditions_are_marked(experiment):
    folder, _, files = experiment
    setting = read_tables(folder / "tables", ("datasets", "groups", "layers", "conditions"))
    accuracy = read_table(folder / "tables", "accuracy")
    accuracy.loc[accuracy.stimuli == "contrast", "accuracy"] = 0.11
    table = fig6.DATA.made(read_scores(files), setting | {"accuracy": accuracy})["fig6_pairs"]
    assert (table.near_chance == (table.stimuli == "contrast")).all()


def test_conditions_without_an_accuracy_keep_their_drops_and_leave_the_slopes(experiment):
    folder, _, files = experiment
    setting = read_tables(folder / "tables", ("datasets", "groups", "layers", "conditions"))
    accuracy = read_table(folder / "tables", "accuracy")
    accuracy.loc[accuracy.stimuli == "contrast", "accuracy"] = np.nan
    setting["accuracy"] = accuracy
    scores = read_scores(files)
    # Other images than the ID set's: nothing transfers.
    unpaired = (scores.stimuli == "contrast") & (scores.baseline == "transfer")
    tables = fig6.DATA.made(scores[~unpaired], setting)
    points = tables["fig6_conditions"]
    undecided = points.stimuli == "contrast"
    assert len(points[undecided]) == 2 * points.group.nunique() * points.metric.nunique()
    assert points[undecided][["early", "late", "early_low"]].notna().all(axis=None)
    assert (
        points[undecided][["accuracy", "accuracy_drop", "accuracy_drop_low"]].isna().all(axis=None)
    )
    assert not points[undecided].near_chance.any()
    everywhere = tables["fig6"][tables["fig6"].stimuli == "all"]
    assert everywhere[["drop", "transfer_drop"]].notna().all(axis=None)
    assert (tables["fig6_slopes"].n_conditions == 3).all()
    assert tables["fig6_slopes"].slope.notna().all()


def test_truncated_file_is_named(experiment, tmp_path):
    path = tmp_path / "cut.parquet"
    path.write_bytes(experiment[2][0].read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"cut\.parquet.*delete it"):
        read_scores([path])


def test_missing_column_and_repeated_rows_are_named(experiment, tmp_path):
    path = experiment[2][0]
    pd.read_parquet(path).drop(columns="depth_x").to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a\.parquet.*depth_x"):
        read_scores([tmp_path / "a.parquet"])
    with pytest.raises(ValueError, match="same rows"):
        read_scores([path, path])
    with pytest.raises(ValueError, match="no score files"):
        read_scores([])


def test_unknown_layer_and_bad_tables_are_named(experiment, tmp_path):
    folder, _, files = experiment
    layers = read_table(folder / "tables", "layers")
    for name in ("datasets", "groups"):
        shutil.copy(folder / f"tables/{name}.csv", tmp_path)
    layers[layers.layer != "relu"].to_csv(tmp_path / "layers.csv", index=False)
    with pytest.raises(ValueError, match=r"resnet18/relu.*layers\.csv"):
        write_tables(fig4.DATA, files, tmp_path)
    layers.drop(columns="role").to_csv(tmp_path / "layers.csv", index=False)
    with pytest.raises(ValueError, match=r"layers\.csv.*role"):
        write_tables(fig4.DATA, files, tmp_path)
    with pytest.raises(ValueError, match=r"fig2\.csv.*no such table"):
        read_table(tmp_path, "fig2")
    with pytest.raises(ValueError, match="fig5_pairs needs accuracy"):
        write_tables(fig5.DATA, files, folder / "tables")


def test_rerun_gives_the_same_bytes(experiment, tmp_path):
    folder, _, files = experiment
    for name in ("datasets", "groups", "layers"):
        shutil.copy(folder / f"tables/{name}.csv", tmp_path)
    for figure in (2, 3, 4):
        write_tables(figures()[figure].DATA, files[::-1], tmp_path)
    for file in tmp_path.glob("fig*.csv"):
        assert file.read_bytes() == (folder / "tables" / file.name).read_bytes(), file.name


def test_the_documented_schema_is_the_schema():
    made = (Path(__file__).parents[2] / "docs/tables.md").read_text(encoding="utf-8")
    assert made == markdown(), "run `make pages`"


def test_every_table_has_keys_that_name_its_rows(experiment):
    for name in WRITTEN:
        table = read_table(experiment[0] / "tables", name)
        assert not table.duplicated(with_role(name, Role.KEY)).any(), name


def test_tables_that_an_experiment_no_longer_has_are_removed(tmp_path):
    for name in ("fig2", "fig7_pairs", "notes_of_mine"):
        (tmp_path / f"{name}.csv").write_text("a\n1\n")
    remove_others(tmp_path, ["fig2", "datasets"])
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["fig2", "notes_of_mine"]


def test_a_dead_block_takes_no_best_match_from_the_others(experiment):
    maps = read_table(experiment[0] / "tables", "fig4_pairs")
    facts = read_tables(experiment[0] / "tables", ("groups",))
    dead = (maps.source_layer == "features.5") | (maps.target_layer == "features.5")
    maps.loc[dead, "score"] = np.nan
    table = map_means({"fig4_pairs": maps}, facts)["fig4"]
    blocks = table[(table.source_role == "block") & (table.target_role == "block")]
    blocks = blocks[blocks.metric == "procrustes"]
    best = blocks.groupby(["step", "source_group", "target_group", "target_layer"]).best.sum()
    assert (best == (best.index.get_level_values("target_layer") != "features.5")).all()
