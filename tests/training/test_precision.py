"""Which precision `training.precision: auto` takes, and the files that hold the choice."""

import json
import logging

import pytest
import torch

from convergent_learning.training import precision
from convergent_learning.training.precision import choose, read_precision, write_precision

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture
def processor(monkeypatch):
    """A function that sets the processor's flags and what bfloat16 takes of float32's time."""
    measured = []

    def of(ratio=None, **flags):
        def measure():
            measured.append(ratio)
            return ratio, {"float32": 0.1, "bfloat16": 0.1 * ratio}

        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)
        monkeypatch.setattr(precision, "_bfloat16_against_float32", measure)
        return measured

    return of


@pytest.mark.parametrize(
    ("flags", "name", "word"),
    [
        ({"amx_bf16": True, "avx512_bf16": True}, "bfloat16", "AMX"),
        ({"amx_bf16": False, "avx512_bf16": False}, "float32", "emulate"),
    ],
)
def test_flags_decide_with_matrix_units_or_without_bfloat16(processor, tmp_path, flags, name, word):
    measured = processor(architecture="x86_64", **flags)
    chosen = choose(CPU, tmp_path / "cache.json")
    assert chosen.name == name
    assert word in chosen.reason
    assert not measured
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "flags", [{"architecture": "x86_64", "avx512_bf16": True}, {"architecture": "aarch64"}, {}]
)
@pytest.mark.parametrize(("ratio", "name"), [(0.71, "bfloat16"), (0.96, "float32")])
def test_other_processors_are_measured_once(processor, tmp_path, flags, ratio, name):
    measured = processor(ratio, **flags)
    first = choose(CPU, tmp_path / "cache.json")
    assert first.name == name
    assert f"{ratio:.2f}" in first.reason
    processor(1 / ratio, **flags)
    assert choose(CPU, tmp_path / "cache.json") == first
    assert measured == [ratio]


@pytest.mark.parametrize("content", ["", "[]", "3", "{", '{"M": 3}', '{"M": {"name": "float8"}}'])
def test_an_unreadable_cache_is_measured_anew(processor, tmp_path, monkeypatch, content):
    monkeypatch.setattr(precision, "processor", lambda: "M")
    cache = tmp_path / "cache.json"
    cache.write_text(content.replace("M", f"M, torch {torch.__version__}"))
    measured = processor(0.5)
    chosen = choose(CPU, cache)
    assert choose(CPU, cache) == chosen
    assert measured == [0.5]


def test_a_cache_keeps_the_choice_of_each_processor_and_torch(processor, tmp_path, monkeypatch):
    cache, chosen = tmp_path / "cache.json", {}
    processor(0.5)
    chosen["old"] = choose(CPU, cache)
    monkeypatch.setattr(torch, "__version__", "99.0")
    processor(2.0)
    chosen["new torch"] = choose(CPU, cache)
    monkeypatch.setattr(precision, "processor", lambda: "Another")
    chosen["new processor"] = choose(CPU, cache)
    assert [c.name for c in chosen.values()] == ["bfloat16", "float32", "float32"]
    assert len(json.loads(cache.read_text())) == 3


@pytest.mark.parametrize(("supported", "name"), [(True, "bfloat16"), (False, "float32")])
def test_a_gpu_is_asked(monkeypatch, tmp_path, supported, name):
    def is_supported(including_emulation=True):
        return including_emulation or supported

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "Model T")
    chosen = choose(GPU, tmp_path / "cache.json")
    assert chosen.name == name
    assert "Model T" in chosen.reason


def test_a_real_measurement_leaves_threads_and_draws_alone():
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    ratio, seconds = precision._bfloat16_against_float32()
    assert ratio == pytest.approx(seconds["bfloat16"] / seconds["float32"], rel=0.5)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def test_the_written_choice_is_read_and_logged(processor, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(precision, "default_device", lambda: CPU)
    processor(0.5)
    with caplog.at_level(logging.INFO):
        write_precision(tmp_path / "precision.json", tmp_path / "cache.json")
    read = read_precision(tmp_path / "precision.json")
    assert read == choose(CPU, tmp_path / "cache.json")
    assert f"precision bfloat16: {read.reason}" in caplog.text
    content = json.loads((tmp_path / "precision.json").read_text())
    assert list(content) == ["precision", "reason", "processor", "torch"]


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"precision": "float8", "reason": ""}'])
def test_a_damaged_choice_names_its_file(tmp_path, content):
    path = tmp_path / "precision.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"precision\.json is damaged"):
        read_precision(path)
