# %% [markdown]
# # Score two arrays
#
# You have the responses of two networks to the same stimuli, as arrays. How well do they align, and
# up to which transformation? This example plants the answer, so that you can see what each number
# means. It needs `pip install .` and matplotlib, and nothing of the workflow.
#
# ## Four pairs with a known relation
#
# Rows are stimuli and columns are units. Twenty latent variables drive a layer `x` of 40 units, and
# every partner of `x` is made from `x` itself, with a little noise.

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import ortho_group

rng = np.random.default_rng(0)
n_stimuli, n_units = 500, 40
latent = rng.exponential(size=(n_stimuli, 20))
x = np.maximum(latent @ rng.standard_normal((20, n_units)), 0)
noise = 0.3 * x.std() * rng.standard_normal(x.shape)
partners = {
    "same units, another order": x[:, rng.permutation(n_units)] + noise,
    "rotated": x @ ortho_group.rvs(n_units, random_state=0) + noise,
    "any linear map": x @ rng.standard_normal((n_units, n_units)) / 6 + noise,
    "unrelated": rng.permutation(x),
}

# %% [markdown]
# ## Scores
#
# `score` fits each map on four fifths of the stimuli, applies it to the remaining fifth, and
# correlates predicted with actual responses, unit by unit. The score is the mean correlation over
# units, folds and both directions, so 1 is perfect and 0 is chance.

# %%
from convergent_learning.alignment import score

metrics = ["permutation", "soft_matching", "procrustes", "linear"]
scores = {name: score(x, y, metrics) for name, y in partners.items()}
print(f"{'':28}" + "".join(f"{metric:>15}" for metric in metrics))
for name, result in scores.items():
    print(f"{name:28}" + "".join(f"{result[metric].mean:15.2f}" for metric in metrics))

# %% [markdown]
# The more flexible the map, the higher the score. A reordered layer is recovered by
# every metric; a rotated one only by maps that may rotate; a layer behind an arbitrary linear map
# best by `linear`. Where nothing is shared, all four are near 0, because maps are scored on stimuli
# that they were not fitted on.

# %%
figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
for place, (name, result) in enumerate(scores.items()):
    heights = [result[metric].mean for metric in metrics]
    axes.bar(np.arange(len(metrics)) + 0.2 * place - 0.3, heights, width=0.2, label=name)
axes.set_xticks(range(len(metrics)), metrics)
axes.set_ylabel("held-out correlation")
figure.legend(frameon=False, fontsize="small", ncols=4, loc="outside upper center")
figure.savefig("two_arrays.png", dpi=150)

# %% [markdown]
# ![Bars of the four scores for each of the four pairs: all are high for reordered units, only the
# flexible ones for rotated units, and none for unrelated units](two_arrays.png)
#
# ## Directions and folds
#
# Each result also holds the score of every fold, and of both directions: `x->y` maps x onto y.

# %%
procrustes = scores["rotated"]["procrustes"]
print("folds:", procrustes.folds.round(3))
for direction, folds in procrustes.directions.items():
    print(direction, folds.mean().round(3))

# %% [markdown]
# ## Is it more than chance?
#
# `permutation_test` scores the pair again with the stimuli of one side shuffled.

# %%
from convergent_learning.alignment import permutation_test

for name in ("rotated", "unrelated"):
    test = permutation_test(x, partners[name], "procrustes", n_draws=99)
    print(f"{name}: {test.observed:.2f}, p = {test.p:.2f}, calibrated {test.calibrated:.2f}")

# %% [markdown]
# ## Do the axes matter?
#
# `rotated_basis` asks whether single units correspond: the permutation score falls if the basis of
# one side is rotated at random, unless it was arbitrary to begin with.

# %%
from convergent_learning.alignment import rotated_basis

for name in ("same units, another order", "rotated"):
    basis = rotated_basis(x, partners[name], n_draws=99)
    print(f"{name}: {basis.learned:.2f}, rotated {basis.draws.mean():.2f}, p = {basis.p:.2f}")

# %% [markdown]
# ## Measures of whole representations
#
# `measure` compares all stimuli at once, as most published similarity measures do.

# %%
from convergent_learning.alignment import measure

for name in ("cka", "cka_debiased", "rsa", "mutual_knn"):
    values = [f"{measure(x, y, name):.2f}" for y in partners.values()]
    print(f"{name:15}", *values)

# %% [markdown]
# [Your own arrays](../arrays.md) lists what `score` takes and gives back,
# [Measures and metrics](../measures.md) what every number is invariant to.
