"""Plans of many splits at once: metrics whose plan follows from correlations alone.

Correlations of all folds, or of all folds of many rotations of the source, are made in a few
products; only the plans themselves are found one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from .fold_scores import BACKWARD, FORWARD, Direction, FoldScore, fold_score
from .layer_pair import LayerPair
from .moments import Folds, live_floor
from .registry import Metric
from .rotation import CHUNK, Rotations


def plan_scores(
    metric: Metric,
    forward: LayerPair,
    scored_on: LayerPair | None = None,
    directions: Sequence[Direction] = (FORWARD, BACKWARD),
) -> list[FoldScore]:
    """What `evaluate` gives, for a metric with a `plan`."""
    scores: list[FoldScore] = []
    shared = metric.symmetric and forward.same_grid and len(directions) == 2
    splits = None
    for direction in directions:
        if splits is not None and shared:
            splits = splits.transposed()
        else:
            flip = direction == BACKWARD
            pair = forward.reversed() if flip else forward
            target = scored_on.reversed() if flip and scored_on is not None else scored_on
            splits = _Splits.of(metric, pair, direction, target)
        scores += splits.scores(direction)
    return scores


def rotated_plan_scores(
    metric: Metric, pair: LayerPair, rotations: Rotations
) -> Iterator[list[FoldScore]]:
    """The directed fold scores of each rotation of the source, for a metric with a `plan`."""
    assert metric.plan is not None
    sets = _sets(pair)
    n_folds = len(pair.folds)
    products = pair.xy_each(sets)
    variance_x = rotations.variances(pair.source, pair.grid, pair.center, sets)
    live_x = variance_x > live_floor(variance_x)
    live_x = live_x[:, :n_folds] & live_x[:, n_folds:]
    variance_y, live_y = _target_side(pair, pair, sets)
    scale_y = _scale(variance_y, np.concatenate([live_y, live_y]))
    width, units = products.shape[1:]
    flat = np.ascontiguousarray(products.transpose(1, 0, 2)).reshape(width, -1)
    size = max(1, CHUNK // (8 * flat.size))
    for start in range(0, len(rotations.matrices), size):
        turned = np.matmul(rotations.transposed[start : start + size], flat)
        turned = turned.reshape(-1, width, len(sets), units)
        for draw, correlation in enumerate(turned, start):
            both = np.concatenate([live_x[draw], live_x[draw]])
            correlation *= _scale(variance_x[draw], both).T[:, :, None]
            correlation *= scale_y
            scores = []
            for fold in pair.folds:
                x, y = live_x[draw, fold], live_y[fold]
                plan, value = None, np.nan
                if x.any() and y.any():
                    plan = metric.plan(correlation[:, fold])
                    value = _score(plan, correlation[:, n_folds + fold], y)
                scores.append(fold_score(FORWARD, fold, value, x, y, None))
            yield scores


class _Splits:
    """Plans of all folds with the held-out correlations that they are scored by."""

    def __init__(
        self,
        pair: LayerPair,
        plans: list[np.ndarray | None],
        held_out: np.ndarray,
        live_x: np.ndarray,
        live_y: np.ndarray,
    ):
        self.pair, self.plans, self.held_out = pair, plans, held_out
        self.live_x, self.live_y = live_x, live_y

    @classmethod
    def of(
        cls, metric: Metric, pair: LayerPair, direction: Direction, scored_on: LayerPair | None
    ) -> _Splits:
        assert metric.plan is not None
        scored = pair if scored_on is None else scored_on
        sets, n_folds = _sets(pair), len(pair.folds)
        training, held_out = sets[:n_folds], sets[n_folds:]
        variance_x = np.stack(
            [pair.variance_x(s) for s in training] + [scored.variance_x(s) for s in held_out]
        )
        live_x = np.stack([pair.live_x(s) for s in training])
        live_x &= np.stack([scored.live_x(s) for s in held_out])
        variance_y, live_y = _target_side(pair, scored, sets)
        x = _scale(variance_x, np.concatenate([live_x, live_x]))[:, :, None]
        y = _scale(variance_y, np.concatenate([live_y, live_y]))[:, None]
        correlation = pair.kept(
            ("correlations", live_x.tobytes(), live_y.tobytes()),
            lambda: pair.xy_each(training) * x[:n_folds] * y[:n_folds],
        )
        plans = [
            pair.kept(
                ("plan", metric.name, fold, live_x[fold].tobytes(), live_y[fold].tobytes()),
                lambda fold=fold: metric.plan(correlation[fold]),  # type: ignore[misc]
            )
            if live_x[fold].any() and live_y[fold].any()
            else None
            for fold in pair.folds
        ]
        return cls(
            pair,
            plans,
            scored.xy_each(held_out) * x[n_folds:] * y[n_folds:],
            live_x,
            live_y,
        )

    def transposed(self) -> _Splits:
        """Those of the other direction, for plans that are transposes of each other."""
        return _Splits(
            self.pair.reversed(),
            [None if plan is None else plan.T for plan in self.plans],
            self.held_out.transpose(0, 2, 1),
            self.live_y,
            self.live_x,
        )

    def scores(self, direction: Direction) -> list[FoldScore]:
        found = []
        for fold, plan in enumerate(self.plans):
            x, y = self.live_x[fold], self.live_y[fold]
            if plan is None:
                self.pair.warn_dead(fold, x)
                value = np.nan
            else:
                value = _score(plan, self.held_out[fold], y)
            found.append(fold_score(direction, fold, value, x, y, plan))
        return found


def _sets(pair: LayerPair) -> list[Folds]:
    """Training folds of each split, then the held-out folds."""
    training = [tuple(k for k in pair.folds if k != fold) for fold in pair.folds]
    return [*training, *((fold,) for fold in pair.folds)]


def _target_side(
    pair: LayerPair, scored: LayerPair, sets: Sequence[Folds]
) -> tuple[np.ndarray, np.ndarray]:
    """Variances of the target in all sets, and its units that are live in both of a split."""
    n_folds = len(pair.folds)
    training, held_out = sets[:n_folds], sets[n_folds:]
    variance = [pair.variance_y(s) for s in training] + [scored.variance_y(s) for s in held_out]
    live_y = np.stack([pair.live_y(s) for s in training])
    return np.stack(variance), live_y & np.stack([scored.live_y(s) for s in held_out])


def _scale(variance: np.ndarray, live: np.ndarray) -> np.ndarray:
    """1/deviation, and 0 of dead units."""
    return 1 / np.sqrt(np.where(live, variance, np.inf))


def _score(plan: np.ndarray, correlation: np.ndarray, live_y: np.ndarray) -> float:
    """Mean correlation under the plan, over its mass on live targets."""
    return float((plan * correlation).sum() / plan[:, live_y].sum())
