"""Scores from rows where units outnumber them: the same as from second moments, in less.

Linear and Procrustes maps fitted on training rows X, Y predict held-out responses by a matrix S
(held-out rows x training rows) that no target unit changes: Ŷ = S Y. With the principal axes
X = U diag(s) V' and held-out rows H on the axes V

- ridge: S = H diag(s/(s² + penalty)) U'
- Procrustes: S = H O diag(1/t) W', with Y = W diag(t) Z' and O the polar factor of
  diag(s) U'W diag(t); O is that of X'Y between the axes, as polar(V A Z') = V polar(A) Z'.

Units of the target stay as they are and are scored some at a time. Plans of matched units depend on
the axes of both sides, so that none is rotated: correlations are made from rows, a fold at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch

from .arrays import like, ratio, to_numpy
from .factors import polar
from .fold_scores import BACKWARD, Direction, FoldScore, fold_scores
from .layer_pair import deviations, warn_dead
from .moments import held_out, training, two_left_out
from .registry import Metric
from .ridge import RIDGE_GRID, Ridge, pearson, shrinkage, some_targets
from .rows import LayerRows

_PAIRS = 4096  # matched units that are correlated at once


class _Plan(NamedTuple):
    """Where a plan (p, q) is not zero, and what is there."""

    rows: np.ndarray
    columns: np.ndarray
    mass: np.ndarray


class RowPair:
    """Source x and target y, by their rows on the coarser of the two grids.

    Parameters
    ----------
    source, target : rows of the two layers, on one grid
    fold_of : int array, ``(n,)``
    orders : of source and target, int arrays ``(n,)``: stimulus i is replaced by ``order[i]`` of
        the same fold
    """

    def __init__(
        self,
        source: LayerRows,
        target: LayerRows,
        fold_of: np.ndarray,
        orders: tuple[np.ndarray, np.ndarray],
    ):
        self.source, self.target = source, target
        self.fold_of, self.orders = fold_of, orders
        self.n_folds = int(fold_of.max()) + 1
        self._elsewhere = len(source.moments) > 1  # scored on other stimuli
        fitted, left_out = training(self.n_folds), held_out(self.n_folds)
        center, grid, own = source.center, source.grid, target.own_grid
        self.live_x = source.fitted.live(grid, center, fitted)
        self.live_x = self.live_x & source.scored.live(grid, center, left_out)
        self.live_y = target.fitted.live(own, center, fitted)
        self.live_y = self.live_y & target.scored.live(own, center, left_out)

    def reversed(self) -> RowPair:
        """The pair with y as source and x as target."""
        return RowPair(self.target, self.source, self.fold_of, self.orders[::-1])

    @property
    def same_grid(self) -> bool:
        return self.source.own_grid == self.target.own_grid

    @property
    def scored(self) -> np.ndarray:
        """(K,) mask of the folds where units of both sides are live."""
        return to_numpy(self.live_x.any(1) & self.live_y.any(1))

    @property
    def scored_folds(self) -> list[int]:
        return np.flatnonzero(self.scored).tolist()

    def without(self, *folds: int) -> np.ndarray:
        """Stimuli of the other folds."""
        return np.flatnonzero(~np.isin(self.fold_of, folds))

    def of(self, fold: int) -> np.ndarray:
        """Stimuli of a fold."""
        return np.flatnonzero(self.fold_of == fold)

    def left_out(self, fold: int) -> tuple[np.ndarray, np.ndarray]:
        """Of source and target: stimuli that maps fitted without the fold are scored on."""
        stimuli = self.of(fold)
        if self._elsewhere:
            moved = stimuli + len(self.fold_of)
            return moved, moved
        return self.orders[0][stimuli], self.orders[1][stimuli]

    def no_smoother(self) -> torch.Tensor:
        """S (scored rows, fitted rows) of all folds, in the target's order: zeros to `fill`."""
        n_rows = len(self.fold_of) * self.target.positions
        return torch.zeros(n_rows, n_rows, dtype=torch.float64, device=self.live_y.device)

    def fill(self, smoother: torch.Tensor, fold: int, of_fold: torch.Tensor) -> None:
        """Put in the S of a fold."""
        n, positions = len(self.fold_of), self.target.positions
        folded = smoother.view(n, positions, n, positions)
        scored, fitted = self.orders[1][self.of(fold)], self.orders[1][self.without(fold)]
        shaped = of_fold.view(len(scored), positions, len(fitted), positions)
        rows = smoother.new_zeros(len(scored), positions, n, positions)
        rows[:, :, fitted] = shaped
        folded[scored] = rows


