"""Networks compared at a prompt: the numbers of score, under any memory, and what is refused."""

import itertools
import logging
import re
import sys
import weakref

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from convergent_learning.alignment import (
    FewRowsWarning,
    all_pairs,
    array_pair,
    folds,
    pair_scores,
    read_activations,
    save_activations,
    score,
)
from convergent_learning.alignment.responses import Responses
from convergent_learning.compare import COLUMNS, Comparison, compare

pytestmark = pytest.mark.filterwarnings(
    "ignore::convergent_learning.alignment.FewRowsWarning",
)

N = 40
SHAPES = {
    "a": {"stem": (4, 4, 4), "mid": (6, 2, 2), "head": (6,)},
    "b": {"stem": (4, 4, 4), "mid": (6, 2, 2), "head": (6,)},
    "c": {"token": (5,), "patches": (6, 2, 2)},
}


def network(name, seed=0, dtype=np.float32):
    rng = np.random.default_rng([seed, ord(name)])
    latent = np.random.default_rng(seed).standard_normal((N, 3, 4, 4))
    layers = {}
    for layer, (units, *grid) in SHAPES[name].items():
        side = grid[0] if grid else 1
        pooled = latent.reshape(N, 3, side, 4 // side, side, 4 // side).mean((3, 5))
        mixed = np.einsum("nchw,cd->ndhw", pooled, rng.standard_normal((3, units)))
        mixed = np.maximum(mixed + 0.3 * rng.standard_normal(mixed.shape), 0)
        layers[layer] = (mixed if grid else mixed[:, :, 0, 0]).astype(dtype)
    return layers


NETWORKS = {name: network(name) for name in SHAPES}


def scored_one_by_one(networks, metrics, **options):
    """Directed mean scores of every pair of layers, from `score`."""
    found = {}
    for (x, of_x), (y, of_y) in itertools.combinations(networks.items(), 2):
        for (i, a), (j, b) in itertools.product(of_x.items(), of_y.items()):
            for metric in metrics:
                if metric != "permutation" or a.shape[1] == b.shape[1]:
                    result = score(a, b, metric, **options)[metric]
                    for direction, values in result.directions.items():
                        found[x, i, y, j, metric, direction] = (values.mean(), *result.n_dead)
    return found


def check_equals_score(result, networks, metrics, **options):
    expected = scored_one_by_one(networks, metrics, **options)
    keys = ["network_x", "layer_x", "network_y", "layer_y", "metric", "direction"]
    got = result.set_index(keys)[["score", "n_dead_x", "n_dead_y"]]
    assert list(got.index) == list(expected)
    np.testing.assert_allclose(got.to_numpy(), list(expected.values()), atol=1e-9)


def test_scores_are_those_of_score():
    metrics = ["linear", "procrustes", "permutation", "soft_matching"]
    result = compare(NETWORKS)
    assert tuple(result.columns) == COLUMNS
    check_equals_score(result, NETWORKS, metrics)


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "positions": st.sampled_from([4, "center", "average"]),
        "center": st.just("unit"),
        "seed": st.integers(0, 9),
        "n_folds": st.integers(3, 4),
        "ridge": st.just(0.1),
    },
)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(
    options=OPTIONS,
    memory=st.sampled_from([1, 20_000, 60_000, 1 << 30]),
    dtypes=st.lists(st.sampled_from([np.float32, np.float64, np.float16]), min_size=3, max_size=3),
)
def test_scores_are_those_of_score_under_any_option_and_memory(options, memory, dtypes):
    networks = {
        name: network(name, dtype=dtype) for name, dtype in zip(SHAPES, dtypes, strict=True)
    }
    result = compare(networks, ["linear", "cka"], memory=memory, **options)
    check_equals_score(result, networks, ["linear", "cka"], **options)


