"""Activations that any framework may have made: written, read back, and refused by name."""

import re

import h5py
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of
from written_arrays import WRITERS

from convergent_learning.alignment import read_activations, save_activations, score
from convergent_learning.alignment.accumulate import accumulate
from convergent_learning.alignment.responses import Responses
from convergent_learning.array_files import check_written

DIGEST = "0123456789abcdef" * 4
rng = np.random.default_rng(0)
LAYERS = {
    "stem": rng.standard_normal((20, 4, 3, 3)).astype(np.float32),
    "blocks.1": rng.standard_normal((20, 6, 1, 1)).astype(np.float16),
    "encoder.ln:class_token": rng.standard_normal((20, 5)),
    "head": rng.standard_normal((20, 3)).astype(np.float32),
}
ROLES = {"encoder.ln:class_token": "pooled", "head": "logits"}
LABELS = np.arange(20) % 3


def in_layout(**changes):
    """The arrays of a file; those that are None are left out."""
    arrays = {f"layers/{name}": values for name, values in LAYERS.items()}
    arrays["depth_order"] = np.array(list(LAYERS))
    arrays["roles"] = np.array(["block", "block", "pooled", "logits"])
    arrays["stimulus_digest"] = np.array(DIGEST)
    arrays["labels"] = LABELS
    arrays |= {name.replace("__", "/"): values for name, values in changes.items()}
    return {name: values for name, values in arrays.items() if values is not None}


def written(path, **changes):
    WRITERS[path.suffix](path, as_text_of(path, in_layout(**changes)))
    return path


def as_text_of(path, arrays):
    """Text in the dtype that each format has for it."""
    strings = np.dtypes.StringDType()
    kinds = {".h5": object, ".hdf5": object, ".zarr": strings, ".zip": strings}
    kind = kinds.get(path.suffix, str)
    return {
        name: values.astype(kind) if values.dtype.kind == "U" else values
        for name, values in arrays.items()
    }


def check_is_the_network(stored):
    assert list(stored) == list(LAYERS)
    assert stored.n == 20
    assert stored.shapes == {name: values.shape for name, values in LAYERS.items()}
    assert stored.roles == {name: ROLES.get(name, "block") for name in LAYERS}
    assert list(stored.depths.values()) == [0, 1 / 3, 2 / 3, 1]
    assert stored.stimulus_digest == DIGEST
    np.testing.assert_array_equal(stored.labels, LABELS)
    np.testing.assert_array_equal(stored.logits[:], LAYERS["head"])
    for name, values in LAYERS.items():
        layer = stored[name]
        assert (layer.shape, layer.dtype) == (values.shape, values.dtype)
        np.testing.assert_array_equal(layer[:], values)
        np.testing.assert_array_equal(layer[3:7], values[3:7])
        np.testing.assert_array_equal(layer[np.array([2, 5, 19])], values[[2, 5, 19]])


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_format_is_read(tmp_path, suffix):
    with read_activations(written(tmp_path / f"own{suffix}")) as stored:
        check_is_the_network(stored)


@pytest.mark.parametrize("convert", [np.asarray, torch.from_numpy])
def test_what_is_saved_is_read(tmp_path, convert):
    layers = {name: convert(values) for name, values in LAYERS.items()}
    path = tmp_path / "own.h5"
    options = {"roles": ROLES, "stimulus_digest": DIGEST, "labels": convert(LABELS)}
    save_activations(path, layers, **options)
    with read_activations(path) as stored:
        check_is_the_network(stored)
        save_activations(tmp_path / "again.h5", stored, **options)
    assert (tmp_path / "again.h5").read_bytes() == path.read_bytes()


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_layers_come_back(tmp_path, data):
    names = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8)
    names = data.draw(st.lists(names.filter(lambda name: name.strip(".")), min_size=1, unique=True))
    n = data.draw(st.integers(1, 5))
    shape = st.tuples(st.just(n), st.integers(1, 3)) | st.tuples(
        st.just(n), *[st.integers(1, 3)] * 3
    )
    layers = {
        name: data.draw(
            arrays_of.arrays(
                arrays_of.floating_dtypes(sizes=(16, 32, 64)),
                shape,
                elements={"allow_nan": False, "allow_infinity": False},
            )
        )
        for name in names
    }
    save_activations(tmp_path / "own.h5", layers)
    with read_activations(tmp_path / "own.h5") as stored:
        assert list(stored) == names
        assert set(stored.roles.values()) == {"block"}
        assert (stored.stimulus_digest, stored.logits, stored.labels) == (None, None, None)
        for name, values in layers.items():
            np.testing.assert_array_equal(stored[name][:], values)


def test_tensors_of_a_training_loop_are_saved(tmp_path):
    layer = torch.randn(6, 2, requires_grad=True)
    save_activations(tmp_path / "own.h5", {"a": layer, "b": layer.bfloat16()})
    with read_activations(tmp_path / "own.h5") as stored:
        np.testing.assert_array_equal(stored["a"][:], layer.detach().numpy())
        assert stored["b"].dtype == np.float32


