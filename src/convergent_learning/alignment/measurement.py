"""Measures of all stimuli at once, beside the cross-validated metrics of `score`."""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from .invariances import Transformation
from .positions import Positions, check_positions

if TYPE_CHECKING:
    from .arrays import Device
    from .responses import Array

# Modules that register measures when they are imported, in the order of `measures`.
_MODULES = ("kernel_measures", "rsa", "unit_measures")
_MEASURES: dict[str, Measure] = {}
_F = TypeVar("_F", bound=Callable[..., float])


@dataclass(frozen=True)
class Measure:
    """A registered measure; it is symmetric in x and y.

    compute : of two `Kernel` if `kernel`, else of two `Responses` and a device; then come options
    invariant_to : transformations of the units of either side that leave it as it is
    kernel : inner products of stimuli are all that it needs
    values : what they lie between, and what is alike
    source : where it is from
    """

    name: str
    compute: Callable[..., float]
    invariant_to: frozenset[Transformation]
    kernel: bool
    values: str
    source: str

    @property
    def options(self) -> dict[str, Any]:
        """Options that a caller may give, with their defaults."""
        known = inspect.signature(self.compute).parameters.values()
        return {each.name: each.default for each in known if each.default is not each.empty}


def measure(
    x: Array,
    y: Array,
    name: str,
    positions: Positions = "all",
    device: Device | None = None,
    *,
    gram: bool = False,
    **options: Any,
) -> float:
    """A measure of how alike two sets of responses to the same stimuli are, in float64.

    Nothing is fitted on one part of the stimuli and scored on another, unless an option says so:
    that is what `score` is for.

    Parameters
    ----------
    x, y : array (n, p) or (n, c, h, w)
        As for `score`. Row i of both is stimulus i.
    name : str
        One of `measures()`; docs/measures.md has what each is, its options and its source.
    positions : "all", int, "center", "average" or "units"
        Positions of a map that are kept, see `sample_positions`. What compares stimuli takes all
        units at all positions as the pattern of a stimulus; what compares units
        (angular_procrustes, partial_soft_matching) takes channels as units and positions as
        samples, as `score` does.
    device : torch device, optional
        Where it is computed; default the device of x.
    gram : bool
        x and y are Gram matrices ``(n, n)`` of the stimuli, of any kernel.
    **options
        Those of the measure, such as ``k=10``.

    Returns
    -------
    float
        NaN, with a warning, where it is not defined: no unit varies, or a stimulus has no pattern.

    Raises
    ------
    ValueError
        Unknown measure or option; different numbers of stimuli, or too few; NaN or infinite
        responses; ``gram`` for a measure that needs responses, or matrices that are not symmetric.

    Examples
    --------
    >>> import numpy as np
    >>> from convergent_learning.alignment import measure
    >>> rng = np.random.default_rng(0)
    >>> x = rng.standard_normal((100, 5))
    >>> rotation, _ = np.linalg.qr(rng.standard_normal((5, 5)))
    >>> round(measure(x, x @ rotation, "cka"), 6)  # not changed by rotations
    1.0
    >>> unrelated = rng.standard_normal((100, 5))
    >>> measure(x, unrelated, "mutual_knn", k=5) < 0.2
    True
    """
    chosen = find(name)
    _check_options(chosen, gram, options)
    # Imported here: torch takes seconds to load.
    from .kernels import read_gram, read_kernel
    from .responses import paired_responses

    check_positions(positions)
    sides = paired_responses(x, y, "all" if gram else positions)
    device = device or sides[0].device
    if chosen.kernel:
        read = read_gram if gram else read_kernel
        return float(chosen.compute(*(read(side, device) for side in sides), **options))
    return float(chosen.compute(*sides, device, **options))


def measures() -> tuple[str, ...]:
    """Names of the registered measures.

    Examples
    --------
    >>> from convergent_learning.alignment import measures
    >>> measures()[:4]
    ('cka', 'cka_debiased', 'mutual_knn', 'cknna')
    """
    _load()
    return tuple(_MEASURES)


def find(name: str) -> Measure:
    """The measure called `name`; ValueError listing the known ones otherwise."""
    if name not in measures():
        raise ValueError(f"unknown measure {name!r}; known: {', '.join(sorted(_MEASURES))}")
    return _MEASURES[name]


def register_measure(
    name: str,
    *,
    invariant_to: frozenset[Transformation],
    values: str,
    source: str,
    kernel: bool = False,
) -> Callable[[_F], _F]:
    """Decorator that makes a function a measure; see `Measure`.

    Examples
    --------
    >>> import numpy as np
    >>> from convergent_learning.alignment import measure, register_measure
    >>> from convergent_learning.alignment.invariances import COSINES
    >>> @register_measure(
    ...     "mean_cosine_gap",
    ...     kernel=True,
    ...     invariant_to=COSINES,
    ...     values="0 to 2, 0 alike",
    ...     source="an example",
    ... )
    ... def mean_cosine_gap(x, y):
    ...     blocks = zip(x.normalised().blocks(), y.normalised().blocks(), strict=True)
    ...     return sum(float((a - b).abs().sum()) for (_, a), (_, b) in blocks) / x.n**2
    >>> x = np.random.default_rng(0).standard_normal((100, 5))
    >>> measure(x, 2 * x, "mean_cosine_gap") < 1e-6
    True
    """

    def add(compute: _F) -> _F:
        _MEASURES[name] = Measure(name, compute, invariant_to, kernel, values, source)
        return compute

    return add


def undefined(why: str) -> float:
    """NaN, with a warning that says why."""
    warnings.warn(f"{why}: the measure is NaN", RuntimeWarning, stacklevel=4)
    return float("nan")


def _check_options(chosen: Measure, gram: bool, options: dict[str, Any]) -> None:
    if gram and not chosen.kernel:
        raise ValueError(f"{chosen.name} needs responses, not Gram matrices: leave gram out")
    for option in options:
        if option not in chosen.options:
            known = ", ".join(chosen.options) or "none"
            raise ValueError(f"{chosen.name} has no option {option!r}; its options: {known}")


def _load() -> None:
    # By name: what registers a measure imports this module.
    for module in _MODULES:
        importlib.import_module(f".{module}", __package__)
