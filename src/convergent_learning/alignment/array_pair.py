"""Two arrays of responses, checked, and scored by whichever way takes less.

Second moments serve any number of stimuli. Where units outnumber rows, `row_scores` gives the same
numbers from the rows themselves.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from . import registry
from .arrays import WIDE
from .crossvalidation import MIN_ROWS_PER_UNIT, check_folds
from .crossvalidation import folds as make_folds
from .evaluate import evaluate
from .fold_scores import BACKWARD, FORWARD, Direction, FoldScore
from .layer_pair import LayerPair, paired
from .maps import check_ridge
from .moments import Center, LayerMoments, check_center, common_grid
from .positions import Positions, check_positions
from .registry import Metric
from .ridge import Ridge

if TYPE_CHECKING:
    from .accumulate import Device
    from .responses import Array, Responses
    from .rows import LayerRows

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
        self.seed, self.center, self.ridge, self._device = seed, center, ridge, device
        self._grid = common_grid(self.x.grid, self.y.grid)
        self.onto: tuple[Responses, Responses] | None = None
        if onto is not None:
            labels = ("onto_x", "onto_y")
            scored = [Responses(a, b, positions) for a, b in zip(onto, labels, strict=True)]
            self.onto = scored[0], scored[1]
            self._check_onto()
        self._own: tuple[LayerMoments, LayerMoments] | None = None
        self._rows: tuple[LayerRows, LayerRows] | None = None
        self._warn_of_few_rows()

    @property
    def wide(self) -> bool:
        """Whether units outnumber rows, and are so many that it matters."""
        widest = max(self.x.units, self.y.units)
        return widest >= WIDE and widest > self.x.n * self._grid[0] * self._grid[1]

    def metrics(self, names: str | Sequence[str] | None) -> list[Metric]:
        """Metrics by name, by default the claims'; ValueError for what these widths do not allow.

        By default those are left out that need equal widths where they differ, or, with a
        warning, that match more units than ``MATCHED`` allows.
        """
        p, q = self.x.units, self.y.units
        if names is None:
            named = [registry.metric(name) for name in CLAIMED]
            named = [metric for metric in named if p == q or not metric.equal_widths]
            matching = [metric.name for metric in named if metric.plan is not None]
            if p * q > MATCHED and matching:
                warnings.warn(
                    f"{' and '.join(matching)} left out, which correlate each of {p:,} units with "
                    f"each of {q:,}: name them in `metrics` if {8 * p * q / 1e9:.1f} GB a matrix "
                    "and the time to match them are there",
                    stacklevel=4,
                )
                named = [metric for metric in named if metric.name not in matching]
            return named
        if isinstance(names, str):
            names = [names]
        if not names:
            raise ValueError(f"metrics is empty: name some of {', '.join(registry.metrics())}")
        named = [registry.metric(name) for name in names]
        for metric in named:
            if metric.equal_widths and p != q:
                raise ValueError(
                    f"{metric.name} needs as many units on both sides, but x has {p} and y has "
                    f"{q}: leave it out, or use soft_matching"
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
        """Fold scores of each metric, folds within directions.

        order : int array ``(n,)``, optional
            Stimulus i of y is replaced by ``order[i]``, of the same fold.
        keep_maps : whether fits are returned, which rows do not make
        """
        found: dict[str, list[FoldScore]] = {}
        if self.wide and not keep_maps:
            from .row_scores import RowPair, by_rows, evaluate_rows

            as_they_are = np.arange(self.x.n)
            orders = (as_they_are, as_they_are if order is None else order)
            pair = RowPair(*self._as_rows(), self.fold_of, orders)
            found = {
                metric.name: evaluate_rows(metric, pair, ridge=self.ridge, directions=directions)
                for metric in metrics
                if by_rows(metric)
            }
        rest = [metric for metric in metrics if metric.name not in found]
        if rest:
            forward = self.moments(order)
            scored_on = None if self.onto is None else self._moments_of(*self.onto)
            for metric in rest:
                found[metric.name] = evaluate(
                    metric, forward, scored_on, ridge=self.ridge, directions=directions
                )
        return {metric.name: found[metric.name] for metric in metrics}

    def moments(self, order: np.ndarray | None = None) -> LayerPair:
        """Second moments of x as source and y as target, its stimuli in an order within folds.

        Own moments do not depend on the order, and are made once.
        """
        return self._moments_of(self.x, self.y, order)

    def _moments_of(self, x: Responses, y: Responses, order: np.ndarray | None = None) -> LayerPair:
        from .accumulate import accumulate

        mine = x is self.x
        known = self._own if mine else None
        own, cross, null = accumulate(
            {"x": [x], "y": [y]},
            self.fold_of,
            [("x", "y")],
            own=None if known is None else (),
            learned=order is None,
            shuffles=None if order is None else {"y": order},
            device=self._device,
        )
        sides = known or (own["x"][0], own["y"][0])
        if mine:
            self._own = sides
        products = (cross if order is None else null)["x", "y"][0, 0]
        return paired(*sides, products, self.center)

    def _as_rows(self) -> tuple[LayerRows, LayerRows]:
        import torch

        from .rows import LayerRows

        if self._rows is None:
            device = torch.device(self._device or self.x.device)
            x, y = [self.x], [self.y]
            if self.onto is not None:
                x.append(self.onto[0])
                y.append(self.onto[1])
            how = (self._grid, self.fold_of, self.center, device)
            self._rows = LayerRows(x, *how), LayerRows(y, *how)
        return self._rows

    def _check_onto(self) -> None:
        assert self.onto is not None
        for fitted, scored in zip((self.x, self.y), self.onto, strict=True):
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

    def _warn_of_few_rows(self) -> None:
        stimuli = self.x.n - int(np.bincount(self.fold_of).max())
        few = []
        for side in (self.x, self.y):
            rows = stimuli * side.grid[0] * side.grid[1]
            if rows < MIN_ROWS_PER_UNIT * side.units:
                few.append(f"{side.label} has {rows:,} training rows for {side.units:,} units")
        if few:
            warnings.warn(
                f"{' and '.join(few)}, fewer than {MIN_ROWS_PER_UNIT} rows (stimuli × positions) "
                "per unit: maps overfit and even unrelated layers may seem aligned, so give more "
                "stimuli, or calibrate the score with permutation_test",
                FewRowsWarning,
                stacklevel=4,
            )