def by_rows(metric: Metric) -> bool:
    """Whether a metric can be scored by rows."""
    return metric.plan is not None or metric.name in _SMOOTHERS


def evaluate_rows(
    metric: Metric, forward: RowPair, *, ridge: Ridge, directions: Sequence[Direction]
) -> list[FoldScore]:
    """Fold scores as those of `evaluate.evaluate`; fits are not kept."""
    scores: list[FoldScore] = []
    plans: list[_Plan | None] = []
    for direction in directions:
        pair = forward.reversed() if direction == BACKWARD else forward
        for fold in np.flatnonzero(~pair.scored).tolist():
            warn_dead(pair.source.label, pair.target.label, fold, pair.live_x[fold])
        if metric.plan is None:
            values = _predicted(pair, _SMOOTHERS[metric.name](pair, ridge))
        else:
            if plans and metric.symmetric and pair.same_grid:
                plans = [plan and _Plan(plan.columns, plan.rows, plan.mass) for plan in plans]
            else:
                plans = _plans(pair, metric.plan)
            values = np.array([_matched(pair, fold, plan) for fold, plan in enumerate(plans)])
        scores += fold_scores(direction, values, pair.live_x, pair.live_y, None)
    return scores


def _linear(pair: RowPair, ridge: Ridge) -> torch.Tensor:
    if isinstance(ridge, str):
        strengths = RIDGE_GRID[_chosen_ridge(pair)]
    else:
        strengths = np.full(pair.n_folds, float(ridge))
    smoother = pair.no_smoother()
    for fold in pair.scored_folds:
        live, fitted = pair.live_x[fold], pair.without(fold)
        axes = pair.source.axes(live, fitted)
        weights = axes.singular * shrinkage(axes.singular**2, float(strengths[fold]), live)
        held = pair.source.projected(axes, pair.left_out(fold)[0])
        pair.fill(smoother, fold, (held * weights) @ axes.fitted(pair.orders[0][fitted]).T)
    return smoother


def _procrustes(pair: RowPair, _: Ridge) -> torch.Tensor:
    smoother = pair.no_smoother()
    for fold in pair.scored_folds:
        live_x, live_y, fitted = pair.live_x[fold], pair.live_y[fold], pair.without(fold)
        x, y = pair.source.axes(live_x, fitted), pair.target.axes(live_y, fitted)
        left_x, left_y = x.fitted(pair.orders[0][fitted]), y.fitted(pair.orders[1][fitted])
        turn = polar(x.singular[:, None] * (left_x.T @ left_y) * y.singular)
        held = pair.source.projected(x, pair.left_out(fold)[0])
        pair.fill(smoother, fold, held @ (turn / y.singular) @ left_y.T)
    return smoother


_SMOOTHERS: dict[str, Callable[[RowPair, Ridge], torch.Tensor]] = {
    "linear": _linear,
    "procrustes": _procrustes,
}


def _predicted(pair: RowPair, smoother: torch.Tensor) -> np.ndarray:
    """(K,) mean held-out r over live target units, of the predictions S Y.

    The columns of U, and the held-out H, are centred: Y need not be, within a fold.
    """
    target, positions = pair.target, pair.target.positions
    variances = target.scored.variances(target.own_grid, target.center, held_out(pair.n_folds))
    folds = like(pair.fold_of == np.arange(pair.n_folds)[:, None], variances)
    folds = folds[:, np.argsort(pair.orders[1])].repeat_interleave(positions, dim=1)
    live = pair.live_y.double()
    totals = torch.zeros(pair.n_folds, dtype=torch.float64, device=variances.device)
    for units in target.blocks():
        rows = target.shifted(units).flatten(0, 1)
        predicted = smoother @ rows[: smoother.shape[1]]
        covariance = folds @ (predicted * rows[-len(smoother) :]) / positions
        variance = folds @ predicted.square_() / positions
        totals += (pearson(covariance, variance, variances[:, units]) * live[:, units]).sum(1)
    means = to_numpy(ratio(totals, live.sum(1), float("nan")))
    return np.where(pair.scored, means, np.nan)