@pytest.mark.parametrize("suffix", [".h5", ".npz", ".zarr"])
def test_layers_of_a_file_are_scored_as_arrays_are(tmp_path, suffix):
    with read_activations(written(tmp_path / f"own{suffix}")) as stored:
        x, y = stored["stem"], stored["blocks.1"]
        got = score(x, y, "procrustes", n_folds=3, positions="average")
    expected = score(
        LAYERS["stem"], LAYERS["blocks.1"], "procrustes", n_folds=3, positions="average"
    )
    np.testing.assert_array_equal(got["procrustes"].folds, expected["procrustes"].folds)


def test_shuffled_stimuli_are_gathered_from_a_file(tmp_path):
    order = np.random.default_rng(1).permutation(20)
    folds = np.arange(20) % 2
    with read_activations(written(tmp_path / "own.npz")) as stored:
        found = [
            accumulate(
                {"a": [Responses(a, "a")], "b": [Responses(b, "b")]},
                folds,
                [("a", "b")],
                shuffles={"b": order},
                memory=200,
            )[2]["a", "b"][0, 0]
            for a, b in [(stored["head"], stored["stem"]), (LAYERS["head"], LAYERS["stem"])]
        ]
    np.testing.assert_allclose(*found, atol=1e-6)


NAN = LAYERS["stem"].copy()
NAN[7, 2, 1, 0] = np.nan
NAN[9] = np.inf

BAD_FILES = {
    "no order": ({"depth_order": None}, "has no array `depth_order`: add the names of the layers"),
    "numbers": ({"depth_order": np.arange(4)}, "`depth_order` has dtype int64; store it as text"),
    "missing": ({"layers__stem": None}, "layer 'stem' of `depth_order` has no array `layers/stem`"),
    "unnamed": ({"layers__more": np.ones((20, 2))}, "`depth_order` lacks the layer 'more'; name"),
    "twice": (
        {"depth_order": np.array([*LAYERS, "stem"])},
        "`depth_order` names 'stem' twice; name each layer once",
    ),
    "stimuli": (
        {"layers__head": np.ones((19, 3))},
        "layer 'head' has 19 stimuli and layer 'stem' has 20; store the responses to the same",
    ),
    "text": (
        {"layers__head": np.full((20, 3), "a")},
        "layer 'head' has dtype <U1; store float16, float32 or float64 responses",
    ),
    "integers": ({"layers__head": np.ones((20, 3), int)}, "layer 'head' has dtype int64; store"),
    "tokens": (
        {"layers__head": np.ones((20, 3, 2))},
        "layer 'head' has shape (20, 3, 2); store (n, units) or (n, channels, height, width)",
    ),
    "empty": ({"layers__head": np.ones((20, 0))}, "layer 'head' has shape (20, 0); store"),
    "role": (
        {"roles": np.array(["block", "block", "pooled", "output"])},
        "layer 'head' has the role 'output'; use block, pooled, logits",
    ),
    "roles": ({"roles": np.array(["block"])}, "`roles` has 1 entries for 4 layers; give one"),
    "digest": (
        {"stimulus_digest": np.array("md5:abc")},
        "the stimulus digest 'md5:abc' is no sha256 in 64 lower-case hexadecimal digits; copy",
    ),
    "labels": ({"labels": np.arange(4)}, "`labels` is (4,) int64; store (20,) integers"),
    "logits": ({"logits": np.ones((19, 3))}, "`logits` is (19, 3) float64; store (20, classes)"),
}


@pytest.mark.parametrize("label", [3, 255, -2])
def test_a_label_that_is_no_class_is_named(tmp_path, label):
    path = written(tmp_path / "own.h5", labels=np.where(np.arange(20) == 7, label, LABELS))
    message = (
        rf"own\.h5: `labels` has {label} at stimulus 7 .* the logits have 3 classes; use 0 to 2"
    )
    with pytest.raises(ValueError, match=message):
        read_activations(path)
    with read_activations(written(tmp_path / "without.h5", labels=LABELS - 1)) as stored:
        assert stored.labels.min() == -1


@pytest.mark.parametrize("name", ["labels", "layers/stem", "logits"])
def test_an_array_whose_values_are_not_in_the_file_is_named(tmp_path, name):
    path = written(tmp_path / "own.h5")
    with h5py.File(path, "r+") as file:
        file.pop(name, None)
        file.create_dataset(name, (10**12, 1000), "f4", chunks=(1000, 1000))
    with pytest.raises(ValueError, match=rf"own\.h5 .*{name} declares .* write all values"):
        read_activations(path)


