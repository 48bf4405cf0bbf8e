"""A linear probe: the classifier of a network that was not taught any classes.

It is fitted on the pooled features of training images, as they are, and takes the place of the
network's last layer in every checkpoint, so that such a network has accuracies and logits too.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from convergent_learning.randomness import balanced_subset
from convergent_learning.training.batches import TrainingData
from convergent_learning.training.plan import PROBED

_BATCH = 125
_STRENGTH = 1e-3  # of the penalty on the squares of weights of standardised features
_STEPS = 200


def classifier(network: nn.Module) -> nn.Linear:
    """The last linear layer, whose input are the pooled features."""
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return linear[-1]


def features(network: nn.Module, images: Tensor) -> Tensor:
    """Pooled features (n, d) of images: what the classifier is given, with its gradient."""
    found: list[Tensor] = []
    hook = classifier(network).register_forward_pre_hook(lambda _, given: found.append(given[0]))
    try:
        network(images)
    finally:
        hook.remove()
    return found[0]


@torch.no_grad()
def fit_probe(network: nn.Module, data: TrainingData, seed: int) -> float:
    """Put a logistic regression into the classifier; its accuracy on the images it was fitted on.

    Those are a class-balanced subset, drawn with `seed`, where there are more than enough. Features
    are made in float32, whatever the training's precision is. The network is left in evaluation
    mode.
    """
    network.eval()
    known = data.labels.cpu().numpy()
    rows = torch.arange(len(data))
    if len(data) > PROBED:
        rows = torch.from_numpy(balanced_subset(known, PROBED, seed))
    parts, labels = [], []
    for chosen in rows.split(_BATCH):
        images, own = data.plain(chosen)
        parts.append(features(network, images).float().cpu())
        labels.append(own.cpu())
    x, y = torch.cat(parts).double(), torch.cat(labels)
    mean, scale = x.mean(0), x.std(0)
    scale[scale == 0] = 1
    last = classifier(network)
    weights, biases = _logistic_regression((x - mean) / scale, y, last.out_features)
    last.weight.copy_(weights / scale)
    last.bias.copy_(biases - (weights / scale) @ mean)
    decided = ((x - mean) / scale @ weights.T + biases).argmax(1)
    return float((decided == y).double().mean())


def _logistic_regression(x: Tensor, y: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Weights (classes, d) and biases of the penalised maximum likelihood, by torch.

    In torch and not in scikit-learn, so that `precision: portable` holds for it.
    """
    weights = torch.zeros(classes, x.shape[1], dtype=x.dtype, requires_grad=True)
    biases = torch.zeros(classes, dtype=x.dtype, requires_grad=True)
    solver = torch.optim.LBFGS([weights, biases], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        value = functional.cross_entropy(x @ weights.T + biases, y)
        value = value + _STRENGTH / 2 * weights.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        solver.step(loss)
    return weights.detach(), biases.detach()
