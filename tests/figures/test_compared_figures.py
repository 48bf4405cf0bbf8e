"""Figures of networks compared at a prompt: what is drawn where, at what size."""

from __future__ import annotations

import io
import itertools

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from convergent_learning.compare import COLUMNS, Comparison
from convergent_learning.figures import style

METRICS = ("linear", "procrustes", "permutation", "soft_matching")


def comparison(layers, metrics=METRICS, name="layer{}"):
    """Made-up scores; `layers` is how many each network has. Equal ranks score highest."""
    rows = []
    for (x, p), (y, q) in itertools.combinations(layers.items(), 2):
        for (i, j), metric in itertools.product(np.ndindex(p, q), metrics):
            depth_x, depth_y = i / (p - 1), j / (q - 1)
            for direction, less in (("x->y", 0), ("y->x", 0.1)):
                score = 0.9 - 0.5 * abs(depth_x - depth_y) - 0.1 * METRICS.index(metric) - less
                sides = (x, name.format(i), depth_x, y, name.format(j), depth_y)
                rows.append((*sides, metric, direction, score, 0, 0))
    return Comparison(rows, columns=COLUMNS)


TWO = comparison({"first": 4, "second": 6})
FOUR = comparison({f"net{i}": 4 + i for i in range(4)})
MANY = comparison({f"net{i}": 4 for i in range(8)}, ("linear",))


def maps(figure):
    """Axes with a map, by their place."""
    return [ax for ax in figure.axes if ax.collections and ax.get_label() != "<colorbar>"]


def values(ax):
    return (
        ax.collections[0].get_array().reshape(ax.collections[0].get_coordinates().shape[0] - 1, -1)
    )


def picture(figure):
    file = io.BytesIO()
    figure.savefig(file)
    return Image.open(file)


def texts(figure):
    return [text.get_text() for text in figure.findobj(mpl.text.Text) if text.get_visible()]


def test_two_networks_are_drawn_in_both_directions_under_each_metric():
    drawn = maps(TWO.heatmap())
    assert len(drawn) == 8
    assert [values(ax).shape for ax in drawn] == [(4, 6)] * 4 + [(6, 4)] * 4
    for ax, metric in zip(drawn, METRICS, strict=False):
        rows = TWO[(TWO.metric == metric) & (TWO.direction == "x->y")]
        np.testing.assert_array_equal(values(ax).ravel(), rows.score)
    back = TWO[(TWO.metric == "linear") & (TWO.direction == "y->x")]
    np.testing.assert_array_equal(values(drawn[4]).T.ravel(), back.score)
    assert (drawn[0].get_ylabel(), drawn[0].get_xlabel()) == ("source: first", "target: second")
    assert (drawn[4].get_ylabel(), drawn[4].get_xlabel()) == ("source: second", "target: first")
    assert [label.get_text() for label in drawn[0].get_yticklabels()] == [
        f"layer{i}" for i in range(4)
    ]


def test_circles_are_the_best_sources():
    [ax, _] = maps(FOUR.heatmap("linear", pair=("net0", "net3")))
    targets, sources = (np.asarray(at - 0.5, int) for at in ax.lines[-1].get_data())
    assert list(targets) == list(range(7))
    np.testing.assert_allclose(values(ax)[sources, targets], values(ax).max(0), atol=1e-9)


def test_of_a_pair_the_first_is_mapped_onto_the_second_first():
    [there, back] = maps(FOUR.heatmap("linear", pair=("net2", "net1")))
    rows = FOUR[(FOUR.network_x == "net1") & (FOUR.network_y == "net2") & (FOUR.metric == "linear")]
    np.testing.assert_array_equal(values(there).T.ravel(), rows[rows.direction == "y->x"].score)
    np.testing.assert_array_equal(values(back).ravel(), rows[rows.direction == "x->y"].score)


def test_many_networks_are_a_square_of_maps_under_one_metric():
    figure = FOUR.heatmap()
    drawn = maps(figure)
    assert [values(ax).shape for ax in drawn] == [
        (4 + i, 4 + j) for i in range(4) for j in range(4) if i != j
    ]
    limits = {ax.collections[0].get_clim() for ax in drawn}
    assert limits == {(0.0, FOUR[FOUR.metric == "procrustes"].score.max())}
    assert {"Procrustes", "source", "target", *(f"net{i}" for i in range(4))} <= set(texts(figure))
    assert "Soft matching" in texts(FOUR.heatmap("soft_matching"))


def test_layers_of_other_widths_have_no_permutation():
    unequal = (TWO.metric == "permutation") & (TWO.layer_x != "layer0")
    permutation = maps(TWO[~unequal].heatmap())[2]
    shown = np.ma.masked_invalid(values(permutation))
    assert shown.count() == 6
    assert len(permutation.lines[-1].get_xdata()) == 0
    none = TWO[TWO.metric != "permutation"].heatmap("linear")
    assert len(maps(none)) == 2


