"""Fold scores of two layers by whichever way takes less.

Second moments serve any number of stimuli. Where units outnumber rows, `row_scores` gives the same
numbers from the rows themselves. What is made of a layer alone is kept for its next partner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .arrays import WIDE
from .evaluate import evaluate
from .fold_scores import BACKWARD, FORWARD, Direction, FoldScore
from .layer_pair import LayerPair, paired
from .moments import Center, Grid, LayerMoments, common_grid
from .registry import Metric
from .ridge import Ridge

if TYPE_CHECKING:
    import torch

    from .arrays import Device
    from .responses import Responses
    from .rows import LayerRows


@dataclass(frozen=True, eq=False)
class Setting:
    """How layers are compared.

    fold_of : int array ``(n,)``
    center, ridge, device : see `api.score`
    """

    fold_of: np.ndarray
    center: Center
    ridge: Ridge
    device: Device | None


class PreparedLayer:
    """Responses of a layer, and what is made of them alone in one `Setting`.

    moments : of its own, once they are made; how they are rounded depends on grid and dtype of the
        partner
    onto : responses to the stimuli of another condition, where maps are scored
    """

    def __init__(self, responses: Responses, onto: Responses | None = None):
        self.responses, self.onto = responses, onto
        self.moments: LayerMoments | None = None
        self._rows: dict[tuple[Grid, torch.device], LayerRows] = {}

    def forget(self) -> None:
        """Free what was made."""
        self.moments = None
        self._rows.clear()

    def rows(self, grid: Grid, device: torch.device, setting: Setting) -> LayerRows:
        """Rows on the coarser of the layer's and its partner's grid."""
        from .rows import LayerRows

        if (grid, device) not in self._rows:
            parts = [self.responses] if self.onto is None else [self.responses, self.onto]
            self._rows[grid, device] = LayerRows(
                parts, grid, setting.fold_of, setting.center, device
            )
        return self._rows[grid, device]


def is_wide(x: Responses, y: Responses) -> bool:
    """Whether units outnumber rows, and are so many that it matters."""
    rows, columns = common_grid(x.grid, y.grid)
    widest = max(x.units, y.units)
    return widest >= WIDE and widest > x.n * rows * columns


def from_rows(metrics: Sequence[Metric], x: Responses, y: Responses) -> list[Metric]:
    """Those of `metrics` that a pair of layers is scored under by rows."""
    if not is_wide(x, y):
        return []
    # Imported here: torch takes seconds to load, and scores of stored moments do without.
    from .row_scores import by_rows

    return [metric for metric in metrics if by_rows(metric)]


def pair_scores(
    metrics: Sequence[Metric],
    x: PreparedLayer,
    y: PreparedLayer,
    setting: Setting,
    *,
    directions: Sequence[Direction] = (FORWARD, BACKWARD),
    order: np.ndarray | None = None,
    keep_maps: bool = False,
) -> dict[str, list[FoldScore]]:
    """Fold scores of each metric, folds within directions.

    Parameters
    ----------
    order : int array ``(n,)``, optional
        Stimulus i of y is replaced by ``order[i]``, of the same fold.
    keep_maps : whether fits are returned, which rows do not make
    """
    found: dict[str, list[FoldScore]] = {}
    chosen = [] if keep_maps else from_rows(metrics, x.responses, y.responses)
    if chosen:
        import torch

        from .row_scores import RowPair, evaluate_rows

        grid = common_grid(x.responses.grid, y.responses.grid)
        device = torch.device(setting.device or x.responses.device)
        as_they_are = np.arange(x.responses.n)
        pair = RowPair(
            x.rows(grid, device, setting),
            y.rows(grid, device, setting),
            setting.fold_of,
            (as_they_are, as_they_are if order is None else order),
        )
        found = {
            metric.name: evaluate_rows(metric, pair, ridge=setting.ridge, directions=directions)
            for metric in chosen
        }
    rest = [metric for metric in metrics if metric.name not in found]
    if rest:
        forward = pair_moments(x, y, setting, order)
        scored_on = None
        if x.onto is not None and y.onto is not None:
            scored_on = pair_moments(PreparedLayer(x.onto), PreparedLayer(y.onto), setting)
        for metric in rest:
            found[metric.name] = evaluate(
                metric, forward, scored_on, ridge=setting.ridge, directions=directions
            )
    return {metric.name: found[metric.name] for metric in metrics}


def pair_moments(
    x: PreparedLayer, y: PreparedLayer, setting: Setting, order: np.ndarray | None = None
) -> LayerPair:
    """Second moments of x as source and y as target, its stimuli in an order within folds."""
    from .accumulate import accumulate

    sides = {"x": x, "y": y}
    own, cross, null = accumulate(
        {name: [side.responses] for name, side in sides.items()},
        setting.fold_of,
        [("x", "y")],
        own=[name for name, side in sides.items() if side.moments is None],
        learned=order is None,
        shuffles=None if order is None else {"y": order},
        device=setting.device,
    )
    for name, [moments] in own.items():
        sides[name].moments = moments
    assert x.moments is not None
    assert y.moments is not None
    products = (cross if order is None else null)["x", "y"][0, 0]
    return paired(x.moments, y.moments, products, setting.center)
