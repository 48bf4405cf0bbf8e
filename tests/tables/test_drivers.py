"""Figure 7 and claim C8, on groups whose alignment is known."""

import itertools

import numpy as np
import pandas as pd
import pytest

from convergent_learning.claims.definitions import part_named
from convergent_learning.claims.evaluation import evaluate_frames, part_entry
from convergent_learning.figures import fig7
from convergent_learning.tables.pairs import alike_pairs
from convergent_learning.tables.schema import COLUMNS
from convergent_learning.tables.stages import rows_of
from convergent_learning.tables.storage import with_stages, write_table
from convergent_learning.tables.summaries import between, spans_of_layers

LAYERS = [(f"b{i}", i / 7, "block") for i in range(6)] + [
    ("pool", 6 / 7, "pooled"),
    ("fc", 1, "logits"),
]
GROUPS = pd.DataFrame(
    [
        ("S", "true", "natural", "supervised"),
        ("same", "true", "natural", "simclr"),
        ("late-parts", "true", "phase_scrambling 180", "supervised"),
        ("nothing", "shuffled", "natural", "supervised"),
        ("U", "true", "natural", "none"),
    ],
    columns=["group", "labels", "images", "objective"],
).assign(dataset="d", steps_per_epoch=10, final_step=20)
DATASETS = pd.DataFrame([{"dataset": "d", "chance": 0.1}])
WITHIN = 0.8


def level(x, y, depth):
    """Mean alignment of networks of two groups after training."""
    pair = {x, y}
    if "U" in pair or pair == {"nothing", "S"}:
        return 0.3
    if "late-parts" in pair and x != y:
        return WITHIN - 0.6 * depth
    return WITHIN


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(0)
    networks = [(g, 10 * i + s) for i, g in enumerate(GROUPS.group) for s in (1, 2, 3)]
    rows = []
    for (x, i), (y, j) in itertools.combinations(networks, 2):
        for step, (layer, depth, role) in itertools.product((0, 10, 20), LAYERS):
            score = level(x, y, depth) if step else 0.3
            score += 0.005 * rng.normal()
            rows.append(("d", x, i, y, j, step, step / 10, layer, depth, role, "procrustes", score))
    columns = [
        "dataset",
        "group_x",
        "seed_x",
        "group_y",
        "seed_y",
        "step",
        "epoch",
        "layer",
        "depth",
    ]
    return pd.DataFrame(rows, columns=[*columns, "role", "metric", "score"])


@pytest.fixture(scope="module")
def frames(pairs):
    return with_stages({"datasets": DATASETS, "groups": GROUPS, "fig7_pairs": pairs})


def test_shares_are_ratios_of_means(pairs):
    made = fig7.DATA.summarised({"fig7_pairs": pairs}, {"groups": GROUPS})
    shares = made["fig7_shares"].set_index(["group", "third"])
    last = spans_of_layers(pairs[pairs.step == 20])
    for (group, third), row in shares.iterrows():
        span = last[last.third == third]
        expected = between(span, "S", group).mean() / between(span, "S", "S").mean()
        assert row.share == pytest.approx(expected)
        assert row.share_low < expected < row.share_high
    assert shares.share["same", "all"] == pytest.approx(1, abs=0.02)
    assert shares.share["late-parts", "early"] > shares.share["late-parts", "late"] + 0.3
    assert set(shares.n_networks) == {6}


@pytest.mark.slow
def test_the_interval_of_a_share_covers_it():
    """Over draws of networks with effects of their own, ratio of means by linearisation."""
    covered = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        effect = {(g, s): 0.03 * rng.normal() for g in "SG" for s in range(5)}
        rows = [
            (
                "d",
                x,
                i,
                y,
                j,
                20,
                2.0,
                "b0",
                0.0,
                "block",
                "procrustes",
                (0.8 if x == y else 0.4) + effect[x, i] + effect[y, j],
            )
            for (x, i), (y, j) in itertools.combinations(effect, 2)
        ]
        columns = ["dataset", "group_x", "seed_x", "group_y", "seed_y", "step", "epoch", "layer"]
        table = pd.DataFrame(rows, columns=[*columns, "depth", "role", "metric", "score"])
        groups = GROUPS[:2].assign(group=["S", "G"])
        made = fig7.DATA.summarised({"fig7_pairs": table}, {"groups": groups})
        [row] = made["fig7_shares"].query("third == 'all'").itertuples()
        covered.append(row.share_low < 0.5 < row.share_high)
    assert np.mean(covered) > 0.84


@pytest.mark.parametrize(
    ("group", "verdicts"),
    [
        ("same", ("supported", "supported", "supported")),
        ("late-parts", ("supported", "supported", "not supported")),
        ("nothing", ("not supported", "not supported", "not supported")),
    ],
)
def test_parts_say_where_a_group_aligns_with_supervised_networks(frames, group, verdicts):
    found = [part_entry(part_named(f"C8{letter}-{group}"), frames) for letter in "abc"]
    expected = dict(zip("abc", verdicts, strict=True))
    if group == "nothing":  # as untrained networks: neither above nor below
        expected["a"] = found[0]["verdict"]
        assert abs(found[0]["estimate"]) < 0.01
    assert {entry["part"][0]: entry["verdict"] for entry in found} == expected
    assert "s_GG" in found[1]["reason"]
    assert "slope on depth" in found[2]["reason"]


