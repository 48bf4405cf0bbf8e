# %% [markdown]
# # From scores to a figure of your own
#
# Every number that a figure draws lies in a table, and the tables of the default experiment are in
# the repository. This example answers a question that no figure of the paper asks: **which kinds of
# shift in the images pull networks apart, and do they do so because the networks fail?** It runs
# at the root of a clone and needs `pip install ".[report]"`, or the environment that `make figures`
# makes; nothing is trained or scored.
#
# ## Read a table
#
# `results/reference/<experiment>/tables/` holds the committed tables,
# `results/<experiment>/tables/` those of your own runs. [Tables](../tables.md) lists every column.
# `read_table` checks a table against that list and keeps names of conditions as text.

# %%
from convergent_learning.tables.storage import read_table

tables = "results/reference/cifar10/tables"
pairs = read_table(tables, "fig6_pairs")
print(pairs.columns.tolist())

# %% [markdown]
# A row is a pair of networks, a layer, a condition and a metric. We take the last block of each
# network and the Procrustes score, and average over pairs and levels.

# %%
procrustes = pairs[(pairs.metric == "procrustes") & (pairs.role == "block")]
last = procrustes[procrustes.depth == procrustes.groupby("group").depth.transform("max")]
drops = last.groupby("stimuli")[["drop", "accuracy_drop"]].mean().sort_values("drop")
print(drops.round(2).to_string())

# %% [markdown]
# ## Draw it
#
# `figures.style` has the typography and the colours of the paper's figures, which you need not use.

# %%
import matplotlib.pyplot as plt

from convergent_learning.figures import style

figure, (bars, points) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
colours = [style.family(name).colour for name in drops.index]
bars.barh([name.replace("_", " ") for name in drops.index], drops["drop"], color=colours)
bars.set_xlabel("drop in alignment")
points.scatter(drops.accuracy_drop, drops["drop"], c=colours)
points.set_xlabel("drop in accuracy")
points.set_ylabel("drop in alignment")
for axes in (bars, points):
    axes.axvline(0, color="0.8", zorder=0)
    axes.spines[["top", "right"]].set_visible(False)
figure.savefig("own_figure.png", dpi=150)

# %% [markdown]
# ![Left, the drop in alignment of the last block for each family of conditions; right, the same
# against the drop in accuracy](own_figure.png)
#
# To make it a figure of the workflow, which is drawn again whenever its table changes, follow
# [Extending](../extending.md#a-figure).
