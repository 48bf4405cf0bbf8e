# %% [markdown]
# # Many networks at a prompt
#
# `compare` scores every layer of every network with every layer of the others, and the result draws
# itself. Here three small networks learn the same digits from different seeds, and a fourth one
# stays untrained. It needs `pip install ".[all]"`, or `".[report]"` and scikit-learn.
#
# ## Networks and their responses
#
# Any framework will do, since `compare` only sees arrays: a mapping from each network to its layers
# in depth order, all of them responses to the same stimuli in the same order.

# %%
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

digits, labels = load_digits(return_X_y=True)
training, shown = digits[:1200] / 16, digits[1200:] / 16


def network(seed, epochs):
    """A perceptron with three hidden layers of 32 units, trained for some epochs."""
    made = MLPClassifier((32,) * 3, random_state=seed, learning_rate_init=0.003)
    untrained = epochs == 0
    if untrained:
        made.set_params(learning_rate_init=1e-12)
    for _ in range(max(epochs, 1)):
        made.partial_fit(training, labels[:1200], classes=range(10))
    return made


def responses(made, images):
    """Responses (n, 32) of each hidden layer."""
    layers = {}
    for depth, (weights, bias) in enumerate(zip(made.coefs_[:-1], made.intercepts_[:-1])):
        images = np.maximum(images @ weights + bias, 0)
        layers[f"hidden {depth + 1}"] = images
    return layers


trained = {f"seed {seed}": network(seed, epochs=30) for seed in (1, 2, 3)}
for name, made in trained.items():
    print(f"{name}: test accuracy {made.score(shown, labels[1200:]):.2f}")
networks = {name: responses(made, shown) for name, made in trained.items()}
networks["untrained"] = responses(network(4, epochs=0), shown)

# %% [markdown]
# ## All pairs and layers in one call

# %%
from convergent_learning.compare import compare

result = compare(networks, metrics=["linear", "procrustes", "permutation"])
print(len(result), "rows, for example")
print(result.head(3).to_string(index=False))

# %% [markdown]
# The result is a pandas DataFrame, so that questions are asked in the usual way. Do
# trained networks resemble each other more than they resemble the untrained one?

# %%
same_depth = result[result.layer_x == result.layer_y].copy()
same_depth["pair"] = np.where(same_depth.network_y == "untrained", "with untrained", "trained")
print(same_depth.pivot_table("score", ["metric", "pair"], "layer_x").round(2).to_string())

# %% [markdown]
# ## Figures
#
# `heatmap` draws layer × layer maps, of all directed pairs under one metric or of two networks
# under every metric; `depth_plot` draws scores across depth. Both return a matplotlib figure.

# %%
result.heatmap(metric="procrustes").savefig("heatmap.png", dpi=120)
result[result.network_y != "untrained"].depth_plot().savefig("depth_plot.png", dpi=120)

# %% [markdown]
# ![Layer by layer maps of the Procrustes score for every pair of the four networks](heatmap.png)
#
# ![Scores of three metrics across depth for the pairs of trained networks](depth_plot.png)
#
# [Your own arrays](../arrays.md) describes the columns, how much memory it takes, and how
# responses are kept in files.