def test_filters_without_a_limit_may_store_few_bytes(tmp_path):
    """As zstd does with constant values; its number is enough here, no value is read."""
    shape = (10_000, 1000)
    zstd = {"compression": 32015, "allow_unknown_filter": True}
    with h5py.File(tmp_path / "own.h5", "w") as file:
        for name, options in (("zstd", zstd), ("gzip", {"compression": "gzip"})):
            layer = file.create_dataset(name, shape, "f4", chunks=shape, **options)
            with pytest.raises(ValueError, match=f"{name} .* of which 0 are stored; write all"):
                check_written(layer)
            layer.id.write_direct_chunk((0, 0), bytes(50))
        check_written(file["zstd"])
        with pytest.raises(ValueError, match="of which 50 are stored; write all values"):
            check_written(file["gzip"])


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_are_refused_in_one_sentence(tmp_path, case):
    changes, message = BAD_FILES[case]
    path = tmp_path / "own.npz"
    WRITERS[".npz"](path, in_layout(**changes))
    with pytest.raises(ValueError, match=re.escape(f"{path}") + ".*" + re.escape(message)):
        read_activations(path)


def test_text_is_refused_in_every_format(tmp_path):
    for suffix in (".h5", ".zarr"):
        path = written(tmp_path / f"own{suffix}", layers__head=np.full((20, 3), "a"))
        with pytest.raises(ValueError, match="layer 'head' has dtype <U0; store float16"):
            read_activations(path)


@pytest.mark.parametrize("suffix", [".h5", ".npz", ".zarr"])
def test_the_first_response_that_is_not_finite_is_named(tmp_path, suffix):
    message = (
        r"layer 'stem' is nan at stimulus 7, unit 2, row 1, column 0 \(counted from 0\); check"
    )
    with read_activations(written(tmp_path / f"own{suffix}", layers__stem=NAN)) as stored:
        for stimuli in (slice(None), slice(5, 8), np.array([1, 7])):
            with pytest.raises(ValueError, match=rf"own{suffix}: {message}"):
                stored["stem"][stimuli]
        np.testing.assert_array_equal(stored["stem"][:7], NAN[:7])
    with pytest.raises(ValueError, match=rf"new\.h5: {message}"):
        save_activations(tmp_path / "new.h5", {"stem": NAN})
    assert not (tmp_path / "new.h5").exists()


@pytest.mark.parametrize(
    ("layers", "options", "message"),
    [
        ({}, {}, "there is no layer to save"),
        ({"a": [[1.0]]}, {}, "layer 'a' is a list; pass an array or a tensor"),
        ({"a/b": np.ones((3, 2))}, {}, "'a/b' cannot name a layer; use text without slashes"),
        ({1: np.ones((3, 2))}, {}, "1 cannot name a layer"),
        ({"a": np.ones((3, 2), int)}, {}, "layer 'a' has dtype int64; store float16"),
        ({"a": np.ones((3, 2)), "b": np.ones((4, 2))}, {}, "layer 'b' has 4 stimuli and layer 'a'"),
        ({"a": np.ones((3, 2))}, {"roles": {"b": "block"}}, "roles name 'b', which is no layer"),
        (
            {"a": np.ones((3, 2))},
            {"roles": {"a": "top"}},
            "layer 'a' has the role 'top'; use block",
        ),
        (
            {"a": np.ones((3, 2))},
            {"stimulus_digest": "id"},
            "the stimulus digest 'id' is no sha256",
        ),
        ({"a": np.ones((3, 2))}, {"labels": [0.5, 1, 2]}, "`labels` is (3,) float64; store (3,)"),
    ],
)
def test_what_is_not_saved(tmp_path, layers, options, message):
    with pytest.raises(ValueError, match=r"own\.h5: " + re.escape(message)):
        save_activations(tmp_path / "own.h5", layers, **options)
    assert not list(tmp_path.iterdir())


def test_the_name_says_the_format(tmp_path):
    with pytest.raises(ValueError, match=r"own\.npz would be an HDF5 file: let its name end in"):
        save_activations(tmp_path / "own.npz", LAYERS)
    with pytest.raises(ValueError, match=r"own\.mat has none of the known suffixes: \.h5"):
        read_activations(tmp_path / "own.mat")
    with pytest.raises(FileNotFoundError, match=r"own\.h5 does not exist"):
        read_activations(tmp_path / "own.h5")


def test_a_file_is_closed(tmp_path):
    path = tmp_path / "own.h5"
    save_activations(path, LAYERS)
    with read_activations(path) as stored:
        pass
    with pytest.raises(ValueError, match=r"own\.h5 cannot be read"):
        stored["stem"][:]
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(ValueError, match=r"own\.h5 cannot be read as an HDF5 file"):
        read_activations(path)


def test_large_layers_are_read_and_written_in_parts(tmp_path, monkeypatch):
    from convergent_learning.alignment import activation_writer

    monkeypatch.setattr(activation_writer, "_BYTES_AT_ONCE", 64)
    monkeypatch.setattr(activation_writer, "_BYTES_PER_CHUNK", 64)
    read = []

    class Lazy:
        shape = (20, 8)

        def __getitem__(self, stimuli):
            read.append(len(range(20)[stimuli]))
            return np.ones((read[-1], 8), np.float32)

    save_activations(tmp_path / "own.h5", {"a": Lazy()})
    assert max(read) == 2
    with h5py.File(tmp_path / "own.h5") as file:
        assert file["layers/a"].chunks == (2, 8)
        assert (file["layers/a"][:] == 1).all()
