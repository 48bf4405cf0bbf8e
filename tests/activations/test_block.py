import functools
import itertools
import struct
from dataclasses import asdict, replace

import h5py
import numpy as np
import pandas as pd
import pytest
import torch

from convergent_learning.activations import extract as extract_module
from convergent_learning.activations import live as live_module
from convergent_learning.activations.accuracy import ACCURACY_COLUMNS
from convergent_learning.activations.block import write_block
from convergent_learning.activations.forward import Extraction
from convergent_learning.activations.live import LiveActivations
from convergent_learning.activations.loaded import LoadedNetwork, Loader
from convergent_learning.activations.shown import OWN, Shown, ShownSample
from convergent_learning.alignment.reading import MomentsFile
from convergent_learning.alignment.store import write_moments
from convergent_learning.datasets.canonical import prepare, read_summary
from convergent_learning.networks.architectures import build
from convergent_learning.networks.checkpoints import load_checkpoint, save_checkpoint
from convergent_learning.networks.layers import Layer
from convergent_learning.networks.listed import select_layers
from convergent_learning.networks.pretrained import Pretrained
from convergent_learning.stimuli.geirhos16 import sixteen_class_decision
from convergent_learning.stimuli.sets import write_identity_set
from convergent_learning.stimuli.stimulus_files import read_stimuli, writing_stimuli
from convergent_learning.training.plan import TrainingPlan

