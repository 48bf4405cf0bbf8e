"""Activation files to moments files to score tables."""

import shutil
import subprocess
import sys

import h5py
import numpy as np
import pandas as pd
import pytest

from convergent_learning.alignment import (
    folds,
    metrics,
    register,
    score,
    score_table,
    transfer,
    write_moments,
)
from convergent_learning.alignment.arrays import to_numpy
from convergent_learning.alignment.maps import mapped_correlation
from convergent_learning.alignment.reading import MomentsFile
from convergent_learning.alignment.score_tables import COLUMNS
from convergent_learning.files import DamagedFileError

# name, units, grid, role: a 1 x 1 stem of tokens before a finer grid breaks the usual order
LAYERS = {
    "a": [("stem", 4, 4, "block"), ("mid.0", 6, 2, "block"), ("pool", 6, 0, "pooled")],
    "b": [("token", 5, 0, "block"), ("stem", 8, 4, "block"), ("head", 3, 0, "logits")],
}
LAYERS["c"] = LAYERS["a"]
N = 64


def write_network(folder, group, seed, condition="", damage=None):
    rng = np.random.default_rng([seed, len(condition), ord(group)])
    shared = np.random.default_rng(len(condition)).standard_normal((N, 3, 4, 4))
    path = folder / f"{group}-seed{seed}.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update(
            dataset="toy",
            group=group,
            seed=seed,
            step=7,
            stimuli="contrast" if condition else "id",
            condition=condition,
            stimulus_digest="s",
            weights_digest="w",
            identity=f"i{seed}",
            dtype="float16",
            positions=16,
            package_version="0",
        )
        for order, (name, units, grid, role) in enumerate(LAYERS[group]):
            cell = 4 // max(grid, 1)
            latent = shared.reshape(N, 3, max(grid, 1), cell, max(grid, 1), cell).mean((3, 5))
            mixed = np.einsum("nchw,cd->ndhw", latent, rng.standard_normal((3, units)))
            mixed = np.maximum(mixed + 0.3 * rng.standard_normal(mixed.shape), 0)
            data = (mixed if grid else mixed[:, :, 0, 0]).astype(np.float16)
            if damage == name:
                data[5, 1] = np.nan
            dataset = file.create_dataset(f"layers/{name}", data=data, chunks=(16, *data.shape[1:]))
            dataset.attrs.update(layer=name, order=order, depth=order / 2, role=role)
    return path


def read(path, layer):
    with h5py.File(path) as file:
        return file["layers"][layer][:]