def _chosen_ridge(pair: RowPair) -> np.ndarray:
    """Index in ``RIDGE_GRID`` of the λ of each split, as `ridge.chosen_ridge` has it."""
    source, target = pair.source, pair.target
    live_x = pair.live_x & source.fitted.inner_live(source.grid, source.center)
    live_y = pair.live_y & target.fitted.inner_live(target.own_grid, target.center)
    alike: dict[tuple[bytes, bytes], list[int]] = {}
    for outer in range(pair.n_folds):
        masks = to_numpy(live_x[outer]).tobytes(), to_numpy(live_y[outer]).tobytes()
        alike.setdefault(masks, []).append(outer)
    scores = np.zeros((pair.n_folds, len(RIDGE_GRID)))
    for folds in alike.values():
        scores[folds] = _inner_scores(pair, live_x[folds[0]], live_y[folds[0]], folds)
    return scores.argmax(1)


def _inner_scores(
    pair: RowPair, live_x: torch.Tensor, live_y: torch.Tensor, folds: Sequence[int]
) -> np.ndarray:
    """(len(folds), len(RIDGE_GRID)) as `ridge.inner_scores`, in float64 throughout.

    folds : outer ones, in which these units are live
    """
    scores = np.zeros((pair.n_folds, len(RIDGE_GRID)))
    if not (live_x.any() and live_y.any()):
        return scores[folds]
    source, target, positions = pair.source, pair.target, pair.target.positions
    targets = torch.as_tensor(some_targets(live_y), device=live_y.device)
    responses = target.block(targets)[pair.orders[1]]
    alone = held_out(pair.n_folds)
    variances = target.fitted.variances(target.own_grid, target.center, alone)[:, targets]
    for j, k in two_left_out(pair.n_folds)[0]:
        if j not in folds and k not in folds:
            continue
        fitted = pair.without(j, k)
        axes = source.axes(live_x, fitted)
        of_training = axes.fitted(pair.orders[0][fitted]).T @ target.centred(responses[fitted])
        shrunk = [shrinkage(axes.singular**2, float(ridge), live_x) for ridge in RIDGE_GRID]
        weights = (axes.singular * torch.stack(shrunk))[:, :, None] * of_training
        for outer, inner in ((k, j), (j, k)):
            stimuli = pair.of(inner)
            predicted = source.projected(axes, pair.orders[0][stimuli]) @ weights
            actual = target.centred(responses[stimuli])
            covariance = (predicted * actual).sum(1) / positions
            variance = (predicted**2).sum(1) / positions
            r = pearson(covariance, variance, variances[inner])
            scores[outer] += to_numpy(r.mean(1))
    return scores[folds]


def _plans(pair: RowPair, plan: Callable[[np.ndarray], np.ndarray]) -> list[_Plan | None]:
    """Plans by the training correlations of each fold."""
    plans: list[_Plan | None] = []
    sets = training(pair.n_folds)
    for fold, scored in enumerate(pair.scored):
        if not scored:
            plans.append(None)
            continue
        fitted = pair.without(fold)
        x, y = (
            side.centred(side.block(slice(None))[order[fitted]])
            * deviations(side.fitted.variances(grid, side.center, sets)[fold], live[fold])
            for side, order, grid, live in (
                (pair.source, pair.orders[0], pair.source.grid, pair.live_x),
                (pair.target, pair.orders[1], pair.target.own_grid, pair.live_y),
            )
        )
        correlation = to_numpy((x.T @ y).div_(pair.source.positions))
        del x, y
        found = plan(correlation)
        rows, columns = found.nonzero()
        plans.append(_Plan(rows, columns, found[rows, columns]))
    return plans


def _matched(pair: RowPair, fold: int, plan: _Plan | None) -> float:
    """Mean held-out r under a plan, over its mass on live targets; NaN if there is none."""
    if plan is None:
        return float("nan")
    source, target = pair.source, pair.target
    sets = held_out(pair.n_folds)
    variances_x = source.scored.variances(source.grid, source.center, sets)[fold]
    variances_y = target.scored.variances(target.own_grid, target.center, sets)[fold]
    scale_x = deviations(variances_x, pair.live_x[fold])
    scale_y = deviations(variances_y, pair.live_y[fold])
    stimuli_x, stimuli_y = pair.left_out(fold)
    total = mass = 0.0
    for start in range(0, len(plan.mass), _PAIRS):
        some = slice(start, start + _PAIRS)
        i, j = (
            torch.as_tensor(units[some], device=scale_x.device)
            for units in (plan.rows, plan.columns)
        )
        x = source.centred(source.block(i)[stimuli_x])
        y = target.centred(target.block(j)[stimuli_y])
        r = (x * y).sum(0) / source.positions * scale_x[i] * scale_y[j]
        weights = like(plan.mass[some], r)
        total += float((weights * r).sum())
        mass += float((weights * pair.live_y[fold][j]).sum())
    return total / mass if mass > 0 else float("nan")