def test_the_claim_has_the_weakest_verdict_of_a_and_b_of_all_groups(frames):
    """c has no say, and untrained networks are no group of their own."""
    names = ("fig2_pairs", "fig3_pairs", "fig3", "fig4_pairs", "fig5_pairs", "fig6_pairs")
    own = frames | {name: pd.DataFrame(columns=COLUMNS[name]) for name in names}
    kept = {name: rows_of(frame, {*GROUPS.group} - {"nothing"}) for name, frame in own.items()}
    claims = {entry["id"]: entry for entry in evaluate_frames(kept)}
    parts = {name for name in claims if name.startswith("C8") and claims[name]["part"]}
    assert parts == {f"C8{x}-{g}" for x in "abc" for g in ("same", "late-parts")}
    assert claims["C8"]["verdict"] == "supported"
    everything = {entry["id"]: entry for entry in evaluate_frames(own)}
    assert everything["C8"]["verdict"] == "not supported"


def test_without_untrained_networks_the_claim_says_so(frames):
    groups = GROUPS[GROUPS.objective != "none"]
    entry = part_entry(part_named("C8a-same"), frames | {"groups": groups})
    assert entry["reason"] == "no verdict: no group of untrained networks (objective: none)"


def test_pairs_of_another_architecture_are_left_out(pairs):
    scores = pairs.rename(columns={"layer": "layer_x", "depth": "depth_x"})
    scores = scores.assign(
        layer_y=scores.layer_x,
        depth_y=scores.depth_x,
        stimuli="id",
        condition="",
        center="position",
        baseline="learned",
        draw=0,
        direction="x->y",
    ).drop(columns=["role", "epoch"])
    groups = [*GROUPS.group]
    layers = pd.DataFrame(
        [("d", g, n, r, 9 if g == "same" else 8) for g in groups for n, _, r in LAYERS],
        columns=["dataset", "group", "layer", "role", "units"],
    )
    known = DATASETS.assign(stimuli=100)
    facts = {"datasets": known, "groups": GROUPS, "layers": layers}
    found = fig7.DATA.paired(scores, facts)["fig7_pairs"]
    across = found[found.group_x != found.group_y]
    assert "same" not in {*across.group_x, *across.group_y}
    assert len(found[found.group_x == "same"]) == 3 * 3 * len(LAYERS)


def test_the_figure_is_drawn(pairs, tmp_path):
    layers = pd.DataFrame(
        [("d", g, "a", n, d, r, 8, 4, 2, 2) for g in GROUPS.group for n, d, r in LAYERS],
        columns=[
            "dataset",
            "group",
            "architecture",
            "layer",
            "depth",
            "role",
            "units",
            "positions",
            "height",
            "width",
        ],
    )
    datasets = DATASETS.reindex(
        columns=[
            "dataset",
            "classes",
            "chance",
            "train_images",
            "stimuli",
            "sha256_train",
            "sha256_test",
        ],
        fill_value=1,
    )
    made = fig7.DATA.summarised({"fig7_pairs": pairs}, {"groups": GROUPS})
    training = pd.DataFrame(columns=COLUMNS["fig1_training"])
    training.loc[0] = ["d", "nothing", 41, 20, 2, 2.3, 0.11, 2.4, 0.1]
    facts = {"groups": GROUPS, "layers": layers, "datasets": datasets, "fig1_training": training}
    for name, table in (made | facts).items():
        write_table(table, tmp_path, name)
    fig7.draw(tmp_path, tmp_path / "fig7.pdf", tmp_path / "fig7.png")
    assert (tmp_path / "fig7.pdf").read_bytes().startswith(b"%PDF")
    caption = fig7.caption(tmp_path)
    assert "same (without labels, simclr)" in caption
    assert "late-parts (images: phase scrambling 180)" in caption
    assert "U (not trained)" in caption
    assert "nothing (shuffled labels, of which it gets 11% right)" in caption
    assert (
        "Of same, which learned without labels, accuracies are those of a linear probe" in caption
    )


def test_given_networks_are_not_compared_in_figure_7():
    rows = [
        {"group_x": x, "group_y": y, "layer_x": "a", "layer_y": "a", "baseline": "learned"}
        for x, y in (("S", "S"), ("S", "given"), ("given", "given"), ("U", "S"))
    ]
    scores = pd.DataFrame(rows).assign(dataset="d", seed_x=1, seed_y=2, step=20, epoch=2.0)
    scores = scores.assign(
        depth_x=0.5, role_x="block", metric="linear", score=0.5, stimuli="id", center="position"
    )
    layers = pd.DataFrame({"dataset": "d", "group": ["S", "U", "given"], "layer": "a", "units": 4})
    given = GROUPS.iloc[[0]].assign(group="given", labels="", images="", objective="")
    facts = {"groups": pd.concat([GROUPS, given]), "layers": layers}
    found = alike_pairs(scores, facts)["fig7_pairs"]
    assert [*zip(found.group_x, found.group_y, strict=True)] == [("S", "S"), ("U", "S")]


def test_the_untrained_group_is_one_that_is_compared(pairs):
    """The first of them may be of another architecture."""
    other = GROUPS[GROUPS.group == "U"].assign(group="V")
    groups = pd.concat([other, GROUPS], ignore_index=True)
    frames = with_stages({"datasets": DATASETS, "groups": groups, "fig7_pairs": pairs})
    assert part_entry(part_named("C8a-same"), frames)["verdict"] == "supported"


def test_layers_that_are_left_out_are_named(pairs):
    gap = pairs.copy()
    gap.loc[(gap.layer == "b2") & (gap.seed_x == 1), "score"] = np.nan
    frames = with_stages({"datasets": DATASETS, "groups": GROUPS, "fig7_pairs": gap})
    for part in ("C8a-same", "C8b-same", "C8c-same"):
        assert "left out, without a score: b2" in part_entry(part_named(part), frames)["reason"]