NETWORKS = ["a-seed1", "a-seed2", "b-seed1", "b-seed2"]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Activation files of four networks under two conditions, and their moments."""
    folder = tmp_path_factory.mktemp("moments")
    found = {"folder": folder}
    for slug, condition in (("id", ""), ("ood", "50")):
        (folder / slug).mkdir()
        found[slug] = [
            write_network(folder / slug, name, seed, condition) for name in "ab" for seed in (1, 2)
        ]
    found["final"] = folder / "final.h5"
    found["contrast"] = folder / "contrast.h5"
    write_moments(found["id"], found["final"], NETWORKS, 4, 3, True)
    write_moments(found["ood"], found["contrast"], (), 4, 3, True)
    return found


def test_table_holds_what_score_gives_for_every_layer_pair(files):
    table = score_table(files["final"], ["procrustes"])
    assert list(table.columns) == COLUMNS
    learned = table[table.baseline == "learned"]
    assert len(learned) == 6 * 9 * 2 * 4
    paths = {(p.stem[0], int(p.stem[-1])): p for p in files["id"]}
    for key, rows in learned.groupby(
        ["group_x", "seed_x", "layer_x", "group_y", "seed_y", "layer_y"]
    ):
        x, y = read(paths[key[:2]], key[2]), read(paths[key[3:5]], key[5])
        expected = score(x, y, "procrustes", folds=folds(N, 4, 3))["procrustes"]
        for direction, values in expected.directions.items():
            got = rows[rows.direction == direction].sort_values("fold").score
            np.testing.assert_allclose(got, values, atol=1e-6, err_msg=str(key))


def test_own_layer_rows(files):
    table = score_table(
        files["contrast"],
        ["linear"],
        centers=("position", "unit"),
        transfer_from=files["final"],
    )
    counts = table.groupby(["baseline", "center"]).size().to_dict()
    rows = 2 * 3 * 2 * 4  # pairs x layers x directions x folds
    assert counts == {
        ("learned", "position"): rows,
        ("learned", "unit"): rows,
        ("shuffled", "position"): rows,
        ("transfer", "position"): rows,
    }
    assert set(table.condition) == {"50"}
    assert (table.draw == 0).all()
    shuffled = table[table.baseline == "shuffled"].score.mean()
    assert abs(shuffled) < 0.1 < table[table.baseline == "learned"].score.mean()
    x, y, other_x, other_y = (
        read(files[slug][i], "stem") for slug in ("id", "ood") for i in (0, 1)
    )
    expected = transfer(x, y, other_x, other_y, "linear", folds=folds(N, 4, 3))["linear"]
    chosen = table[(table.baseline == "transfer") & (table.group_x == "a")]
    chosen = chosen[(chosen.layer_x == "stem") & (chosen.direction == "y->x")]
    np.testing.assert_allclose(chosen.score, expected.directions["y->x"], atol=1e-6)


def test_permutation_has_rows_only_at_equal_widths(files):
    table = score_table(files["final"], ["permutation"])
    assert (table.layer_x.eq("stem") & table.layer_y.eq("mid.0")).sum() == 0
    assert (table.layer_x.eq("mid.0") & table.layer_y.eq("pool")).sum() == 2 * 2 * 4 // 2


def test_context_table(files):
    table = score_table(files["contrast"], (), context=True)
    assert set(table.metric) == set(metrics(context=True))
    assert (table.layer_x == table.layer_y).all()
    assert table.score.notna().all()


def rotated_rows(file, metric, draws, **how):
    return score_table(file, (), rotated=[metric], draws=draws, **how)


def test_rotated_rows(files):
    table = rotated_rows(files["contrast"], "permutation", 3)
    assert set(table.draw) == {1, 2, 3}
    assert set(table.baseline) == {"rotated"}
    assert len(table) == 2 * 3 * 2 * 4 * 3
    more = rotated_rows(files["contrast"], "permutation", 4)
    pd.testing.assert_frame_equal(more[more.draw < 4].reset_index(drop=True), table)
    linear = rotated_rows(files["contrast"], "linear", 1)
    learned = score_table(files["contrast"], ["linear"]).query("baseline == 'learned'")
    keys = ["group_x", "layer_x", "direction", "fold"]
    np.testing.assert_allclose(
        linear.sort_values(keys).score, learned.sort_values(keys).score, atol=1e-6
    )


@pytest.mark.parametrize("condition", ["final", "contrast"])
def test_metrics_scored_together_are_those_scored_alone(files, condition):
    how = {"centers": ("position", "unit"), "transfer_from": files["final"]}
    names, turned = ("linear", "procrustes", "soft_matching"), ("permutation",)
    together = score_table(
        files[condition], names, rotated=turned, draws=2, seed=1, context=True, **how
    )
    alone = [
        *(score_table(files[condition], [name], **how) for name in names),
        score_table(files[condition], (), context=True, **how),
        rotated_rows(files[condition], "permutation", 2, seed=1),
    ]
    _assert_same_rows(together, pd.concat(alone))


def test_files_of_a_block_give_the_rows_of_each(files, tmp_path):
    """Maps fitted in distribution are made once for all of them."""
    paths = [files["contrast"], shutil.copy(files["contrast"], tmp_path / "other.h5")]
    with h5py.File(paths[1], "r+") as file:
        file.attrs["condition"] = "30"
    how = {"ridge": 0.01, "transfer_from": files["final"], "context": True}
    metrics = ["linear", "permutation", "soft_matching"]
    each = [score_table(path, metrics, **how) for path in paths]
    _assert_same_rows(score_table(paths, metrics, **how), pd.concat(each))


def test_rows_that_are_not_wanted_are_left_out(files):
    how = {"rotated": ["permutation"], "draws": 2, "context": True}
    every = score_table(files["final"], ["linear", "permutation"], ridge=0.01, **how)

    def wanted(file, metric, x, y):
        return metric != "linear" and (x, y) != ("a-seed1", "a-seed2")

    some = score_table(files["final"], ["linear", "permutation"], ridge=0.01, wanted=wanted, **how)
    of_a = (every.group_x == "a") & (every.group_y == "a")
    _assert_same_rows(some, every[(every.metric != "linear") & ~of_a])


@pytest.mark.parametrize("squares", [10_000, 50], ids=["all layers", "some layers"])
@pytest.mark.parametrize("condition", ["final", "contrast"])
def test_layers_called_wide_have_the_same_rows(files, monkeypatch, condition, squares):
    """Nothing is kept for partners of wide layers, which are compared grid by grid, in parts."""
    how = {"centers": ("position", "unit"), "transfer_from": files["final"], "ridge": 0.01}
    how |= {"context": True, "rotated": ["permutation"], "draws": 2, "device": "cpu"}
    metrics = ["linear", "procrustes", "permutation", "soft_matching"]
    expected = score_table(files[condition], metrics, **how)
    monkeypatch.setattr("convergent_learning.alignment.comparisons.WIDE", 1)
    monkeypatch.setattr("convergent_learning.alignment.comparisons._SQUARES_AT_ONCE", squares)
    _assert_same_rows(score_table(files[condition], metrics, **how), expected)


@pytest.mark.parametrize("mapped", [(), NETWORKS])
def test_memory_limit_changes_nothing(files, tmp_path, mapped):
    small, large = tmp_path / "small.h5", tmp_path / "large.h5"
    write_moments(files["id"], small, mapped, 4, 3, True, memory=20_000)
    write_moments(files["id"], large, mapped, 4, 3, True)
    a, b = (score_table(path, ["linear"], ridge=0.01) for path in (small, large))
    pd.testing.assert_frame_equal(
        a.drop(columns="score"), b.drop(columns="score"), check_exact=True
    )
    np.testing.assert_allclose(a.score, b.score, atol=1e-6)


def test_a_file_in_memory_holds_the_same(files):
    """`write_moments` and `MomentsFile` take an open HDF5 file, which stays open."""
    with h5py.File("moments.h5", "w", driver="core", backing_store=False) as file:
        write_moments(files["id"], file, NETWORKS, 4, 3, True)
        with MomentsFile(file) as found, MomentsFile(files["final"]) as expected:
            for x, y in expected.pairs():
                for layer in x.layers:
                    rows = zip(
                        found.layer_pairs(x, y, layer),
                        expected.layer_pairs(x, y, layer),
                        strict=True,
                    )
                    for (_, a), (_, b) in rows:
                        np.testing.assert_array_equal(a.xy(((0, 1),)), b.xy(((0, 1),)))
        assert file


def test_networks_outside_the_maps_keep_their_own_layers(files, tmp_path):
    """Scores are those of the file with all maps, without the layer pairs left out."""
    out = tmp_path / "some.h5"
    write_moments(files["id"], out, NETWORKS[:3], 4, 3, True)
    every, some = (score_table(path, ["linear"], ridge=0.01) for path in (files["final"], out))
    left_out = (every.group_y == "b") & (every.seed_y == 2)
    own = (every.group_x == "b") & (every.layer_x == every.layer_y)
    expected = every[~left_out | own]
    _assert_close(some, expected)


@pytest.mark.parametrize("memory", [None, 20_000])
def test_groups_with_equal_layers_are_compared_layer_by_layer(files, tmp_path, memory):
    """As with maps of all, but for what maps alone hold; baselines are of a group's own pairs."""
    networks = [*files["id"][:2], *(write_network(tmp_path, "c", seed) for seed in (3, 4))]
    names = [path.stem for path in networks]
    write_moments(networks, tmp_path / "all.h5", names, 4, 3, True)
    write_moments(networks, tmp_path / "own.h5", (), 4, 3, True, memory=memory)
    some = [(names[0], names[1]), (names[0], names[2])]
    write_moments(networks, tmp_path / "some.h5", names[:2], 4, 3, True, some, memory=memory)
    every, own, chosen = (
        score_table(tmp_path / f"{name}.h5", ["linear"], ridge=0.01)
        for name in ("all", "own", "some")
    )
    _assert_close(own, every[every.layer_x == every.layer_y])
    pair = ((every.group_y == "a") & (every.seed_y == 2)) | (
        (every.group_y == "c") & (every.seed_x == 1) & (every.seed_y == 3)
    )
    own_alone = (every.group_y == "c") & (every.layer_x != every.layer_y)
    _assert_close(chosen, every[pair & (every.group_x == "a") & ~own_alone])
    assert set(own[own.group_x != own.group_y].baseline) == {"learned"}