def test_layers_that_fit_are_prepared_once(monkeypatch):
    counts = []

    def counting(metrics, x, y, setting):
        counts.append((x.moments is None) + (y.moments is None))
        return pair_scores.pair_scores(metrics, x, y, setting)

    monkeypatch.setattr(all_pairs, "pair_scores", counting)
    equal = {name: {f"l{i}": network("c", i)["token"] for i in range(4)} for name in "xyz"}
    compare(equal, "procrustes")
    assert (len(counts), sum(counts)) == (48, 12)
    counts.clear()
    compare(equal, "procrustes", memory=1)
    assert sum(counts) == 8 + 48  # the first layer is kept for all its partners


def wide_network(seed, dead):
    """Layers with more units than stimuli, and one with fewer; if `dead`, other units each fold."""
    rng = np.random.default_rng(seed)
    latent = np.random.default_rng(0).standard_normal((N, 3))
    fold_of = folds(N, seed=0)
    layers = {}
    for name, shape in (("flat", (50,)), ("maps", (170, 2, 2)), ("narrow", (4,))):
        mixed = np.tensordot(latent, rng.standard_normal((3, *shape)), 1)
        layer = (mixed + rng.standard_normal(mixed.shape)).astype(np.float32)
        for fold in range(5 if dead else 0):
            layer[fold_of == fold, fold % shape[0]] = 0.0
        layers[name] = layer
    return layers


@pytest.mark.slow
@pytest.mark.parametrize("dead", [False, True])
@pytest.mark.parametrize("memory", [1, 1 << 30])
def test_wide_layers_score_as_score_does(memory, dead, monkeypatch):
    monkeypatch.setattr(pair_scores, "WIDE", 1)
    networks = {name: wide_network(seed, dead) for seed, name in enumerate("abc")}
    metrics = ["linear", "procrustes", "permutation", "soft_matching"]
    check_equals_score(compare(networks, metrics, memory=memory), networks, metrics)
    wide = {name: {"flat": layers["flat"]} for name, layers in networks.items()}
    monkeypatch.setattr(pair_scores, "pair_moments", lambda *_: pytest.fail("moments"))
    compare(wide)


def bytes_in(thing, seen):
    """Of all arrays that are reachable from an object."""
    if id(thing) in seen or isinstance(thing, (str, bytes, int, float)):
        return 0
    seen[id(thing)] = thing
    if isinstance(thing, torch.Tensor):
        storage = thing.untyped_storage()
        new = seen.setdefault(("storage", storage.data_ptr()), thing) is thing
        return storage.nbytes() if new else 0
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    if isinstance(thing, dict):
        thing = thing.values()
    elif hasattr(thing, "__dict__"):
        thing = vars(thing).values()
    elif not isinstance(thing, (list, tuple)):
        return 0
    return sum(bytes_in(one, seen) for one in thing)


@pytest.mark.parametrize("dead", [False, True])
def test_what_is_kept_of_wide_layers_stays_within_memory(dead, monkeypatch):
    monkeypatch.setattr(pair_scores, "WIDE", 1)
    alive, taken = weakref.WeakSet(), []

    def counting(metrics, x, y, setting):
        found = pair_scores.pair_scores(metrics, x, y, setting)
        alive.update((x, y))
        seen = {}
        taken.append((len(alive), sum(bytes_in(layer, seen) for layer in alive)))
        return found

    monkeypatch.setattr(all_pairs, "pair_scores", counting)
    networks = {
        name: {f"flat{i}": wide_network(10 * seed + i, dead)["flat"] for i in range(4)}
        for seed, name in enumerate("ab")
    }
    compare(networks, ["linear", "procrustes"], memory=1 << 30)
    layers, everything = max(taken)
    assert layers == 8
    taken.clear()
    compare(networks, ["linear", "procrustes"], memory=everything)
    assert all(taken_by <= everything for _, taken_by in taken)
    assert max(taken)[0] >= 4  # two blocks of at least two
    each = everything / 8
    [planned] = {
        all_pairs._bytes_of_rows(all_pairs.NamedLayer("a", "flat", Responses(array, "")), (1, 1), 5)
        for array in networks["a"].values()
    }
    assert each <= planned <= 1.7 * each


