"""A recording whose truth is known: noisy neurons that read out one layer of a trained network.

python examples/simulated_neurons.py <checkpoint>.safetensors layer3.1.relu_1 <dataset>.h5 out.npz
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from convergent_learning.alignment.positions import sample_positions
from convergent_learning.datasets.canonical import read_split
from convergent_learning.networks.checkpoints import load_checkpoint
from convergent_learning.networks.layers import Layer
from convergent_learning.networks.outputs import LayerOutputs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("layer", help="node of the network's graph")
    parser.add_argument("dataset", type=Path, help="data set file with the test images")
    parser.add_argument("out", type=Path)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--neurons", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=8)
    parser.add_argument("--positions", type=int, default=64, help="as in the experiment's config")
    parser.add_argument("--noise", type=float, default=1.0, help="deviation of a trial's noise")
    options = parser.parse_args()
    images = read_split(options.dataset, "test").images[: options.images]
    units = responses(options.checkpoint, options.layer, images, options.positions)
    neurons = read_out(units, options.neurons)
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((options.repeats, *neurons.shape))
    trials = (neurons + options.noise * noise).astype(np.float32)
    np.savez(options.out, images=images, simulated=trials)


def responses(checkpoint: Path, layer: str, images: np.ndarray, positions: int) -> torch.Tensor:
    """Responses (n, units) of a layer at the positions that an experiment keeps."""
    network = load_checkpoint(checkpoint, torch.device("cpu"))
    outputs = LayerOutputs(network.network, (Layer(layer, "block"),), network.architecture)
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2) / 255
    mean, std = (torch.tensor(v)[:, None, None] for v in (network.mean, network.std))
    with torch.inference_mode():
        maps, _ = outputs((pixels - mean) / std)
    return sample_positions(maps[layer], positions).flatten(1)


def read_out(units: torch.Tensor, neurons: int) -> np.ndarray:
    """Random weighted sums (n, neurons) of units (n, units), with variance 1."""
    weights = torch.randn(units.shape[1], neurons, generator=torch.Generator().manual_seed(0))
    sums = units @ weights
    return ((sums - sums.mean(0)) / sums.std(0)).numpy()


if __name__ == "__main__":
    main()
