"""Scores judged against permuted stimuli: planted layers, from activations to tables."""

from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest

from convergent_learning import figures as figure_modules
from convergent_learning.activations.shown import ShownSample
from convergent_learning.activations.shuffled import write_shuffled_scores
from convergent_learning.alignment import score
from convergent_learning.alignment.crossvalidation import folds, shuffle_within
from convergent_learning.alignment.score_tables import COLUMNS, score_table
from convergent_learning.alignment.store import write_moments
from convergent_learning.claims.ingredients import passing_matches
from convergent_learning.figures import fig2, fig4
from convergent_learning.tables.figure_tables import write_tables
from convergent_learning.tables.schema import COLUMNS as TABLE_COLUMNS
from convergent_learning.tables.storage import read_tables
from convergent_learning.verify.consistency import _contradictions

STIMULI, UNITS, SEED, FOLDS = 60, 4, 3, 4
STEP = 7


class Planted:
    """Activations of a network, as `alignment.store.Activations`, and as a block gives them."""

    together = False

    def __init__(self, seed, responses):
        self.name, self._responses = f"net-seed{seed}", responses
        self.attrs = {
            "dataset": "planted", "stimuli": "id", "condition": "", "stimulus_digest": "d",
            "group": "net", "seed": seed, "step": STEP, "weights_digest": "w", "dtype": "float64",
            "positions": "all", "identity": str(seed),
        }  # fmt: skip
        last = max(len(responses) - 1, 1)
        self.layers = {
            name: {"layer": name, "order": i, "depth": i / last, "role": "block"}
            for i, name in enumerate(responses)
        }
        self.shapes = {name: array.shape for name, array in responses.items()}

    def read(self, layers):
        return [self._responses[layer] for layer in layers]


def planted(n_layers, shared, seeds=(1, 2, 3)):
    """Networks whose first `shared` layers are noisy views of signals, each of its own."""
    rng = np.random.default_rng(0)
    signals = rng.standard_normal((n_layers, STIMULI, UNITS))
    return [
        Planted(
            seed,
            {
                f"layer{i}": (i < shared) * signal + rng.standard_normal((STIMULI, UNITS))
                for i, signal in enumerate(signals)
            },
        )
        for seed in seeds
    ]


def scored(networks, folder, metrics, crossed, draws):
    """Score files: of the stimuli as they are, and of permuted ones."""
    names = [network.name for network in networks]
    mapped = names if crossed else []
    learned, shuffled = folder / "scores.parquet", folder / "shuffled.parquet"
    with h5py.File("planted", "w", driver="core", backing_store=False) as moments:
        write_moments(networks, moments, mapped, FOLDS, SEED, False)
        score_table(moments, metrics, ridge=0.1).to_parquet(learned)
    block = SimpleNamespace(activations=lambda _: networks, n_folds=FOLDS, seed=SEED)
    sample = ShownSample("id.h5", STEP, (), tuple(mapped), "id_step7")
    write_shuffled_scores(block, sample, shuffled, metrics, draws, crossed=crossed, ridge=0.1)
    return learned, shuffled


def tables_of(networks, folder, metrics=("procrustes",), crossed=(), draws=19, figures=(2,)):
    """Tables of planted networks."""
    learned, shuffled = scored(networks, folder, metrics, crossed, draws)
    layers = [
        ("planted", "net", "net", name, about["depth"], "block", UNITS, 1, 1, 1)
        for name, about in networks[0].layers.items()
    ]
    facts = {
        "layers": layers,
        "datasets": [("planted", 10, 0.1, 100, STIMULI, "", "")],
        "groups": [("planted", "net", "true", "natural", "supervised", STEP, STEP)],
    }
    for name, rows in facts.items():
        frame = pd.DataFrame(rows, columns=TABLE_COLUMNS[name])
        frame.to_csv(folder / f"{name}.csv", index=False)
    for figure in figures:
        write_tables(figure_modules.figures()[figure].DATA, [learned], folder, shuffled=[shuffled])
    names = {2: ["fig2_pairs", "fig2_null", "fig2_calibrated"]}
    names[4] = ["fig4_pairs", "fig4_null", "fig4_calibrated"]
    return read_tables(folder, [*facts, *(name for figure in figures for name in names[figure])])


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """Of three networks with two shared layers and one of their own."""
    folder = tmp_path_factory.mktemp("calibrated")
    metrics = ("procrustes", "permutation")
    return tables_of(planted(3, 2), folder, metrics, ("procrustes",), figures=(2, 4))


def test_draws_are_scores_of_networks_with_permuted_stimuli(tmp_path):
    networks = planted(2, 1, seeds=(1, 2))
    _, path = scored(networks, tmp_path, ["procrustes", "linear"], ["procrustes"], 3)
    table = pd.read_parquet(path)
    assert list(table) == COLUMNS
    assert set(table.baseline) == {"shuffled"}
    assert sorted(table.draw.unique()) == [1, 2, 3]
    fold_of = folds(STIMULI, FOLDS, SEED)
    for draw in (1, 3):
        x, y = (
            network.read(["layer1"])[0][
                shuffle_within(fold_of, SEED, f"{network.name} draw {draw}")
            ]
            for network in networks
        )
        rows = table[
            (table.draw == draw) & (table.layer_x == "layer1") & (table.layer_y == "layer1")
        ]
        for metric, own in rows.groupby("metric"):
            expected = score(x, y, metric, folds=fold_of, ridge=0.1)[metric].mean
            assert own.score.mean() == pytest.approx(expected, abs=1e-5)