@pytest.mark.parametrize("condition", ["final", "contrast"])
def test_jobs_of_some_networks_hold_together_what_one_job_holds(files, condition):
    """The rotations of a network are the same in every job too."""
    how = {"centers": ("position", "unit"), "ridge": 0.01, "context": True}
    how |= {"rotated": ["permutation"], "draws": 3}
    if condition == "contrast":
        how["transfer_from"] = files["final"]
    metrics = ("linear", "permutation")
    first, second, third, fourth = NETWORKS
    chosen = [
        [],
        [(second, first), (third, first)],  # the order in a pair does not matter
        [(first, fourth)],
        [(second, third)],
        [(second, fourth), (third, fourth)],
    ]
    parts = [score_table(files[condition], metrics, pairs=pairs, **how) for pairs in chosen]
    assert any(part.empty for part in parts)
    assert len({tuple(part.dtypes) for part in parts}) == 1
    _assert_same_rows(pd.concat(parts), score_table(files[condition], metrics, **how))


def _assert_same_rows(found, expected, **how):
    keys = [column for column in COLUMNS if column not in ("score", "n_dead_x", "n_dead_y")]
    found, expected = (table.sort_values(keys, ignore_index=True) for table in (found, expected))
    pd.testing.assert_frame_equal(found, expected, **how or {"check_exact": True})