CODE = {OWN: "c", "resnet18": "c"}
RESNET18 = select_layers("resnet18")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Stimuli, and a checkpoint of each of two seeds of a narrow ResNet."""
    folder = tmp_path_factory.mktemp("made")
    prepare({"name": "digits"}, folder / "digits.h5")
    write_identity_set(folder / "digits.h5", folder / "id.h5", 20, seed=0)
    for seed in (1, 2):
        torch.manual_seed(seed)
        save(folder / f"{seed}.safetensors", build("resnet18", 10, 1 / 16), seed)
    return folder


def plan(seed):
    """The training that the checkpoints of the tests say they come from."""
    return TrainingPlan(
        dataset="digits", architecture="resnet18", width=1 / 16, seed=seed, experiment_seed=0,
        train_images=64, epochs=7, batch_size=64, learning_rate=0.1, momentum=0.9, weight_decay=0.0,
        warmup=0.0, crop_padding=0, flip=False, precision="float32", checkpoints=(),
        optimizer="sgd", schedule="linear", label_smoothing=0.0, milestones=(), decay=0.1,
    )  # fmt: skip


def save(path, network, seed, classes=10):
    about = {
        "architecture": "resnet18", "width": 1 / 16, "dataset": "digits", "classes": classes,
        "seed": seed, "step": 7, "mean": [0.3] * 3, "std": [0.4] * 3, "image_size": 32,
        "plan": asdict(plan(seed)),
    }  # fmt: skip
    save_checkpoint(path, network, about)


def run(made, out, layers=RESNET18, dtype="float32", **changed):
    """Activations of both seeds, or of what is `changed`, on 16 positions."""
    checkpoints = changed.pop(
        "checkpoints", {made / f"{seed}.safetensors": plan(seed) for seed in (1, 2)}
    )
    networks = tuple(
        Shown("resnet18", one.seed, layers, (str(path), one)) for path, one in checkpoints.items()
    )
    stimuli = str(changed.pop("stimuli", made / "id.h5"))
    sample = ShownSample(stimuli, 7, changed.pop("networks", networks), (), "sample")
    given = {"dataset": made / "digits.h5", "kept": out, "n_folds": 3, "seed": 0, "code": CODE}
    write_block(
        changed.pop("samples", [sample]),
        out=out / "moments",
        accuracy=out / "accuracy.csv",
        layers=out / "layers.csv",
        positions=16,
        dtype=dtype,
        **(given | changed),
    )
    return out / "sample/resnet18-seed1.h5"


def test_activations_are_those_of_the_module_on_the_grid(made, tmp_path):
    path = run(made, tmp_path)
    checkpoint = load_checkpoint(made / "1.safetensors", torch.device("cpu"))
    images = read_stimuli(made / "id.h5").images
    inputs = torch.from_numpy((images / 255 - 0.3) / 0.4).float().permute(0, 3, 1, 2)
    kept = {}
    block = checkpoint.network.layer2[1]
    block.register_forward_hook(lambda *call: kept.update(block=call[2]))
    with torch.inference_mode():
        logits = checkpoint.network(inputs)
    grid = [2, 6, 10, 14]  # floor((i + 1/2) 16 / 4)
    with h5py.File(path) as file:
        np.testing.assert_allclose(
            file["layers/layer2.1.relu_1"], kept["block"][:, :, grid][:, :, :, grid], atol=1e-4
        )
        np.testing.assert_allclose(file["layers/fc"], logits, atol=1e-4)


def test_attributes_say_what_made_the_file(made, tmp_path):
    path = run(made, tmp_path)
    digest = load_checkpoint(made / "1.safetensors", torch.device("cpu")).weights_digest
    names = [layer.name for layer in RESNET18]
    with h5py.File(path) as file:
        assert file.attrs["weights_digest"] == digest
        assert file.attrs["stimulus_digest"] == read_stimuli(made / "id.h5").attrs["digest"]
        assert (file.attrs["seed"], file.attrs["step"], file.attrs["positions"]) == (1, 7, 16)
        layers = sorted(file["layers"].values(), key=lambda layer: layer.attrs["order"])
        assert [layer.attrs["layer"] for layer in layers] == names
        depths = [layer.attrs["depth"] for layer in layers]
        np.testing.assert_allclose(depths, np.linspace(0, 1, 11))


def test_accuracy_is_that_of_the_logits(made, tmp_path):
    path = run(made, tmp_path)
    labels = read_stimuli(made / "id.h5").labels
    with h5py.File(path) as file:
        expected = (file["layers/fc"][:].argmax(1) == labels).mean()
    row = pd.read_csv(tmp_path / "accuracy.csv").iloc[0]
    assert (row.accuracy, row.n, row.stimuli) == (expected, 20, "id")


@pytest.mark.parametrize(("decision", "classes"), [("", 10), ("sixteen", 10), ("sixteen", 1000)])
def test_labels_that_are_no_classes_of_the_network(made, tmp_path, decision, classes):
    torch.manual_seed(0)
    network = build("resnet18", classes, 1 / 16).eval()
    save(tmp_path / "1.safetensors", network, 1, classes)
    images = read_stimuli(made / "id.h5").images
    with torch.inference_mode():
        logits = network(torch.from_numpy((images / 255 - 0.3) / 0.4).float().permute(0, 3, 1, 2))
    labels = np.arange(20) % 16
    attributes = {"stimuli": "sketch", "condition": "", "decision": decision}
    with writing_stimuli(tmp_path / "s.h5", images.shape, labels, labels, attributes) as append:
        append(images)
    checkpoints = {tmp_path / "1.safetensors": plan(1)}
    run(made, tmp_path, checkpoints=checkpoints, stimuli=tmp_path / "s.h5")
    row = pd.read_csv(tmp_path / "accuracy.csv").iloc[0]
    assert row.n == 20
    if classes == 1000:
        decided = sixteen_class_decision(logits.softmax(1).numpy())
        assert row.accuracy == (decided == labels).mean()
    else:
        assert np.isnan(row.accuracy)


def test_an_unknown_layer_is_named_with_the_nodes_there_are(made, tmp_path):
    with pytest.raises(ValueError, match=r"resnet18 has no layer 'layer9'.*layer4\.1\.add"):
        run(made, tmp_path, layers=(Layer("layer9", "block"),))


@pytest.mark.parametrize("kept", [True, False])
def test_overflow_of_float16_is_named(made, tmp_path, kept):
    huge = load_checkpoint(made / "1.safetensors", torch.device("cpu")).network
    with torch.no_grad():
        huge.bn1.weight.fill_(1e6)
    save(tmp_path / "3.safetensors", huge, 3)
    with pytest.raises(ValueError, match=r"layer relu of resnet18-seed3.*float32"):
        run(
            made,
            tmp_path,
            checkpoints={tmp_path / "3.safetensors": plan(3)},
            dtype="float16",
            kept=tmp_path if kept else None,
        )


def test_a_checkpoint_of_another_config_is_refused_naming_the_key(made, tmp_path):
    wider = replace(plan(1), width=1 / 8)
    with pytest.raises(ValueError, match=r"1\.safetensors.*`width` is 0.0625.* 0.125"):
        run(made, tmp_path, checkpoints={made / "1.safetensors": wider})


def test_tokens_are_kept_as_a_grid_of_patches_and_a_class_token(made, tmp_path):
    transformer = Pretrained(
        architecture="vit_small", seed=1, experiment_seed=0, mean=[0.3] * 3, std=[0.4] * 3,
        factory="convergent_learning.networks.architectures:build", weights=None,
        arguments={"architecture": "vit_small", "classes": 10, "width": 1 / 16},
    )  # fmt: skip
    node = "encoder.layers.encoder_layer_3.add_1"
    names = ["conv_proj", node, f"{node}:class_token", "encoder.ln:class_token", "heads.head"]
    layers = select_layers("vit_small", [Layer(name) for name in names])
    run(made, tmp_path, networks=(Shown("mine", 1, layers, transformer),))
    with h5py.File(tmp_path / "sample/mine-seed1.h5") as file:
        layers = sorted(file["layers"].values(), key=lambda layer: layer.attrs["order"])
        assert [layer.attrs["layer"] for layer in layers] == names
        assert [layer.attrs["role"] for layer in layers] == ["block"] * 3 + ["pooled", "logits"]
        shapes = [layer.shape[1:] for layer in layers]
    assert shapes == [(24, 4, 4), (24, 4, 4), (24,), (24,), (10,)]


@pytest.fixture
def passes(monkeypatch):
    """Names of the networks that made a forward pass and of those that were loaded, in order."""
    made, loaded = [], []
    forward, load = extract_module.forward, LoadedNetwork.__init__

    def counted(network, stimuli, chosen, *rest):
        if len(stimuli.images[chosen]) == len(stimuli.images):
            made.append(network.shown.name)
        return forward(network, stimuli, chosen, *rest)

    def counted_load(self, shown, *rest):
        loaded.append(shown.name)
        load(self, shown, *rest)

    monkeypatch.setattr(extract_module, "forward", counted)
    monkeypatch.setattr(live_module, "forward", counted)
    monkeypatch.setattr(LoadedNetwork, "__init__", counted_load)
    return made, loaded


def two_samples(made, name="resnet18"):
    networks = tuple(
        Shown(name, seed, RESNET18, (str(made / f"{seed}.safetensors"), plan(seed)))
        for seed in (1, 2)
    )
    names = tuple(network.name for network in networks)
    return [
        ShownSample(str(made / "id.h5"), 7, networks, names, "id_step7"),
        ShownSample(str(made / "id.h5"), 7, networks[:1], (), "again_step7"),
    ]


def test_a_block_leaves_moments_and_accuracies_and_nothing_else(made, tmp_path, passes):
    run(made, tmp_path, samples=two_samples(made), kept=None)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    moments = {"moments/id_step7.h5", "moments/again_step7.h5"}
    assert files == {"accuracy.csv", "layers.csv", *moments}
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]
    table = pd.read_csv(tmp_path / "accuracy.csv")
    assert list(table.columns) == list(ACCURACY_COLUMNS)
    assert list(table.seed) == [1, 2, 1]
    assert passes == (["resnet18-seed1", "resnet18-seed2", "resnet18-seed1"],
                      ["resnet18-seed1", "resnet18-seed2"])  # fmt: skip
    with MomentsFile(tmp_path / "moments/id_step7.h5") as file:
        (pair,) = file.pairs()
        assert file.is_mapped(*pair)
        assert file.has_shuffled(*pair)


def assert_same_moments(found, expected, exact=True):
    """Two moments files hold the same datasets and attributes; sums may be rounded otherwise."""
    with h5py.File(found) as x, h5py.File(expected) as y:
        names = []
        y.visit(names.append)
        seen = []
        x.visit(seen.append)
        assert sorted(seen) == sorted(names)
        for name in names:
            np.testing.assert_equal(dict(x[name].attrs), dict(y[name].attrs))
            if isinstance(y[name], h5py.Dataset):
                a, b = x[name][:], y[name][:]
                tolerance = 0 if exact else 5e-6 * np.abs(b).max()
                np.testing.assert_allclose(a, b, rtol=0, atol=tolerance, err_msg=name)


@pytest.fixture(scope="module")
def many(made):
    """Stimuli of more than two batches."""
    write_identity_set(made / "digits.h5", made / "many.h5", 300, seed=0)
    return made / "many.h5"


def many_samples(made, many):
    some = replace(two_samples(made)[0], stimuli=str(many))
    return [some, replace(some, mapped=(), name="own_step7")]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_activations_in_memory_made_when_read_and_in_files_give_the_same_moments(
    made, many, tmp_path, monkeypatch, dtype
):
    samples = many_samples(made, many)
    run(made, tmp_path / "files", samples=samples, dtype=dtype)
    run(made, tmp_path / "held", samples=samples, dtype=dtype, kept=None)
    monkeypatch.setattr("convergent_learning.activations.block.default_memory", lambda: 0)
    run(made, tmp_path / "made", samples=samples, dtype=dtype, kept=None)
    for folder, sample in itertools.product(("held", "made"), samples):
        file = f"moments/{sample.name}.h5"
        assert_same_moments(tmp_path / folder / file, tmp_path / "files" / file)
        for facts in ("accuracy.csv", "layers.csv"):
            rows = (tmp_path / folder / facts).read_text()
            assert rows == (tmp_path / "files" / facts).read_text()


def test_blocks_of_few_stimuli_change_rounding_only(made, many, tmp_path, monkeypatch):
    """Several passes, and shuffled stimuli outside the block."""
    samples = many_samples(made, many)
    run(made, tmp_path / "files", samples=samples)
    monkeypatch.setattr("convergent_learning.activations.block.default_memory", lambda: 0)
    monkeypatch.setattr(
        "convergent_learning.activations.block.write_moments",
        functools.partial(write_moments, memory=3_000_000),
    )
    run(made, tmp_path / "made", samples=samples, kept=None)
    for sample in samples:
        file = f"moments/{sample.name}.h5"
        assert_same_moments(tmp_path / "made" / file, tmp_path / "files" / file, exact=False)


@pytest.fixture
def live(made, many):
    """Activations of one network, with the responses of all its layers."""
    loader = Loader(read_summary(made / "digits.h5"))
    network = two_samples(made)[0].networks[0]
    how = Extraction(16, "float16", 10, CODE)

    def made_of():
        return LiveActivations(loader, network, 7, read_stimuli(many), how)

    held, streamed = made_of(), made_of()
    held.hold()
    return held, streamed


def test_what_is_made_when_read_is_what_is_held(live):
    held, streamed = live
    assert (held.together, streamed.together) == (False, True)
    layers = list(held.layers)
    expected = held.read(layers)
    shuffled = np.sort(np.random.default_rng(0).permutation(300)[:140])
    for reads in ([slice(0, 64), slice(0, 130), slice(130, 300)], [slice(0, 40), shuffled]):
        read = streamed.read(layers)
        for stimuli, i in itertools.product(reads, range(len(layers))):
            assert torch.equal(read[i][stimuli], expected[i][stimuli]), (stimuli, layers[i])


def test_a_batch_is_made_once_and_no_more_is_kept_than_the_block(live, monkeypatch):
    _, streamed = live
    made, forward = [], live_module.forward

    def counted(network, stimuli, chosen, *rest):
        made.append(chosen.start)
        return forward(network, stimuli, chosen, *rest)

    monkeypatch.setattr(live_module, "forward", counted)
    first, last = streamed.read(["relu", "fc"])
    for start in range(0, 300, 60):
        for layer in (first, last):
            layer[start : start + 60]
            kept = {len(tensor) for tensor in streamed._block.values()}
            assert max(kept) <= 2 * 125
    assert made == [0, 125, 250]
    assert set(streamed._block) == {"relu", "fc"}
    assert 0 <= streamed.accuracy <= 1


def test_networks_that_do_not_fit_are_loaded_again(made, tmp_path, passes, monkeypatch):
    monkeypatch.setattr("convergent_learning.activations.loaded.WEIGHTS_KEPT", 1)
    run(made, tmp_path, samples=two_samples(made), kept=None)
    # For the attributes of all networks, then for the activations of each.
    assert passes[1] == ["resnet18-seed1", "resnet18-seed2"] * 2 + ["resnet18-seed1"] * 2


def test_a_failed_block_leaves_no_activations(made, tmp_path):
    with pytest.raises(ValueError, match="layer9"):
        run(
            made,
            tmp_path,
            kept=None,
            layers=(*RESNET18, Layer("layer9", "block")),
        )
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in tmp_path.rglob("*") if path.name.startswith(".")]


def test_kept_activations_replace_a_forward_pass(made, tmp_path, passes):
    run(made, tmp_path)
    moments, rows = tmp_path / "moments/sample.h5", (tmp_path / "accuracy.csv").read_text()
    first = identities(moments)
    moments.unlink()
    run(made, tmp_path)
    assert passes[0] == ["resnet18-seed1", "resnet18-seed2"]
    assert (tmp_path / "accuracy.csv").read_text() == rows
    assert identities(moments) == first


@pytest.mark.parametrize(
    "changed", [{"code": CODE | {"resnet18": "d"}}, {"dtype": "float16"}, {"layers": RESNET18[1:]}]
)
def test_kept_activations_made_otherwise_are_made_again(made, tmp_path, passes, changed):
    run(made, tmp_path)
    first = identities(tmp_path / "moments/sample.h5")
    run(made, tmp_path, **changed)
    assert len(passes[0]) == 4
    assert not set(first) & set(identities(tmp_path / "moments/sample.h5"))


def test_kept_activations_of_other_weights_are_made_again(made, tmp_path, passes):
    run(made, tmp_path)
    first = identities(tmp_path / "moments/sample.h5")
    torch.manual_seed(3)
    save(tmp_path / "1.safetensors", build("resnet18", 10, 1 / 16), 1)
    run(
        made,
        tmp_path,
        checkpoints={tmp_path / "1.safetensors": plan(1), made / "2.safetensors": plan(2)},
    )
    assert passes[0] == ["resnet18-seed1", "resnet18-seed2", "resnet18-seed1"]
    then = identities(tmp_path / "moments/sample.h5")
    assert then[0] != first[0]
    assert then[1] == first[1]


@pytest.mark.parametrize("damage", ["activations", "accuracy", "depth", "cut"])
def test_damaged_kept_activations_are_made_again(made, tmp_path, passes, caplog, damage):
    path = run(made, tmp_path)
    rows = (tmp_path / "accuracy.csv").read_text()
    with h5py.File(path) as file:
        whole = file["layers/relu"][:]
        parts = {
            "activations": whole[0, 0, 0].tobytes(),
            "accuracy": struct.pack("<d", file.attrs["accuracy"]),
            "depth": struct.pack("<d", file["layers/layer2.0.relu_1"].attrs["depth"]),
        }
    raw = bytearray(path.read_bytes())
    if damage == "cut":
        raw = raw[: len(raw) // 2]
    else:
        assert parts[damage] in raw
        raw[raw.index(parts[damage])] ^= 1
    path.write_bytes(raw)
    run(made, tmp_path)
    assert passes[0] == ["resnet18-seed1", "resnet18-seed2", "resnet18-seed1"]
    assert "is damaged" in caplog.text
    assert (tmp_path / "accuracy.csv").read_text() == rows
    with h5py.File(path) as file:
        np.testing.assert_array_equal(file["layers/relu"], whole)


@pytest.mark.parametrize("changed", [{"n_folds": 4}, {"seed": 1}])
def test_identities_depend_on_the_folds(made, tmp_path, passes, changed):
    run(made, tmp_path)
    first = identities(tmp_path / "moments/sample.h5")
    run(made, tmp_path, **changed)
    assert len(passes[0]) == 2
    assert not set(first) & set(identities(tmp_path / "moments/sample.h5"))


def identities(moments):
    with h5py.File(moments) as file:
        groups = sorted(file["networks"].values(), key=lambda group: group.attrs["order"])
        return [group.attrs["identity"] for group in groups]


def test_a_described_network_is_made_again_when_its_description_changes(made, tmp_path, passes):
    def shown(**arguments):
        given = {"architecture": "resnet18", "classes": 10, "width": 1 / 16} | arguments
        described = Pretrained(
            architecture="resnet18", seed=1, experiment_seed=0, mean=[0.3] * 3, std=[0.4] * 3,
            factory="convergent_learning.networks.architectures:build", weights=None,
            arguments=given,
        )  # fmt: skip
        return Shown("mine", 1, RESNET18, described)

    for network in (shown(), shown(), replace_mean(shown(), 0.5), shown(image_size=64)):
        run(made, tmp_path, networks=(network,))
    assert len(passes[0]) == 3


def replace_mean(shown, value):
    return replace(shown, source=replace(shown.source, mean=[value] * 3))