def test_few_rows_are_warned_of_once():
    networks = {"a": NETWORKS["a"], "b": NETWORKS["b"]}
    message = r"'head' of network 'a' has 32 training rows for 6 units and .*'b' has 32 .* than 10"
    with pytest.warns(FewRowsWarning, match=message) as caught:
        compare(networks, "procrustes")
    assert len(caught) == 1
    with pytest.warns(FewRowsWarning, match=r"units \(two of 3 layers with few rows\), fewer"):
        compare(networks | {"c": {"token": NETWORKS["c"]["token"]}}, "procrustes")


def test_wide_layers_are_not_matched_unasked(monkeypatch):
    monkeypatch.setattr(array_pair, "MATCHED", 6 * 6 - 1)
    message = (
        "permutation and soft_matching left out for 4 pairs of layers such as layer 'mid' of "
        "network 'a' and layer 'mid' of network 'b', which correlate each of 6 units"
    )
    with pytest.warns(UserWarning, match=message):
        result = compare({name: NETWORKS[name] for name in "ab"})
    wide = (result.layer_x != "stem") & (result.layer_y != "stem")
    assert set(result[wide].metric) == {"linear", "procrustes"}
    assert set(result[~wide].metric) == {"linear", "procrustes", "permutation", "soft_matching"}


def test_files_are_read_within_memory(tmp_path, monkeypatch):
    read = []
    networks = {}
    for name in "ab":
        save_activations(tmp_path / f"{name}.h5", NETWORKS[name])
        networks[name] = read_activations(tmp_path / f"{name}.h5")
    real = type(networks["a"]["stem"]).__getitem__

    def counting(layer, stimuli):
        read.append((layer.label, len(range(N)[stimuli])))
        return real(layer, stimuli)

    monkeypatch.setattr(type(networks["a"]["stem"]), "__getitem__", counting)
    pair = {name: NETWORKS[name] for name in "ab"}
    check_equals_score(compare(networks, "procrustes"), pair, ["procrustes"])
    whole = [label for label, stimuli in read if stimuli == N]
    assert len(whole) == len(set(whole)) == 6
    check_equals_score(compare(networks, "procrustes", memory=1), pair, ["procrustes"])


def test_tensors_and_arrays_together():
    mixed = {
        "a": NETWORKS["a"],
        "b": {name: torch.from_numpy(array) for name, array in NETWORKS["b"].items()},
    }
    arrays = {name: NETWORKS[name] for name in "ab"}
    pd.testing.assert_frame_equal(compare(mixed, "linear"), compare(arrays, "linear"))


def test_depths_are_ranks_or_those_given():
    result = compare(NETWORKS, "procrustes")
    depth = result.groupby(["network_x", "layer_x"], sort=False).depth_x.first()
    assert depth["a"].to_dict() == {"stem": 0, "mid": 0.5, "head": 1}
    given = {"c": {"token": 0.9, "patches": 0.2}}
    result = compare(NETWORKS, "procrustes", depths=given)
    depth = result.groupby(["network_y", "layer_y"]).depth_y.first()
    assert depth["c"].to_dict() == given["c"]
    assert depth["b"].to_dict() == {"stem": 0, "mid": 0.5, "head": 1}


def test_rows_that_are_selected_are_a_comparison_too():
    result = compare(NETWORKS, "procrustes")
    some = result[result.network_y == "b"]
    assert type(some) is Comparison
    assert set(some.network_x) == {"a"}


def test_without_matplotlib_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "convergent_learning.figures.compared_depth", None)
    result = compare({name: NETWORKS[name] for name in "ab"}, "procrustes")
    with pytest.raises(ImportError, match=r"figures need .* pip install 'convergent-learning\[rep"):
        result.depth_plot()


def test_progress_is_logged(caplog):
    with caplog.at_level(logging.INFO, "convergent_learning.progress"):
        compare(NETWORKS, "procrustes")
    assert "compare: 21 of 21" in caplog.text