def test_pairs_and_directions_without_rows_are_left_empty():
    without = (FOUR.network_x == "net0") & (FOUR.network_y == "net2")
    drawn = FOUR[~without].heatmap()
    assert len(maps(drawn)) == 10
    assert texts(drawn).count("no scores") == 2
    one_way = TWO[TWO.direction == "x->y"].heatmap("linear")
    assert [values(ax).shape for ax in maps(one_way)] == [(4, 6)]


@pytest.mark.parametrize("count", [1, 3, 6])
def test_few_pairs_have_a_line_each(count):
    result = comparison({f"net{i}": 5 for i in range(4)})
    pairs = list(itertools.combinations([f"net{i}" for i in range(4)], 2))[:count]
    chosen = [(x, y) in pairs for x, y in zip(result.network_x, result.network_y, strict=True)]
    figure = result[chosen].depth_plot()
    assert [ax.get_title() for ax in figure.axes] == [style.metric_label(m) for m in METRICS]
    for ax, metric in zip(figure.axes, METRICS, strict=True):
        lines = ax.lines[1:]
        assert len(lines) == count
        for line in lines:
            np.testing.assert_allclose(line.get_xdata(), [0, 0.25, 0.5, 0.75, 1])
            np.testing.assert_allclose(line.get_ydata(), 0.85 - 0.1 * METRICS.index(metric))
    assert len({line.get_color() for line in figure.axes[0].lines[1:]}) == count
    assert [text.get_text() for text in figure.legends[0].texts] == [f"{x} – {y}" for x, y in pairs]


def test_a_layer_is_drawn_with_the_one_nearest_in_depth():
    [line] = TWO[TWO.metric == "linear"].depth_plot().axes[0].lines[1:]
    nearest = [0.85 - 0.5 * abs(i / 3 - j / 5) for i, j in enumerate([0, 2, 3, 5])]
    np.testing.assert_allclose(line.get_ydata(), nearest)


def test_many_pairs_are_drawn_with_their_mean():
    [ax] = MANY.depth_plot().axes
    *pairs, mean = ax.lines[1:]
    assert len(pairs) == 28
    np.testing.assert_allclose(mean.get_ydata(), 0.85)


@pytest.mark.parametrize("draw", [lambda: FOUR.heatmap(), lambda: TWO.depth_plot()])
def test_figures_keep_their_style_and_size(draw):
    with mpl.rc_context({"xtick.labelsize": 20, "ytick.labelsize": 20, "font.size": 20}):
        figure = draw()
        shown = picture(figure)
        sizes = {
            text.get_fontsize()
            for text in figure.findobj(mpl.text.Text)
            if text.get_visible() and text.get_text()
        }
    assert max(sizes) <= 8.4
    assert shown.width / style.SHOWN_DPI * 25.4 == pytest.approx(style.TWO_COLUMNS, abs=0.3)
    drawn, whole = figure.get_tightbbox(), figure.bbox_inches.padded(0.01)
    assert whole.contains(*drawn.min)
    assert whole.contains(*drawn.max)


@pytest.mark.parametrize("layers", [6, 60])
def test_names_of_layers_do_not_overlap(layers):
    figure = comparison({"first": layers, "second": 5}, name="block{}.relu").heatmap()
    renderer = figure.canvas.get_renderer()
    for ax in maps(figure):
        for axis, side in ((ax.xaxis, "x"), (ax.yaxis, "y")):
            labels = [label for label in axis.get_ticklabels() if label.get_text()]
            boxes = [label.get_window_extent(renderer) for label in labels]
            for one, other in itertools.pairwise(boxes):
                assert getattr(one, f"{side}1") < getattr(other, f"{side}0") + 1


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"metric": "cosine"}, "no scores of the metric 'cosine': there are linear, procrustes"),
        ({"pair": ("net0", "vgg")}, "no scores of the network 'vgg': there are net0, net1"),
    ],
)
def test_what_has_no_scores_is_named(asked, message):
    with pytest.raises(ValueError, match=message):
        FOUR.heatmap(**asked)


def test_too_many_networks_are_refused():
    nine = comparison({f"net{i}": 2 for i in range(9)}, ("linear",))
    with pytest.raises(ValueError, match=r"9 networks do not fit one .* pair=\('net0', 'net1'\)"):
        nine.heatmap()
    assert len(maps(nine.heatmap(pair=("net3", "net7")))) == 2


def test_a_line_needs_layers_that_are_near_in_depth():
    crossed = TWO[(TWO.depth_x + TWO.depth_y == 1) & TWO.depth_x.isin((0, 1))]
    with pytest.raises(ValueError, match="no layer has a score with the one nearest in depth"):
        crossed.depth_plot()


@pytest.mark.parametrize("draw", [Comparison.heatmap, Comparison.depth_plot])
def test_no_rows_are_refused(draw):
    with pytest.raises(ValueError, match="there are no scores to draw: select rows"):
        draw(FOUR[FOUR.metric == "cka"])
