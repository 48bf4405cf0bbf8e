"""Two arrays of responses that are checked and scored."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from . import registry
from .crossvalidation import MIN_ROWS_PER_UNIT, check_folds
from .crossvalidation import folds as make_folds
from .fold_scores import BACKWARD, FORWARD, Direction, FoldScore
from .layer_pair import LayerPair
from .maps import check_ridge
from .moments import Center, check_center, common_grid
from .pair_scores import PreparedLayer, Setting, pair_moments, pair_scores
from .positions import Positions, check_positions
from .registry import Metric
from .ridge import Ridge

if TYPE_CHECKING:
    from .arrays import Device
    from .responses import Array, Responses

CLAIMED = ("linear", "procrustes", "permutation", "soft_matching")
# Pairs of units up to which a plan that matches them is made unasked: 200 MB of correlations.
MATCHED = 5_000**2


class FewRowsWarning(UserWarning):
    """A layer has fewer than ``MIN_ROWS_PER_UNIT`` training rows per unit."""


class ArrayPair:
    """Responses x and y to the same stimuli; the parameters are those of `api.score`.

    onto : responses of the same layers to the stimuli of another condition, where maps are scored
    """

    def __init__(
        self,
        x: Array,
        y: Array,
        *,
        onto: tuple[Array, Array] | None = None,
        n_folds: int = 5,
        folds: npt.ArrayLike | None = None,
        seed: int = 0,
        positions: Positions = "all",
        center: Center = "position",
        ridge: Ridge = "cv",
        device: Device | None = None,
    ):
        # Imported here: torch takes seconds to load, and scores of stored moments do without.
        from .responses import Responses, paired_responses

        check_positions(positions)
        check_center(center)
        self.x, self.y = paired_responses(x, y, positions)
        n = self.x.n
        self.fold_of = make_folds(n, n_folds, seed) if folds is None else check_folds(folds, n)
        check_ridge(ridge, self.fold_of.max() + 1)
        common_grid(self.x.grid, self.y.grid)
        scored: list[Responses | None] = [None, None]
        if onto is not None:
            labels = ("onto_x", "onto_y")
            scored = [Responses(a, b, positions) for a, b in zip(onto, labels, strict=True)]
        self._sides = PreparedLayer(self.x, scored[0]), PreparedLayer(self.y, scored[1])
        for side in self._sides:
            _check_onto(side)
        self._setting = Setting(self.fold_of, center, ridge, device)
        warn_of_few_rows([self.x, self.y], self.fold_of)

    def metrics(self, names: str | Sequence[str] | None) -> list[Metric]:
        """Metrics by name, by default the claims'; ValueError for what these widths do not allow.

        By default those are left out that need equal widths where they differ, or, with a
        warning, that match more units than ``MATCHED`` allows.
        """
        p, q = self.x.units, self.y.units
        if names is None:
            named, left_out = claimed(p, q)
            warn_of_left_out(left_out, p, q)
            return named
        named = registry.named(names)
        for metric in named:
            if metric.equal_widths and p != q:
                raise ValueError(
                    f"{metric.name} needs as many units on both sides, but x has {p} and y has "
                    f"{q}: use soft_matching instead"
                )
        return named

    def fold_scores(
        self,
        metrics: Sequence[Metric],
        *,
        directions: Sequence[Direction] = (FORWARD, BACKWARD),
        order: np.ndarray | None = None,
        keep_maps: bool = False,
    ) -> dict[str, list[FoldScore]]:
        """Fold scores of each metric, see `pair_scores.pair_scores`."""
        return pair_scores(
            metrics,
            *self._sides,
            self._setting,
            directions=directions,
            order=order,
            keep_maps=keep_maps,
        )

    def moments(self) -> LayerPair:
        """Second moments of x as source and y as target."""
        return pair_moments(*self._sides, self._setting)


def claimed(p: int, q: int) -> tuple[list[Metric], list[Metric]]:
    """The claims' metrics that layers of p and q units have, and those of them to be asked for.

    Those that need equal widths where they differ are in neither; those that match more units than
    ``MATCHED`` allows are in the second.
    """
    named = [registry.metric(name) for name in CLAIMED]
    named = [metric for metric in named if p == q or not metric.equal_widths]
    costly = [metric for metric in named if metric.plan is not None and p * q > MATCHED]
    return [metric for metric in named if metric not in costly], costly


def warn_of_left_out(metrics: Sequence[Metric], p: int, q: int, where: str = "") -> None:
    """Warn of metrics that are left out, of layers with p and q units, if there are any.

    where : which layers these are, with a space before it
    """
    if metrics:
        warnings.warn(
            f"{' and '.join(metric.name for metric in metrics)} left out{where}, which correlate "
            f"each of {p:,} units with each of {q:,}. To compute them anyway, name them in "
            f"`metrics`; each matrix takes {8 * p * q / 1e9:.1f} GB.",
            stacklevel=4,
        )


def warn_of_few_rows(layers: Sequence[Responses], fold_of: np.ndarray) -> None:
    """Warn if layers have fewer than ``MIN_ROWS_PER_UNIT`` training rows per unit."""
    stimuli = len(fold_of) - int(np.bincount(fold_of).max())
    few = []
    for layer in layers:
        rows = stimuli * layer.grid[0] * layer.grid[1]
        if rows < MIN_ROWS_PER_UNIT * layer.units:
            few.append(f"{layer.label} has {rows:,} training rows for {layer.units:,} units")
    if not few:
        return
    named = " and ".join(few[:2])
    if len(few) > 2:
        named += f" (two of {len(few):,} layers with few rows)"
    warnings.warn(
        f"{named}, fewer than {MIN_ROWS_PER_UNIT} rows (stimuli × positions) per unit: maps "
        "overfit, so that held-out scores are lower than with more stimuli, those of linear most "
        "of all, and cka is biased upwards; give more stimuli, or compare with permuted ones by "
        "permutation_test",
        FewRowsWarning,
        stacklevel=4,
    )


def _check_onto(side: PreparedLayer) -> None:
    fitted, scored = side.responses, side.onto
    if scored is None:
        return
    if (fitted.units, fitted.grid) != (scored.units, scored.grid):
        raise ValueError(
            f"{scored.label} has {scored.units} units on a {scored.grid} grid where "
            f"{fitted.label} has {fitted.units} on {fitted.grid}: pass the same layer's "
            "responses"
        )
    if fitted.n != scored.n:
        raise ValueError(
            f"{scored.label} has {scored.n} stimuli and {fitted.label} has {fitted.n}: "
            "pass the same images in the same order"
        )
