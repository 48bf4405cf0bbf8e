"""The memory that is planned against what is taken."""

import json
import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from convergent_learning.config.costs import UnitCosts
from convergent_learning.config.experiment import Network, Tile
from convergent_learning.config.live_tensors import LiveTensors
from convergent_learning.config.moment_memory import ShownNetworks, summing_bytes
from convergent_learning.config.sizes import LayerSize, NetworkSize
from convergent_learning.config.work import Workload

IMAGES, FOLDS = 600, 5
ONE_THREAD = os.environ | {"OMP_NUM_THREADS": "1"}  # each further one takes buffers of its own
needs_glibc = pytest.mark.skipif(
    sys.platform != "linux" or platform.libc_ver()[0] != "glibc",
    reason="the peak is read from /proc, after glibc has trimmed its heap",
)
# Bytes at the peak of `write_moments`, beyond those before it, of networks with these layers.
MADE = """
import ctypes, gc, json, sys
from pathlib import Path
import h5py, numpy as np
from convergent_learning.alignment.store import PER_LAYER, PER_NETWORK, SHARED, write_moments

layers, mapped, pairs, in_memory, memory = json.loads(sys.argv[1])
class Network:
    together = False
    def __init__(self, name, values):
        self.name, self.values = name, values
        self.attrs = dict.fromkeys(SHARED + PER_NETWORK, "") | {"step": 1, "group": name[0]}
        self.shapes = {layer: array.shape for layer, array in values.items()}
        self.layers = {layer: dict.fromkeys(PER_LAYER, layer) for layer in values}
    def read(self, layers):
        return [self.values[layer] for layer in layers]

def taken(named, layers, pairs):
    rng = np.random.default_rng(0)
    networks = [
        Network(name, {
            layer: rng.standard_normal((600, units, side, side), dtype=np.float32)
            for layer, units, side in layers
        })
        for name in named
    ]
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = status("VmRSS")
    options = {"driver": "core", "backing_store": False} if in_memory else {}
    with h5py.File("made.h5", "w", **options) as out:
        chosen = [name for name in named if name in mapped]
        write_moments(networks, out, chosen, 5, 0, True, pairs, memory=memory)
    return status("VmHWM") - before

def status(key):
    lines = open("/proc/self/status").read().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key))

taken(["a1", "a2"], [("small", 300, 2)], None)  # what the libraries take once
print(taken(["a1", "a2", "b1"], layers, pairs))
"""


@pytest.mark.slow
@needs_glibc
@pytest.mark.parametrize("in_memory", [False, True])
@pytest.mark.parametrize(
    ("mapped", "memory"),
    [((), 2 << 30), (("a1", "a2", "b1"), 2 << 30), (("a1", "a2", "b1"), 2), (("a1", "b1"), 2)],
    ids=str,
)
def test_moments_take_what_is_planned(mapped, memory, in_memory, tmp_path):
    layers = [("maps", 100, 4), ("late", 400, 2), ("pooled", 1000, 1)]
    pairs = [("a1", "a2"), ("a1", "b1"), ("a2", "b1")]
    case = json.dumps([layers, mapped, pairs, in_memory, memory])
    command = [sys.executable, "-c", MADE, case]
    # What is freed goes back to the system: small arrays would stay with the process, some of them.
    environment = ONE_THREAD | {"MALLOC_MMAP_THRESHOLD_": "1000000"}
    run = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True
    )
    sizes = tuple(LayerSize(name, units, (side, side)) for name, units, side in layers)
    names = ("a1", "a2", "b1")
    shown = ShownNetworks(
        dict.fromkeys(names, NetworkSize(0, 0, 0, 0, sizes)),
        {name: name[0] for name in names},
        pairs,
        mapped,
        held=True,
    )
    planned = summing_bytes(shown, IMAGES, FOLDS, memory // 2, filed=in_memory)
    assert planned / 1.3 <= int(run.stdout) <= planned


# Bytes at the peak of a process that scores two networks with one layer.
SCORED = """
import ctypes, gc, warnings
from pathlib import Path
import numpy as np
from convergent_learning.alignment import score_table
from convergent_learning.alignment.store import PER_LAYER, PER_NETWORK, SHARED, write_moments

class Network:
    together = False
    def __init__(self, seed, units):
        self.name, self.shapes = f"a{seed}", {"layer": (1200, units)}
        self.attrs = dict.fromkeys(SHARED + PER_NETWORK, "") | {"step": 1, "group": "a"}
        self.attrs["seed"] = seed
        self.layers = {"layer": dict.fromkeys(PER_LAYER, "layer") | {"order": 0, "depth": 0.0}}
        latent = np.random.default_rng(0).standard_normal((1200, 50), dtype=np.float32)
        rng = np.random.default_rng(seed)
        self.values = latent @ rng.standard_normal((50, units), dtype=np.float32)
        self.values += rng.standard_normal((1200, units), dtype=np.float32)
    def read(self, layers):
        return [self.values]

def taken(units):
    write_moments([Network(1, units), Network(2, units)], "made.h5", (), 5, 0, True)
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    score_table("made.h5", ["linear"])
    return status("VmHWM")

def status(key):
    lines = open("/proc/self/status").read().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(key))

warnings.simplefilter("ignore")
print(taken(640))
"""


@pytest.mark.slow
@needs_glibc
def test_scores_take_what_is_planned(tmp_path):
    command = [sys.executable, "-c", SCORED]
    # Of jobs, too, malloc keeps some of what is freed: its threshold is the default one.
    run = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env=ONE_THREAD, check=True
    )
    networks = tuple(Network("a", "a", seed, 1.0) for seed in (1, 2))
    asked = {
        "identity": None,
        "metrics": ["linear"],
        "centers": ["position"],
        "context": False,
        "rotated": [],
    }
    alignment = SimpleNamespace(folds=FOLDS, rotations=0, ridge="cv")
    experiment = SimpleNamespace(
        config=SimpleNamespace(alignment=alignment, stimuli=SimpleNamespace(images=1200), gpu=0),
        mapped=lambda *_: [],
    )
    size = NetworkSize(0, 0, 0, 0, (LayerSize("layer", 640, (1, 1)),))
    job = SimpleNamespace(
        rule="scores",
        stage="scores",
        name="scores",
        dataset="",
        params=asked,
        samples=[None],
        tile=Tile("", networks, (networks,)),
        experiment=experiment,
    )
    workload = Workload(SimpleNamespace(experiment=experiment), SimpleNamespace(of=lambda *_: size))
    planned = 1e6 * UnitCosts.read().peak_megabytes("scores", workload.of(job))
    assert planned / 1.3 <= int(run.stdout) <= planned


def test_tensors_that_are_given_up_do_not_count():
    given = torch.zeros(1000)
    with LiveTensors() as live:
        values = given + 1
        for _ in range(5):
            values = values * 2
    assert live.peak == 2 * 4000


def test_views_do_not_count_and_keep_what_they_show():
    with LiveTensors() as live:
        view = torch.zeros(1000)[:10]
        another = torch.zeros(500)
    assert live.peak == 4000 + 2000
    assert view.untyped_storage().nbytes() == 2 * another.untyped_storage().nbytes()


def test_convolutions_count_with_a_copy_of_input_and_output():
    convolution = torch.nn.Conv2d(3, 8, 1)
    with torch.inference_mode(), LiveTensors() as live:
        convolution(torch.zeros(1, 3, 10, 10, device="cpu"))
    assert live.peak == 2 * 4 * (300 + 800)
