"""Many networks at a Python prompt: arrays in, a tidy table and figures of all pairs out."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import pandas as pd

from .alignment import registry
from .alignment.activation_reader import depths as ranks
from .alignment.all_pairs import NamedLayer, ScoredPair, layers_compared, scored_pairs
from .alignment.array_pair import CLAIMED, claimed, warn_of_few_rows, warn_of_left_out
from .alignment.crossvalidation import check_folds
from .alignment.crossvalidation import folds as make_folds
from .alignment.maps import check_ridge
from .alignment.moments import Center, check_center
from .alignment.pair_scores import Setting
from .alignment.positions import Positions, check_positions
from .alignment.registry import Metric
from .alignment.ridge import Ridge

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from .alignment.arrays import Device
    from .alignment.responses import Array

COLUMNS = (
    "network_x",
    "layer_x",
    "depth_x",
    "network_y",
    "layer_y",
    "depth_y",
    "metric",
    "direction",
    "score",
    "n_dead_x",
    "n_dead_y",
)
DEFAULT_MEMORY = 2 << 30


class Comparison(pd.DataFrame):
    """Scores of all pairs of networks and layers: a DataFrame that can be drawn.

    Columns: network_x, layer_x, depth_x, network_y, layer_y, depth_y, metric, direction (``x->y``:
    x is mapped onto y), score (mean over folds), n_dead_x, n_dead_y (units left out as dead, in the
    worst fold). Networks and layers are in the order of what `compare` was given; rows that are
    selected from it can be drawn too.
    """

    @property
    def _constructor(self) -> type[Comparison]:
        return Comparison

    def heatmap(self, metric: str | None = None, pair: tuple[str, str] | None = None) -> Figure:
        """Layer × layer maps in the manner of figure 4.

        Parameters
        ----------
        metric : str, optional
            The metric that is drawn. Default: every metric for two networks; for more, whose
            directed pairs are all drawn, Procrustes, or else the first metric.
        pair : (str, str), optional
            Draw these two networks only.

        Returns
        -------
        Figure
            At print size.

        Examples
        --------
        >>> import numpy as np
        >>> from convergent_learning.compare import compare
        >>> x, y = np.random.default_rng(0).standard_normal((2, 60, 4))
        >>> networks = {"mine": {"conv": x, "fc": y}, "theirs": {"conv": x, "fc": y}}
        >>> compare(networks, metrics="procrustes").heatmap().savefig("heatmap.png")
        """
        with _matplotlib_asked_for():
            from .figures.compared_heatmap import heatmap
        return heatmap(self, metric, pair)

    def depth_plot(self) -> Figure:
        """Scores across depth in the manner of figure 2, each layer with the one nearest in depth.

        Returns
        -------
        Figure
            At print size.

        Examples
        --------
        >>> import numpy as np
        >>> from convergent_learning.compare import compare
        >>> x, y = np.random.default_rng(0).standard_normal((2, 60, 4))
        >>> networks = {"mine": {"conv": x, "fc": y}, "theirs": {"conv": x, "fc": y}}
        >>> compare(networks, metrics="procrustes").depth_plot().savefig("depth.png")
        """
        with _matplotlib_asked_for():
            from .figures.compared_depth import depth_plot
        return depth_plot(self)


def compare(
    networks: Mapping[str, Mapping[str, Array]],
    metrics: str | Sequence[str] | None = None,
    n_folds: int = 5,
    folds: npt.ArrayLike | None = None,
    seed: int = 0,
    positions: Positions = "all",
    center: Center = "position",
    ridge: Ridge = "cv",
    device: Device | None = None,
    *,
    depths: Mapping[str, Mapping[str, float]] | None = None,
    memory: int = DEFAULT_MEMORY,
) -> Comparison:
    """Cross-validated alignment of every layer of every network with every layer of the others.

    Parameters that are not listed here are those of `alignment.score`.

    Parameters
    ----------
    networks : mapping of mappings of arrays (n, units) or (n, c, h, w)
        The layers of each network by their names, in depth order: arrays as `alignment.score`
        takes them, all of the same n stimuli in the same order. What `alignment.read_activations`
        returns is such a mapping, too.
    metrics : str or sequence of str, optional
        Default: linear, procrustes, permutation and soft_matching. Those that need equal widths
        (permutation) are left out where widths differ. By default those that match units
        (permutation, soft_matching) are also left out, with a warning, for two layers with more
        than 25 million pairs of units, whose matrices take more than 0.2 GB each.
    depths : mapping of mappings of float, optional
        Relative depth, 0 to 1, of every layer of the networks that are named. Default: the rank of
        the layer in its network.
    memory : int
        Bytes that what is kept of layers for their partners may take: responses that are read from
        files, own moments or, of layers with more units than stimuli, products of rows, and what is
        made of these. If it does not hold all layers, they are compared in blocks. Two layers are
        always kept, and what `alignment.score` takes for one pair comes on top.

    Returns
    -------
    Comparison
        A DataFrame with a row for each pair of layers, metric and direction. The scores are those
        of `alignment.score` for the two arrays.

    Raises
    ------
    ValueError
        In one sentence that names network, layer and remedy: fewer than two networks, a network
        without layers, a name that is no text, different numbers of stimuli or stimulus digests,
        grids that do not divide, `depths` that name other layers, and what `alignment.score`
        refuses.

    Warns
    -----
    FewRowsWarning
        Layers with fewer than 10 training rows (stimuli × positions) per unit.

    Examples
    --------
    >>> import numpy as np
    >>> from convergent_learning.compare import compare
    >>> rng = np.random.default_rng(0)
    >>> x, y = rng.standard_normal((2, 60, 4))
    >>> networks = {"mine": {"conv": x, "fc": y}, "theirs": {"conv": x[:, ::-1], "fc": y}}
    >>> result = compare(networks, metrics="procrustes")
    >>> result.shape  # four pairs of layers, both directions
    (8, 11)
    >>> same = result[result.layer_x == result.layer_y]
    >>> same.groupby("layer_x").score.mean().round(3).to_dict()
    {'conv': 1.0, 'fc': 1.0}
    """
    layers = _named_layers(networks, positions)
    known = _depths(networks, depths)
    n = layers[0].responses.n
    fold_of = make_folds(n, n_folds, seed) if folds is None else check_folds(folds, n)
    check_center(center)
    check_ridge(ridge, int(fold_of.max()) + 1)
    chosen = registry.named(CLAIMED if metrics is None else metrics)
    names = [metric.name for metric in chosen]
    _warn_of_layers(layers, fold_of, by_default=metrics is None)

    def metrics_for(p: int, q: int) -> list[Metric]:
        if metrics is None:
            return claimed(p, q)[0]
        return [metric for metric in chosen if p == q or not metric.equal_widths]

    rows = []
    for pair in scored_pairs(layers, metrics_for, Setting(fold_of, center, ridge, device), memory):
        rows += _rows(pair, known)
    if not rows:
        raise ValueError(
            f"no two layers have as many units, as {', '.join(names)} needs: use soft_matching"
        )
    return _in_order(rows, layers, names)


@contextlib.contextmanager
def _matplotlib_asked_for() -> Iterator[None]:
    """Say how to install what the figures need and scores do not."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise ImportError(
            f"figures need more libraries ({error}): pip install 'convergent-learning[report]'"
        ) from error