def test_a_dead_layer_is_named_and_scores_nan():
    dead = NETWORKS | {"c": NETWORKS["c"] | {"token": np.zeros((N, 5), np.float32)}}
    with pytest.warns(RuntimeWarning, match="no unit of layer 'token' of network 'c' varies"):
        result = compare(dead, "procrustes")
    of_token = result[result.layer_y == "token"]
    assert of_token.score.isna().all()
    assert (of_token.n_dead_y == 5).all()
    assert result[result.layer_y != "token"].score.notna().all()


def changed(name, **layers):
    return NETWORKS | {name: {**NETWORKS[name], **layers}}


NAN = NETWORKS["c"]["token"].copy()
NAN[3] = np.nan


@pytest.mark.parametrize(
    ("networks", "options", "message"),
    [
        ({"a": NETWORKS["a"]}, {}, "1 network was given: pass at least two"),
        (NETWORKS | {"c": {}}, {}, "network 'c' has no layers: pass a mapping {layer: array}"),
        (NETWORKS | {"c": NAN}, {}, "network 'c' has no layers: pass a mapping {layer: array}"),
        (NETWORKS | {1: NETWORKS["c"]}, {}, "1, int, cannot name a network: use text"),
        (
            NETWORKS | {"c": {0: NAN}},
            {},
            "0, int, cannot name a layer of network 'c': use text",
        ),
        (
            changed("c", token=NETWORKS["c"]["token"][:30]),
            {},
            "layer 'token' of network 'c' has 30 stimuli and layer 'stem' of network 'a' has 40: "
            "pass responses to the same stimuli",
        ),
        (
            changed("c", patches=np.zeros((N, 2, 3, 3), np.float32)),
            {},
            "layer 'stem' of network 'a' and layer 'patches' of network 'c': a 4x4 and a 3x3 grid "
            "do not divide: sample both",
        ),
        (changed("c", token=NAN), {}, "layer 'token' of network 'c' holds NaN"),
        (changed("c", token=[[1.0]]), {}, "layer 'token' of network 'c' is a list: pass"),
        (NETWORKS, {"metrics": []}, "metrics is empty: name some of linear, "),
        (NETWORKS, {"metrics": "cosine"}, "unknown metric 'cosine'; known:"),
        (NETWORKS, {"positions": 0}, "positions is 0: use a positive number"),
        (NETWORKS, {"center": "none"}, "center is 'none': use"),
        (NETWORKS, {"n_folds": 2}, "use n_folds >= 3"),
        (NETWORKS, {"depths": {"d": {}}}, "depths name the network 'd': networks are a, b, c"),
        (
            NETWORKS,
            {"depths": {"c": {"token": 0}}},
            "depths of network 'c' lack the layer 'patches': give one for each of token, patches",
        ),
        (
            NETWORKS,
            {"depths": {"c": {"token": 0, "patches": 7}}},
            "depths of network 'c': layer 'patches' is at 7; give relative depths from 0 to 1",
        ),
        (
            NETWORKS,
            {"depths": {"c": {"token": 0, "patches": 1, "logits": 2}}},
            "depths of network 'c' name the layer 'logits': give one for each of",
        ),
        (
            {"a": {"stem": NETWORKS["a"]["stem"]}, "c": {"token": NETWORKS["c"]["token"]}},
            {"metrics": "permutation"},
            "no two layers have as many units, as permutation needs: use soft_matching",
        ),
    ],
)
def test_refused(networks, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        compare(networks, **options)


def test_files_of_other_stimuli_are_refused(tmp_path):
    networks = {}
    for name, digit in (("a", "1"), ("b", "2")):
        path = tmp_path / f"{name}.h5"
        save_activations(path, NETWORKS[name], stimulus_digest=64 * digit)
        networks[name] = read_activations(path)
    message = "network 'b' was shown stimuli 222222222222… and network 'a' 111111111111…: show"
    with pytest.raises(ValueError, match=message):
        compare(networks)
    assert len(compare({"a": networks["a"], "b": NETWORKS["b"]}, "procrustes"))
