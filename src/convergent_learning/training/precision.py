"""The faster precision of a training on this machine: bfloat16 autocast or float32.

A processor's flags say whether it has bfloat16 arithmetic, not whether that is fast: with AMX and
on GPUs it always is, emulated it never is, and what lies between is measured once.
"""

from __future__ import annotations

import json
import logging
import statistics
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from convergent_learning.files import replace_when_done
from convergent_learning.machine import processor
from convergent_learning.training.device import default_device

_LOG = logging.getLogger(__name__)
_WORTH_IT = 0.95  # of float32's time: bfloat16 must win by more than a measurement errs
_ROUNDS = 9


@dataclass(frozen=True)
class Precision:
    """The type of forward passes, ``"bfloat16"`` or ``"float32"``, and a sentence that says why."""

    name: str
    reason: str


def choose(device: torch.device, cache: Path) -> Precision:
    """The precision that trains faster on `device`.

    Where only a measurement can tell, its result is kept in the JSON file `cache` under the
    processor's name and torch's version, so that a machine gives one answer however busy it is;
    a cache that cannot be read is measured anew.
    """
    if device.type == "cuda":
        gpu = torch.cuda.get_device_name(device)
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return Precision("bfloat16", f"The GPU, {gpu}, computes in bfloat16.")
        return Precision("float32", f"The GPU, {gpu}, would emulate bfloat16.")
    flags = torch.cpu.get_capabilities()
    if flags.get("amx_bf16"):
        return Precision(
            "bfloat16", f"The processor, {processor()}, has bfloat16 matrix units (AMX)."
        )
    if flags.get("architecture") == "x86_64" and not flags.get("avx512_bf16"):
        return Precision(
            "float32",
            f"The processor, {processor()}, would emulate bfloat16: it has neither AMX nor"
            " AVX512_BF16.",
        )
    return _measured(cache)


def write_precision(path: Path, cache: Path) -> None:
    """Choose for the default device and write the choice, the processor and torch's version.

    One file for all networks of a run: what they are trained in must not differ between them.
    """
    chosen = choose(default_device(), cache)
    _LOG.info("precision %s: %s", chosen.name, chosen.reason)
    about = {"precision": chosen.name, "reason": chosen.reason}
    _write_json(path, {**about, "processor": processor(), "torch": torch.__version__})


def read_precision(path: Path) -> Precision:
    """The choice in a file of `write_precision`; ValueError naming the file if it is damaged."""
    try:
        content = json.loads(path.read_bytes())
        return _valid(Precision(content["precision"], content["reason"]))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is damaged ({error!r}): delete it and run the same command again"
        ) from error


def _valid(precision: Precision) -> Precision:
    if precision.name not in ("bfloat16", "float32") or not isinstance(precision.reason, str):
        raise ValueError(f"no choice of precision: {precision}")
    return precision


def _measured(cache: Path) -> Precision:
    """The choice by measurement, from `cache` if this processor and torch are in it."""
    machine = f"{processor()}, torch {torch.__version__}"
    try:
        known = json.loads(cache.read_bytes())
        return _valid(Precision(**known[machine]))
    except KeyError:
        pass
    except (OSError, ValueError, TypeError):
        known = {}
    ratio, seconds = _bfloat16_against_float32()
    chosen = Precision(
        "bfloat16" if ratio < _WORTH_IT else "float32",
        f"The processor, {processor()}, takes {ratio:.2f} of float32's time with bfloat16:"
        f" {1e3 * seconds['bfloat16']:.1f} for {1e3 * seconds['float32']:.1f} ms for the forward"
        " and backward pass of a few convolutions.",
    )
    _write_json(cache, {**known, machine: {"name": chosen.name, "reason": chosen.reason}})
    return chosen


def _bfloat16_against_float32() -> tuple[float, dict[str, float]]:
    """How much longer bfloat16 takes than float32, and the processor seconds of both.

    Layers as the first ones of a quarter-width ResNet. The two take turns and the ratio is the
    median over turns, so that other work on the machine hits both alike.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.random.fork_rng(devices=[]):
            layers = _layers()
            images = torch.randn(64, 3, 32, 32).to(memory_format=torch.channels_last)
        turns = []
        for _ in range(_ROUNDS + 1):
            turns.append((_seconds(layers, images, False), _seconds(layers, images, True)))
    finally:
        torch.set_num_threads(threads)
    float32, bfloat16 = zip(*turns[1:], strict=True)  # the first turn warms up
    ratio = statistics.median(short / long for long, short in turns[1:])
    return ratio, {"float32": statistics.median(float32), "bfloat16": statistics.median(bfloat16)}


def _layers() -> nn.Module:
    layers: list[nn.Module] = []
    inputs = 3
    for outputs, stride in ((16, 1), (16, 1), (32, 2), (64, 2)):
        layers.append(nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False))
        layers += [nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
        inputs = outputs
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)


def _seconds(layers: nn.Module, images: torch.Tensor, bfloat16: bool) -> float:
    """Processor time of a forward and backward pass."""
    start = time.process_time()
    with torch.autocast("cpu", dtype=torch.bfloat16) if bfloat16 else nullcontext():
        maps = layers(images)
    layers.zero_grad()
    maps.float().square().mean().backward()
    return time.process_time() - start


def _write_json(path: Path, content: dict) -> None:
    with replace_when_done(path) as partial:
        partial.write_text(json.dumps(content, indent=2) + "\n")