def _named_layers(
    networks: Mapping[str, Mapping[str, Array]], positions: Positions
) -> list[NamedLayer]:
    """Layers of all networks, after refusing what cannot be compared."""
    # Imported here: torch takes seconds to load.
    from .alignment.responses import Responses

    check_positions(positions)
    if len(networks) < 2:
        raise ValueError(
            f"{len(networks)} network was given: pass at least two, {{name: {{layer: array}}}}"
        )
    layers: list[NamedLayer] = []
    for network, arrays in networks.items():
        _check_text(network, "a network")
        if not isinstance(arrays, Mapping) or not arrays:
            raise ValueError(
                f"network {network!r} has no layers: pass a mapping {{layer: array}} in depth order"
            )
        for name, array in arrays.items():
            _check_text(name, f"a layer of network {network!r}")
            label = f"layer {name!r} of network {network!r}"
            layers.append(NamedLayer(network, name, Responses(array, label, positions)))
    first = layers[0].responses
    for layer in layers:
        if layer.responses.n != first.n:
            raise ValueError(
                f"{layer.responses.label} has {layer.responses.n} stimuli and {first.label} has "
                f"{first.n}: pass responses to the same stimuli in the same order"
            )
    _check_digests(networks)
    return layers


def _warn_of_layers(layers: Sequence[NamedLayer], fold_of: np.ndarray, *, by_default: bool) -> None:
    """Warn of few rows per unit, and of metrics that are left out because units are many."""
    warn_of_few_rows([layer.responses for layer in layers], fold_of)
    if not by_default:
        return
    pairs = [(layers[i].responses, layers[j].responses) for i, j in layers_compared(layers)]
    left_out = [(x, y, claimed(x.units, y.units)[1]) for x, y in pairs]
    wide = [(x, y) for x, y, metrics in left_out if metrics]
    if wide:
        metrics = list(dict.fromkeys(itertools.chain.from_iterable(each[2] for each in left_out)))
        x, y = max(wide, key=lambda pair: pair[0].units * pair[1].units)
        where = f" for {len(wide):,} pairs of layers such as {x.label} and {y.label}"
        warn_of_left_out(metrics, x.units, y.units, where)


