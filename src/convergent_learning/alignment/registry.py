"""The vocabulary of metrics: fit on training moments, score on held-out ones."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, TypeVar

import numpy as np

from .invariances import Transformation

if TYPE_CHECKING:
    from .layer_pair import Moments

# Modules that register metrics when they are imported, in the order in which `metrics` names them.
# What figures are to call their metrics, and in which colour, is in their `LOOKS`.
_MODULES = ("maps", "unit_matching", "context")
_METRICS: dict[str, Metric] = {}

Fit: TypeAlias = Callable[..., Any]
Invariances: TypeAlias = tuple[frozenset[Transformation], frozenset[Transformation]]
Scoring: TypeAlias = "Callable[[Any, Moments], float]"
_F = TypeVar("_F", bound=Fit)


class Look(NamedTuple):
    """What figures call a metric, and its colour."""

    label: str
    colour: str


@dataclass(frozen=True)
class Metric:
    """A registered metric.

    fit : training Moments (and `ridge`, if it takes one) -> map, plan or anything `score` reads
    score : (what fit returned, held-out Moments) -> float, or (K,) of all splits if `stacked`
    symmetric : on equal grids the fit of y onto x is the transpose of that of x onto y
    context : reported beside the claims' metrics, used for no claim
    equal_widths : defined for layers of the same number of units only
    stacked : fit and score take the moments of all splits at once, else those of one
    undirected : on equal grids both directions have the same score
    plan : of a fit that needs correlations alone: these (p, q), a NumPy array, -> plan (p, q),
        which is scored by the mean held-out correlation under it
    invariant_to : transformations of the source's units, and those of the target's, that leave the
        directed score as it is; of a map with a penalty, if `ridge=0`
    """

    name: str
    fit: Fit
    score: Scoring
    symmetric: bool = False
    context: bool = False
    equal_widths: bool = False
    stacked: bool = False
    undirected: bool = False
    plan: Callable[[np.ndarray], np.ndarray] | None = None
    invariant_to: Invariances = (frozenset(), frozenset())

    @property
    def functions(self) -> tuple[Fit, Scoring]:
        return self.fit, self.score

    @property
    def takes_ridge(self) -> bool:
        return "ridge" in inspect.signature(self.fit).parameters


def register(
    name: str,
    score: Scoring,
    *,
    symmetric: bool = False,
    context: bool = False,
    equal_widths: bool = False,
    stacked: bool = False,
    undirected: bool = False,
    plan: Callable[[np.ndarray], np.ndarray] | None = None,
    invariant_to: Invariances = (frozenset(), frozenset()),
) -> Callable[[_F], _F]:
    """Decorator that makes a fit function a metric, known by `name` everywhere.

    Examples
    --------
    Each target unit is read from the one source unit that it correlates with most:

    >>> import numpy as np
    >>> from convergent_learning.alignment import register, score
    >>> from convergent_learning.alignment.arrays import to_numpy
    >>> from convergent_learning.alignment.maps import mapped_correlation
    >>> @register("best_single", score=mapped_correlation)
    ... def best_single(train):
    ...     correlation = to_numpy(train.correlation)
    ...     weights = np.zeros_like(correlation)
    ...     best = correlation.argmax(axis=0)
    ...     weights[best, np.arange(len(best))] = 1.0
    ...     return weights
    >>> x = np.random.default_rng(0).standard_normal((100, 5))
    >>> result = score(x, x[:, :3], "best_single", directions=["x->y"])
    >>> round(result["best_single"].mean, 6)
    1.0
    """

    def add(fit: _F) -> _F:
        kinds = (symmetric, context, equal_widths, stacked, undirected)
        _METRICS[name] = Metric(name, fit, score, *kinds, plan, invariant_to)
        return fit

    return add


def metric(name: str) -> Metric:
    """The metric called `name`; ValueError listing the known ones otherwise."""
    _load()
    check_one(name)
    if name not in _METRICS:
        raise ValueError(f"unknown metric {name!r}; known: {', '.join(sorted(_METRICS))}")
    return _METRICS[name]


def named(names: str | Sequence[str]) -> list[Metric]:
    """The metrics called `names`, one or several; ValueError for none and for unknown ones."""
    if isinstance(names, str):
        names = [names]
    if not names:
        raise ValueError(f"metrics is empty: name some of {', '.join(metrics())}")
    return [metric(name) for name in names]


def check_one(name: object) -> None:
    """Raise ValueError unless one metric is named."""
    if not isinstance(name, str):
        raise ValueError(
            f"metric is {name!r}: name one metric, such as 'procrustes'; score takes several"
        )


def metrics(context: bool = False) -> tuple[str, ...]:
    """Names of the registered metrics, or of the context metrics.

    Examples
    --------
    >>> from convergent_learning.alignment import metrics
    >>> sorted(metrics())
    ['linear', 'permutation', 'procrustes', 'soft_matching']
    >>> "cka" in metrics(context=True)
    True
    """
    _load()
    return tuple(name for name, entry in _METRICS.items() if entry.context == context)


def looks() -> dict[str, Look]:
    """How figures show the metrics that have a look of their own."""
    return {name: look for module in _load() for name, look in getattr(module, "LOOKS", {}).items()}


def _load() -> list[ModuleType]:
    # By name: what imports the registry uses one metric, and does not depend on all of them.
    return [importlib.import_module(f".{module}", __package__) for module in _MODULES]
