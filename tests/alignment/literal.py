"""The definitions of docs/methods.md written out row by row: loops over folds and units.

Slow and plain on purpose; the engine must agree with it. The benchmark times against it too.
"""

from __future__ import annotations

import numpy as np
import ot
from scipy.linalg import orthogonal_procrustes
from scipy.optimize import linear_sum_assignment
from scipy.stats import pearsonr
from sklearn.linear_model import Ridge

RIDGES = [10.0**k for k in range(-6, 3)]
DEAD = 1e-9


def directed(x, y, metric, fold_of, center="position", ridge="cv", onto=None):
    """Fold scores of x (n, h, w, p) mapped onto y (n, h, w, q); (n, p) is a 1 x 1 grid.

    onto : (x, y) of another condition: scored there.
    """
    x, y = _grid(x), _grid(y)
    scored = (x, y) if onto is None else (_grid(onto[0]), _grid(onto[1]))
    x, scored = _onto_grid(x, y), (_onto_grid(scored[0], scored[1]), scored[1])
    scores = []
    for fold in range(fold_of.max() + 1):
        train, held = fold_of != fold, fold_of == fold
        x_train, y_train = _centred(x[train], center), _centred(y[train], center)
        x_held, y_held = _centred(scored[0][held], center), _centred(scored[1][held], center)
        live_x = _live(x_train) & _live(x_held)
        live_y = _live(y_train) & _live(y_held)
        if not (live_x.any() and live_y.any()):
            scores.append(np.nan)
        elif metric in ("permutation", "soft_matching"):
            plan = _plan(x_train, y_train, live_x, live_y, metric)
            r = _correlations(x_held, y_held, live_x, live_y)
            scores.append((plan * r)[:, live_y].sum() / plan[:, live_y].sum())
        else:
            x_fit, y_fit = x_train[:, live_x], y_train[:, live_y]
            if metric == "linear":
                best = ridge
                if ridge == "cv":
                    best = _best_ridge(x, y, train, fold_of, center, live_x, live_y)
                predicted = _linear(x_fit, y_fit, best)(x_held[:, live_x])
            else:
                predicted = x_held[:, live_x] @ _procrustes(x_fit, y_fit)
            scores.append(_mean_r(predicted, y_held[:, live_y]))
    return np.array(scores)


def _grid(activations):
    activations = np.asarray(activations, dtype=np.float64)
    if activations.ndim == 2:
        return activations[:, None, None, :]
    return activations.transpose(0, 2, 3, 1)


def _onto_grid(source, target):
    """A coarser source repeated over its cells, a finer one averaged over the target's."""
    for axis in (1, 2):
        have, want = source.shape[axis], target.shape[axis]
        if have < want:
            source = np.repeat(source, want // have, axis=axis)
        elif have > want:
            pieces = np.split(source, want, axis=axis)
            source = np.concatenate([p.mean(axis, keepdims=True) for p in pieces], axis=axis)
    return source


def _centred(maps, center):
    """Rows (stimuli x positions, units), centred per position or per unit."""
    axes = 0 if center == "position" else (0, 1, 2)
    return (maps - maps.mean(axes, keepdims=True)).reshape(-1, maps.shape[-1])


def _live(rows):
    variance = (rows**2).sum(0)
    return variance > DEAD * variance.max() if variance.max() > 0 else variance > 0


def _linear(x, y, ridge):
    penalty = ridge * (x**2).sum() / x.shape[1]
    return Ridge(alpha=penalty, fit_intercept=False, solver="svd").fit(x, y).predict


def _best_ridge(x, y, train, fold_of, center, live_x, live_y):
    splits = []
    for fold in np.unique(fold_of[train]):
        fit, held = train & (fold_of != fold), fold_of == fold
        split = [_centred(a[b], center) for a in (x, y) for b in (fit, held)]
        live_x = live_x & _live(split[0]) & _live(split[1])
        live_y = live_y & _live(split[2]) & _live(split[3])
        splits.append(split)
    scores = []
    for ridge in RIDGES:
        folds = []
        for x_fit, x_held, y_fit, y_held in splits:
            predict = _linear(x_fit[:, live_x], y_fit[:, live_y], ridge)
            folds.append(_mean_r(np.atleast_2d(predict(x_held[:, live_x])), y_held[:, live_y]))
        scores.append(np.mean(folds))
    return RIDGES[int(np.argmax(scores))]


def _procrustes(x, y):
    p, q = x.shape[1], y.shape[1]
    width = max(p, q)
    x = np.pad(x, ((0, 0), (0, width - p)))
    y = np.pad(y, ((0, 0), (0, width - q)))
    return orthogonal_procrustes(x, y)[0][:p, :q]


def _plan(x, y, live_x, live_y, metric):
    r = _correlations(x, y, live_x, live_y)
    p, q = r.shape
    if metric == "permutation":
        plan = np.zeros((p, q))
        plan[linear_sum_assignment(r, maximize=True)] = 1 / p
        return plan
    return ot.emd(np.full(p, 1 / p), np.full(q, 1 / q), 1 - r)


def _correlations(x, y, live_x, live_y):
    """Pearson r of each pair of columns; 0 where either unit is dead."""
    r = np.zeros((x.shape[1], y.shape[1]))
    x, y = x[:, live_x], y[:, live_y]
    norms = np.linalg.norm(x, axis=0)[:, None] * np.linalg.norm(y, axis=0)
    r[np.ix_(live_x, live_y)] = x.T @ y / norms
    return r


def _mean_r(predicted, actual):
    predicted = predicted.reshape(actual.shape)
    return np.mean([pearsonr(predicted[:, j], actual[:, j])[0] for j in range(actual.shape[1])])