def _check_text(name: Any, what: str) -> None:
    if not isinstance(name, str):
        raise ValueError(f"{name!r}, {type(name).__name__}, cannot name {what}: use text")


def _check_digests(networks: Mapping[str, Any]) -> None:
    """Refuse files of different stimuli; plain dictionaries do not say of which they are."""
    digests = {name: getattr(arrays, "stimulus_digest", None) for name, arrays in networks.items()}
    known = {name: digest for name, digest in digests.items() if digest is not None}
    for name, digest in known.items():
        first = next(iter(known))
        if digest != known[first]:
            raise ValueError(
                f"network {name!r} was shown stimuli {digest[:12]}… and network {first!r} "
                f"{known[first][:12]}…: show both the same stimuli"
            )


def _depths(
    networks: Mapping[str, Mapping[str, Any]], given: Mapping[str, Mapping[str, float]] | None
) -> dict[str, Mapping[str, float]]:
    known: dict[str, Mapping[str, float]] = {
        name: ranks(list(layers)) for name, layers in networks.items()
    }
    for network, of_layers in (given or {}).items():
        if network not in known:
            raise ValueError(
                f"depths name the network {network!r}: networks are {', '.join(known)}"
            )
        missing = [layer for layer in networks[network] if layer not in of_layers]
        unknown = [layer for layer in of_layers if layer not in networks[network]]
        if missing or unknown:
            problem = "lack" if missing else "name"
            raise ValueError(
                f"depths of network {network!r} {problem} the layer {(missing or unknown)[0]!r}: "
                f"give one for each of {', '.join(networks[network])}"
            )
        outside = [layer for layer, depth in of_layers.items() if not 0 <= depth <= 1]
        if outside:
            raise ValueError(
                f"depths of network {network!r}: layer {outside[0]!r} is at "
                f"{of_layers[outside[0]]}; give relative depths from 0 to 1"
            )
        known[network] = of_layers
    return known


def _rows(pair: ScoredPair, depths: Mapping[str, Mapping[str, float]]) -> list[tuple]:
    sides = [(at.network, at.name, depths[at.network][at.name]) for at in (pair.x, pair.y)]
    return [
        (*sides[0], *sides[1], metric, direction, float(values.mean()), *score.n_dead)
        for metric, score in pair.scores.items()
        for direction, values in score.directions.items()
    ]


def _in_order(
    rows: Sequence[tuple], layers: Sequence[NamedLayer], metrics: Sequence[str]
) -> Comparison:
    """Rows by pair of networks, layer and metric, whichever blocks they were computed in."""
    networks = list(dict.fromkeys(layer.network for layer in layers))
    place = {(layer.network, layer.name): i for i, layer in enumerate(layers)}

    def key(row: tuple) -> tuple[int, ...]:
        x, layer_x, _, y, layer_y, _, metric, *_ = row
        between = networks.index(x), networks.index(y)
        return (*between, place[x, layer_x], place[y, layer_y], list(metrics).index(metric))

    return Comparison(sorted(rows, key=key), columns=list(COLUMNS))
