"""Claims on simulated scores: false is not supported, true is, at the threshold undecided."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import synthetic
from synthetic import Effects

from convergent_learning.claims.contrasts import LINEAR_SHARE, Contrast
from convergent_learning.claims.definitions import CLAIMS, PARTS
from convergent_learning.claims.entries import print_claims, read_claims
from convergent_learning.claims.evaluation import (
    evaluate_claims,
    evaluate_frames,
    part_entry,
    write_claims,
)
from convergent_learning.figures import figures
from convergent_learning.tables.stages import TRAINED
from convergent_learning.tables.storage import with_stages
from convergent_learning.tables.summaries import basis_summary

# Fewer layers and families than an experiment has: what is tested is the arithmetic of verdicts.
LAYERS = {
    name: [(f"block{i}", "block", 16, 64) for i in range(n)]
    + [("flatten", "pooled", 16, 1), ("fc", "logits", 10, 1)]
    for name, n in (("resnet18", 7), ("vgg11", 6))
}
FAMILIES = {
    "colour": ["bw"],
    "contrast": ["50", "30"],
    "low_pass": ["5", "10"],
    "eidolon_I": ["8"],
    "eidolon_II": ["8"],
    "uniform_noise": ["0.03", "0.05"],
}
TRUE = Effects(noise=0.002, displaced=0.0, displaced_untrained=0.7)
# Effects that make every statistic false, or put it at its threshold; without a gain there is
# nothing for C4a and C5 to share out, so the gain has its own.
FALSE = {
    "procrustes_ratio": 0.6,
    "permutation_ratio": 0.97,
    "gap_trained": -0.1,
    "gap_untrained": 0.2,
    "displaced": 0.7,
    "displaced_untrained": 0.05,
    "depth_slope": 0.2,
    "epoch_one": 0.4,
    "accuracy_epoch_one": 0.8,
    "early_slope": 0.6,
    "late_slope": -0.3,
    "early_drop": 0.1,
}
AT_THRESHOLD = {
    "procrustes_ratio": 0.8,
    "permutation_ratio": 0.6,
    "gap_trained": 0.0,
    "gap_untrained": 0.0,
    "depth_slope": 0.0,
    "epoch_one": 0.9,
    "accuracy_epoch_one": 0.9,
    "early_slope": 0.0,
    "late_slope": 0.0,
}
MOVED = ["C3a", "C3b", "C6b"]  # to their thresholds by hand: the simulation has no dial for them


def _frames(effects: Effects = TRUE, rng: int = 0, **how) -> dict[str, pd.DataFrame]:
    options = {"layers": LAYERS, "families": FAMILIES, "n_folds": 1, "n_draws": 3} | how
    scores, context = synthetic.score_frame(effects, rng=rng, **options)
    scores = scores.drop(columns="fold").assign(n_folds=5)
    tables = {}
    for figure in range(2, 7):
        tables |= figures()[figure].DATA.paired(scores, context)
    tables["fig3"] = basis_summary(tables["fig3_pairs"], tables["fig3_null"], context["groups"])
    return with_stages(tables | {name: context[name] for name in ("datasets", "groups")})


def _verdicts(frames: dict[str, pd.DataFrame]) -> dict[str, str]:
    return {entry["id"]: entry["verdict"] for entry in evaluate_frames(frames)}


@pytest.fixture(scope="module")
def true_frames():
    return _frames()


def test_true_effects_support_every_part_and_claim(true_frames):
    verdicts = _verdicts(true_frames)
    assert set(verdicts) == PARTS.keys() | {claim.id for claim in CLAIMS}
    assert set(verdicts.values()) == {"supported"}


@pytest.fixture(scope="module")
def false_verdicts():
    verdicts = _verdicts(_frames(replace(TRUE, **FALSE)))
    return verdicts | {"C4b": _part_verdict("C4b", _frames(replace(TRUE, gain=-0.1), families={}))}


@pytest.mark.parametrize("part", PARTS)
def test_false_effects_are_not_supported(part, false_verdicts):
    assert false_verdicts[part] == "not supported"
    assert false_verdicts[part[:2]] == "not supported"


@pytest.fixture(scope="module")
def verdicts_at_threshold():
    """Verdicts of each part over experiments; six are enough to see an undecided one."""
    found = {part: [] for part in PARTS}
    for rng in range(6):
        frames = _frames(replace(TRUE, noise=0.012, **AT_THRESHOLD), rng)
        for part in PARTS.keys() - {"C4b", *MOVED}:
            found[part].append(_part_verdict(part, frames))
        frames = _frames(replace(TRUE, noise=0.012, gain=0.0), rng, families={})
        found["C4b"].append(_part_verdict("C4b", frames))
    return found


@pytest.mark.parametrize("part", [part for part in PARTS if part not in MOVED])
def test_at_the_threshold_mostly_inconclusive(part, verdicts_at_threshold):
    verdicts = verdicts_at_threshold[part]
    assert verdicts.count("inconclusive") >= 4, verdicts


@pytest.mark.parametrize("part", MOVED)
def test_at_the_threshold_of_shares_and_room(part, true_frames):
    chosen = PARTS[part]
    values = chosen.contrast(true_frames).values
    rng = np.random.default_rng(0)
    verdicts = []
    for _ in range(20):
        effect = {n: rng.normal(0, 0.05) for n in values.index.to_frame(index=False).seed_x}
        noise = [effect[x] + effect.get(y, 0) + rng.normal(0, 0.05) for _, x, y in values.index]
        moved = Contrast(pd.Series(noise, index=values.index) + chosen.threshold)
        at = chosen._replace(contrast=lambda _, moved=moved: moved)
        verdicts.append(part_entry(at, true_frames)["verdict"])
    assert verdicts.count("inconclusive") >= 16, verdicts


def _part_verdict(part, frames):
    return part_entry(PARTS[part], frames)["verdict"]


def test_untrained_networks_in_place_of_trained_ones_do_not_pass():
    verdicts = _verdicts(_frames(replace(TRUE, untrained_instead=True, procrustes_ratio=0.75)))
    for claim in ("C1", "C2b", "C4", "C6"):
        assert verdicts[claim] != "supported", claim
    assert verdicts["C4"] == "inconclusive"


def test_pooled_and_logits_stay_out_where_they_must(true_frames):
    before = {e["id"]: e["estimate"] for e in evaluate_frames(true_frames)}
    frames = {name: frame.copy() for name, frame in true_frames.items()}
    for name, role, values in (
        ("fig2_pairs", "role", ["score"]),
        ("fig3_pairs", "role", ["learned", "rotated", "difference"]),
        ("fig4_pairs", "source_role", ["score"]),
        ("fig5_pairs", "role", ["score"]),
        ("fig6_pairs", "role", ["ood", "drop"]),
    ):
        frames[name].loc[frames[name][role] == "logits", values] += 5
        if name in ("fig4_pairs", "fig6_pairs"):
            frames[name].loc[frames[name][role] == "pooled", values] += 5
    after = {e["id"]: e["estimate"] for e in evaluate_frames(frames)}
    assert before == after


def test_layers_with_few_rows_are_left_out_and_listed(true_frames):
    frames = true_frames | {"fig2_pairs": true_frames["fig2_pairs"].copy()}
    table = frames["fig2_pairs"]
    few = table.layer_x == "block2"
    table.loc[few, ["rows_per_unit", "score"]] = [9.0, -5.0]
    entry = next(e for e in evaluate_frames(frames) if e["id"] == "C1a")
    assert entry["verdict"] == "supported"
    assert "resnet18 block2" in entry["reason"]
    assert "10 training rows" in entry["reason"]


def test_dead_layers_are_left_out_everywhere_and_said(true_frames):
    frames = {name: frame.copy() for name, frame in true_frames.items()}
    for name, columns in (
        ("fig2_pairs", ["score"]),
        ("fig3_pairs", ["learned", "difference"]),
        ("fig5_pairs", ["score"]),
        ("fig6_pairs", ["ood", "drop"]),
    ):
        layer = "layer_x" if name == "fig2_pairs" else "layer"
        table = frames[name]
        side = "group_x" if name == "fig2_pairs" else "group"
        one = (table[layer] == "block1") & (table[side] == "vgg11") & (table.seed_x == 1)
        table.loc[one, columns] = np.nan
    maps = frames["fig4_pairs"]
    vgg = (maps.source_group == "vgg11") & (maps.source_seed == 1)
    maps.loc[vgg & (maps.source_layer == "block1"), "score"] = np.nan
    entries = {e["id"]: e for e in evaluate_frames(frames)}
    assert {e["verdict"] for e in entries.values()} == {"supported"}
    for part in ("C1a", "C2a", "C3c", "C4a", "C6a"):
        assert "without a score: vgg11 block1" in entries[part]["reason"], part


def test_too_few_networks_give_no_verdict():
    for entry in evaluate_frames(_frames(seeds=2)):
        assert entry["verdict"] == "inconclusive"
        assert "no verdict: fewer than 3 networks" in entry["reason"]
        assert entry["ci_low"] is None


def test_a_single_group_is_enough():
    entries = evaluate_frames(_frames(groups=("vgg11",)))
    assert {e["verdict"] for e in entries} == {"supported"}
    assert {e["n"] for e in entries} == {3}


@pytest.mark.slow
def test_missing_ingredients_are_said_not_raised(true_frames):
    def reasons(frames):
        return {e["id"]: (e["verdict"], e["reason"]) for e in evaluate_frames(frames)}

    without_ood = reasons(_frames(families={}))
    assert without_ood["C6a"][0] == "inconclusive"
    assert "no procrustes scores within a group on out-of-distribution" in without_ood["C7"][1]
    one_family = reasons(_frames(families={"colour": ["bw"]}))
    assert "fewer than 2 families" in one_family["C6a"][1]
    table = true_frames["fig5_pairs"]
    no_epoch = reasons(true_frames | {"fig5_pairs": table[table.step != 196]})
    assert "at the stage epoch 1" in no_epoch["C4a"][1]
    one_epoch = {
        "groups": true_frames["groups"].assign(steps_per_epoch=784),
        "fig5_pairs": table.assign(epoch=table.epoch / 4),
    }
    assert "ends with epoch 1" in reasons(true_frames | one_epoch)["C5"][1]
    no_accuracy = reasons(true_frames | {"fig5_pairs": table.assign(accuracy=np.nan)})
    assert "no accuracy" in no_accuracy["C5a"][1]
    facts = {name: true_frames[name] for name in ("datasets", "groups")}
    empty = {name: frame.iloc[:0] for name, frame in true_frames.items()}
    assert {verdict for verdict, _ in reasons(empty | facts).values()} == {"inconclusive"}


def test_conditions_near_chance_are_left_out_of_slopes(true_frames):
    table = true_frames["fig6_pairs"].copy()
    noise = table.stimuli == "uniform_noise"
    table.loc[noise, "near_chance"] = True
    table.loc[noise & (table.role == "block"), "drop"] = -3.0
    entries = {e["id"]: e for e in evaluate_frames(true_frames | {"fig6_pairs": table})}
    assert entries["C7a"]["verdict"] == "supported"
    assert "within 2 points of chance: resnet18 uniform_noise 0.03" in entries["C7a"]["reason"]


def test_conditions_without_an_accuracy_are_left_out_of_slopes(true_frames):
    table = true_frames["fig6_pairs"].copy()
    noise = table.stimuli == "uniform_noise"
    table.loc[noise, ["accuracy", "accuracy_drop", "transfer"]] = np.nan
    table.loc[noise & (table.role == "block"), "drop"] = -3.0
    entries = {e["id"]: e for e in evaluate_frames(true_frames | {"fig6_pairs": table})}
    assert entries["C7a"]["verdict"] == "supported"
    assert "without an accuracy: resnet18 uniform_noise 0.03" in entries["C7a"]["reason"]
    assert "left out" not in entries["C6a"]["reason"]


def test_reasons_carry_the_numbers(true_frames):
    entries = {e["id"]: e for e in evaluate_frames(true_frames)}
    assert "layers trained and" in entries["C2b"]["reason"]
    assert "epoch 1 is 25% of the steps" in entries["C4a"]["reason"]
    assert "s0/sF" in entries["C4a"]["reason"]
    assert "measured from colour" in entries["C7a"]["reason"]
    for part in PARTS.values():
        assert f"[figure {part.figure}; tables/" in entries[part.id]["statistic"]
        assert f"{entries[part.id]['estimate']:.3f}" in entries[part.id]["reason"]


def test_means_in_reasons_give_the_estimate_of_groups_of_unlike_depth(true_frames):
    frames = {name: frame.copy() for name, frame in true_frames.items()}
    lower = frames["fig2_pairs"].group_x == "vgg11"
    frames["fig2_pairs"].loc[lower, "score"] *= 0.5
    wider = (frames["fig3_pairs"].group == "vgg11") & (frames["fig3_pairs"].stage == TRAINED)
    frames["fig3_pairs"].loc[wider, "difference"] += 0.3
    entries = {entry["id"]: entry for entry in evaluate_frames(frames)}
    means = re.search(r"linear (.+), procrustes (.+)", entries["C1a"]["notes"][0])
    linear, procrustes = means.groups()
    expected = float(procrustes) - LINEAR_SHARE * float(linear)
    assert entries["C1a"]["estimate"] == pytest.approx(expected, abs=0.001)
    gaps = re.search(r"is (\S+) trained and (\S+) at step 0", entries["C2b"]["notes"][0]).groups()
    assert entries["C2b"]["estimate"] == pytest.approx(float(gaps[0]) - float(gaps[1]), abs=0.001)


def test_each_dataset_has_its_own_claims(true_frames):
    other = _frames(replace(TRUE, depth_slope=0.2), dataset="cifar100")
    frames = {name: pd.concat([true_frames[name], other[name]]) for name in true_frames}
    entries = [e for e in evaluate_frames(frames) if e["id"] == "C3c"]
    assert [e["verdict"] for e in entries] == ["supported", "not supported"]
    assert [e["dataset"] for e in entries] == ["cifar10", "cifar100"]
    assert [e["claim"].split(":")[0] for e in entries] == ["cifar10", "cifar100"]


@pytest.mark.slow
def test_file_format_and_printing(tmp_path, capsys):
    scores, context = synthetic.score_frame(layers=LAYERS, families=FAMILIES, n_draws=3)
    synthetic.write_all(tmp_path, scores, context)
    write_claims(tmp_path / "tables", tmp_path / "claims.json")
    entries = json.loads((tmp_path / "claims.json").read_text())
    assert entries == evaluate_claims(tmp_path / "tables")
    keys = "id claim statistic estimate ci_low ci_high threshold n verdict reason"
    keys += " dataset part figure notes groups"
    assert all(list(entry) == keys.split() for entry in entries)
    assert read_claims(tmp_path / "claims.json") == entries
    for entry in entries:
        assert entry["reason"].endswith("; ".join(entry["notes"]))
    print_claims(tmp_path / "claims.json")
    printed = capsys.readouterr().out
    assert all(entry["id"] in printed for entry in entries)
    (tmp_path / "tables" / "fig4_pairs.csv").unlink()
    with pytest.raises(ValueError, match=r"fig4_pairs\.csv"):
        evaluate_claims(tmp_path / "tables")