def _assert_close(found, expected):
    _assert_same_rows(found, expected, check_exact=False, atol=1e-6)


def test_stored_precision_keeps_scores(files):
    """Cross moments are stored in 24 bits; scores of float32 responses keep 1e-6."""
    x, y = read(files["id"][0], "stem"), read(files["id"][1], "stem")
    expected = score(x.astype(float), y.astype(float), "linear", folds=folds(N, 4, 3), ridge=1e-6)[
        "linear"
    ]
    table = score_table(files["final"], ["linear"], ridge=1e-6).query(
        "group_x == 'a' and group_y == 'a' and layer_x == 'stem' "
        "and layer_y == 'stem' and direction == 'x->y' and baseline == 'learned'"
    )
    np.testing.assert_allclose(table.score, expected.directions["x->y"], atol=1e-6)


def test_nothing_is_left_behind_on_failure(files, tmp_path):
    paths = [files["id"][0], write_network(tmp_path, "a", 2, damage="mid.0")]
    out = tmp_path / "out" / "moments.h5"
    with pytest.raises(ValueError, match=r"layer 'mid.0' of network 'a-seed2' on id .*NaN"):
        write_moments(paths, out, (), 4, 0, True)
    assert not list(out.parent.iterdir())


def test_refused_files(files, tmp_path):
    out = tmp_path / "moments.h5"
    cut = tmp_path / "cut.h5"
    cut.write_bytes(files["id"][0].read_bytes()[:3000])
    with pytest.raises(DamagedFileError, match=r"cut.h5 is damaged.*delete it"):
        write_moments([cut], out, (), 4, 0, True)
    with pytest.raises(ValueError, match=r"has stimuli 'contrast' but .* has 'id'"):
        write_moments([files["id"][0], files["ood"][1]], out, (), 4, 0, True)
    with pytest.raises(ValueError, match="given twice"):
        write_moments([files["id"][0]] * 2, out, (), 4, 0, True)
    with pytest.raises(ValueError, match="mapped networks c-seed1 have no activation file"):
        write_moments(files["id"], out, ["a-seed1", "c-seed1"], 4, 0, True)
    with pytest.raises(DamagedFileError, match=r"cut.h5 is damaged.*delete it"):
        score_table(cut, ["linear"])
    write_moments(files["ood"], out, (), 5, 3, False)
    with pytest.raises(ValueError, match=r"n_folds 4 but .* 5: transfer needs"):
        score_table(out, ["linear"], transfer_from=files["final"])


def test_scoring_imports_no_torch(files):
    code = (
        "import sys; from convergent_learning.alignment import score_table; "
        f"score_table({str(files['final'])!r}, ['soft_matching'], rotated=['permutation'], draws=1)"
        "; sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("device", [None, "cpu"])
def test_a_metric_is_one_registered_function(files, monkeypatch, device):
    """The example of docs/extending.md, with NumPy and with torch."""
    from convergent_learning.alignment import registry

    monkeypatch.setattr(registry, "_METRICS", dict(registry._METRICS))

    @register("best_single", score=mapped_correlation)
    def best_single(train):
        """Each target unit is read from the one source unit it correlates with most."""
        correlation = to_numpy(train.correlation)
        weights = np.zeros_like(correlation)
        best = correlation.argmax(axis=0)
        weights[best, np.arange(len(best))] = 1.0
        return weights

    table = score_table(files["contrast"], ["best_single"], device=device)
    assert table.query("baseline == 'learned'").score.mean() > 0.3
    x, y = (read(files["id"][i], "stem") for i in (0, 1))
    how = {"metrics": ["best_single", "permutation"], "device": device}
    assert score(x, y, **how)["best_single"].mean > 0.3
    assert "best_single" in metrics()