def test_only_crossed_metrics_compare_a_layer_with_others(tmp_path):
    _, path = scored(planted(2, 1), tmp_path, ["procrustes", "linear"], ["procrustes"], 1)
    table = pd.read_parquet(path)
    others = table[table.layer_x != table.layer_y]
    assert set(others.metric) == {"procrustes"}
    assert len(others) == 3 * 2 * 2 * FOLDS


def test_shared_layers_exceed_every_draw_and_others_do_not(tables):
    judged = tables["fig2_calibrated"]
    assert list(judged.n_draws.unique()) == [19]
    assert list(judged.n_pairs.unique()) == [3]
    shared = judged.layer != "layer2"
    assert (judged.p[shared] == 1 / 20).all()
    assert (judged.p_highest[shared] == 1 / 20).all()
    expected = (judged["mean"] - judged.threshold) / (1 - judged.threshold)
    np.testing.assert_allclose(judged.calibrated[shared], expected[shared], atol=1e-7)
    assert (judged.calibrated[~shared] == 0).all()
    assert (judged.p[~shared] > 0.05).all()
    assert (judged.p_highest >= judged.p).all()


def test_best_matches_are_judged_by_the_best_of_every_draw(tables):
    judged, null = tables["fig4_calibrated"], tables["fig4_null"]
    assert len(judged) == 6 * 3  # directed pairs, target layers
    shared = judged.target_layer != "layer2"
    assert (judged.best_layer == judged.target_layer)[shared].all()
    assert (judged.p[shared] == 1 / 20).all()
    assert (judged.calibrated[~shared] == 0).mean() > 0.7
    cell = ["source_seed", "target_seed", "target_layer"]
    draws = null.merge(judged[[*cell, "score"]], on=cell)
    reached = (draws.shuffled >= draws.score).groupby([draws[name] for name in cell]).sum()
    expected = (1 + reached) / 20
    np.testing.assert_allclose(judged.set_index(cell).p, expected.loc[judged.set_index(cell).index])


def test_verify_finds_that_judgements_follow_from_their_draws(tables):
    for figure in (2, 4):
        name = f"fig{figure}_calibrated"
        expected = figure_modules.figures()[figure].DATA.summarised(tables, tables)[name]
        assert [*_contradictions(name, tables[name], expected)] == []
        altered = tables[name].assign(calibrated=0.5)
        assert "calibrated of" in next(_contradictions(name, altered, expected))


def test_claims_say_how_many_best_matches_chance_does_not_reach(tables):
    passing = int((tables["fig4_calibrated"].p <= 0.05).sum())
    [note] = passing_matches(tables)
    assert note.startswith(f"{passing} of 18 best matches have p ≤ 0.05")
    assert "19 permutations" in note
    assert passing_matches({}) == ()


def test_without_procrustes_only_own_layers_are_judged(tmp_path):
    tables = tables_of(planted(2, 1, (1, 2)), tmp_path, ("linear",), figures=(2, 4))
    assert set(tables["fig2_calibrated"].metric) == {"linear"}
    assert len(tables["fig4_null"]) == len(tables["fig4_calibrated"]) == 0
    assert passing_matches(tables) == ()
    again = fig4.DATA.summarised(tables, tables)["fig4_calibrated"]
    assert [*_contradictions("fig4_calibrated", tables["fig4_calibrated"], again)] == []


def test_judgements_of_an_earlier_run_do_not_stay(tmp_path):
    tables_of(planted(1, 1, (1, 2)), tmp_path, draws=1)
    assert (tmp_path / "fig2_calibrated.csv").exists()
    write_tables(fig2.DATA, [tmp_path / "scores.parquet"], tmp_path)
    assert (tmp_path / "fig2_pairs.csv").exists()
    assert not [*tmp_path.glob("fig2_calibrated.csv"), *tmp_path.glob("fig2_null.csv")]


def test_a_layer_without_a_live_unit_is_judged_by_nothing(tmp_path):
    networks = planted(3, 3)
    networks[0].read(["layer1"])[0][:] = 0
    with pytest.warns(RuntimeWarning, match="no unit of"):
        tables = tables_of(networks, tmp_path, crossed=("procrustes",), figures=(2, 4))
    own = tables["fig2_calibrated"].set_index("layer")
    assert own.p.to_dict() == dict.fromkeys(("layer0", "layer1", "layer2"), 1 / 20)
    assert set(tables["fig4_calibrated"].target_layer) == {"layer0", "layer2"}


def test_unrelated_layers_pass_as_seldom_as_chance(tmp_path):
    judged = tables_of(planted(10, 0, seeds=(1, 2)), tmp_path, draws=19)["fig2_calibrated"]
    assert 0.3 < judged.p.mean() < 0.7
    assert judged.p.min() < 0.3
    assert (judged.calibrated > 0).sum() <= 3
    assert ((judged.calibrated > 0) == (judged.p <= 0.05)).all()
    assert (judged.p_highest > 0.05).all()
