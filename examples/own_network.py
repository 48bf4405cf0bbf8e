# %% [markdown]
# # A network of your own through the workflow
#
# Any `torch.nn.Module` joins every score, figure and claim by one entry of the config. Here a small
# network that the repository has never seen is trained outside the workflow, and its checkpoints
# then take the place of the built-in architectures. The script runs at the root of a clone, in the
# environment that `make reproduce` makes; the data are digits that come with scikit-learn.
#
# ## A module
#
# The file lies where Snakemake runs, so that it can be imported.

# %%
import sys
from pathlib import Path

sys.path.insert(0, "")  # `python` would do so by itself at a prompt
module = '''
from torch import nn


class DigitNet(nn.Module):
    """Three convolutions, average pooling and a linear readout."""

    def __init__(self, channels=16):
        super().__init__()
        self.stages = nn.Sequential(
            *(
                nn.Sequential(nn.Conv2d(inputs, channels, 3, stride=2, padding=1), nn.ReLU())
                for inputs in (3, channels, channels)
            )
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.head = nn.Linear(channels, 10)

    def forward(self, images):
        return self.head(self.pool(self.stages(images)).flatten(1))
'''
Path("digit_net.py").write_text(module)

# %% [markdown]
# ## Trained elsewhere
#
# Your own training code goes here. All that the workflow needs are state dicts, one for each seed
# and step; step 0 is the untrained network. The images are those of the workflow's dataset, which
# any experiment that uses it prepares.

# %%
import subprocess

import torch
from safetensors.torch import save_file

from convergent_learning.datasets.canonical import read_split
from digit_net import DigitNet

SEEDS, STEPS = (1, 2, 3), (0, 300)


def snakemake(target, experiment):
    """Run Snakemake up to a target, quietly."""
    overlay = f"workflow/experiments/{experiment}.yaml"
    command = [sys.executable, "-m", "snakemake", target, "--cores", "2", "--configfile", overlay]
    subprocess.run([*command, "--quiet", "all"], check=True)


snakemake("results/datasets/digits.h5", "smoke")
data = {part: read_split("results/datasets/digits.h5", part) for part in ("train", "test")}
images = {
    part: torch.from_numpy(split.images).permute(0, 3, 1, 2) / 255 for part, split in data.items()
}
labels = {part: torch.from_numpy(split.labels) for part, split in data.items()}

for seed in SEEDS:
    torch.manual_seed(seed)
    network = DigitNet()
    optimiser = torch.optim.Adam(network.parameters(), lr=0.005)
    folder = Path(f"weights/{seed}")
    folder.mkdir(parents=True, exist_ok=True)
    for step in range(max(STEPS) + 1):
        if step in STEPS:
            save_file(network.state_dict(), folder / f"step{step}.safetensors")
        batch = torch.randint(len(images["train"]), (64,))
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(
            network(images["train"][batch]), labels["train"][batch]
        )
        loss.backward()
        optimiser.step()
    right = network(images["test"]).argmax(1) == labels["test"]
    print(f"seed {seed}: test accuracy {right.float().mean():.2f}")

# %% [markdown]
# ## One entry of the config
#
# An overlay changes what it names in `config.yaml`. Layers are modules or graph nodes in depth
# order; `python -m convergent_learning.networks list-layers digit_net:DigitNet --image-size 32`
# lists them. `mean` and `std` say how this network wants its pixels normalised.

# %%
overlay = """
experiment: own-network
datasets:
  - {name: digits, train_images: 640, source: null}
networks:
  - architecture: digit_net
    factory: "digit_net:DigitNet"
    arguments: {channels: 16}
    weights: "weights/{seed}/step{step}.safetensors"
    steps: [0, 300]
    seeds: [1, 2, 3]
    mean: [0, 0, 0]
    std: [1, 1, 1]
    layers: [stages.0, stages.1, stages.2, {name: pool, role: pooled}, head]
stimuli:
  images: 150
  families:
    - {family: contrast, levels: [50]}
activations:
  positions: 16
alignment:
  rotations: 19
"""
Path("workflow/experiments/own-network.yaml").write_text(overlay)

# %% [markdown]
# ## Figure 2 of this network
#
# At a prompt this is `snakemake fig2 --cores 2 --configfile workflow/experiments/own-network.yaml`.
# Without `fig2` it makes every figure, decides the claims and writes the report.

# %%
snakemake("fig2", "own-network")

# %% [markdown]
# ![Figure 2 of this network: four metrics across its layers, trained and
# untrained](results/own-network/figures/fig2.png)
#
# The numbers drawn are in a table beside it.

# %%
from convergent_learning.alignment import metrics
from convergent_learning.tables.storage import read_table

table = read_table("results/own-network/tables", "fig2")
learned = table[(table.baseline == "learned") & (table.center == "position")]
claimed = learned[learned.metric.isin(metrics())]
print(claimed.pivot_table("mean", ["metric", "step"], "layer_x", sort=False).round(2).to_string())

# %% [markdown]
# [Activations of your own networks](../own_networks.md) is for networks of another framework, which
# come as files of responses; [Extending](../extending.md) describes factories, weights and layers.
