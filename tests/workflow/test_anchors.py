"""Anchors: trained networks in the reference, whose scores come out the same or verify fails."""

import itertools
import json
import re
import shutil
from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from checkout import ROOT
from safetensors.numpy import load_file, save_file

from convergent_learning.config.design import Design
from convergent_learning.config.overlay import experiment_named
from convergent_learning.verify import anchors
from convergent_learning.verify.anchors import KEYS, compare_anchors, write_anchors

SCORES = pd.DataFrame(
    [
        ("a", 1, 2, "id", "", "conv", metric, "learned", 0.5)
        for metric in ("linear", "procrustes", "permutation")
    ],
    columns=[
        *("group_x", "seed_x", "seed_y", "stimuli", "condition", "layer_x"),
        *("metric", "baseline", "score"),
    ],
).assign(n_dead_x=0.0, n_dead_y=1.0)
SCORES = SCORES.assign(**{key: "" for key in KEYS["scores"] if key not in SCORES})
ACCURACY = pd.DataFrame([dict.fromkeys(KEYS["accuracy"], "a") | {"accuracy": 0.45, "n": 200}])


@pytest.fixture
def reference(monkeypatch):
    """Found by `compare_anchors` in place of a folder."""
    monkeypatch.setattr(anchors, "read_anchor_tables", lambda _: (SCORES, ACCURACY))


def worst(scores=SCORES, accuracy=ACCURACY):
    tables = compare_anchors(None, (scores, accuracy))
    assert not [problem for table in tables for problem in table.problems]
    return max(table.numbers.deviation.max() for table in tables)


@pytest.mark.parametrize(
    ("metric", "moved", "agrees"),
    [
        ("linear", 5e-4, True),
        ("linear", 2e-3, False),
        ("procrustes", 1e-4, True),
        ("procrustes", -1e-3, False),
        ("permutation", 1e-3, True),
        ("permutation", 0.05, False),
    ],
)
def test_scores_may_move_by_rounding(reference, metric, moved, agrees):
    scores = SCORES.assign(score=SCORES.score + moved * (SCORES.metric == metric))
    assert (worst(scores) <= 1) == agrees


def test_units_and_accuracies_are_compared_too(reference):
    assert worst() == 0
    assert worst(SCORES.assign(n_dead_y=2.0)) > 1
    assert worst(accuracy=ACCURACY.assign(accuracy=0.455)) > 1


def test_what_is_missing_or_too_much_is_named(reference):
    [scores, _] = compare_anchors(None, (SCORES[1:], ACCURACY))
    assert "1 scores are missing, first a" in scores.problems[0]
    more = pd.concat([SCORES, SCORES[:1].assign(layer_x="another")])
    [scores, _] = compare_anchors(None, (more, ACCURACY))
    assert "1 scores are too many" in scores.problems[0]
    [empty] = compare_anchors(None, None)
    assert empty.failed


def test_anchors_are_pairs_of_small_files(finished, tmp_path, monkeypatch):
    monkeypatch.chdir(finished.folder)
    design = Design(experiment_named("smoke", ROOT))
    write_anchors(design, finished.folder, tmp_path / "all")
    plans = json.loads((tmp_path / "all/anchors/plans.json").read_text())
    names = [f"{group}-seed{seed}" for group in ("resnet18", "vgg11") for seed in (1, 2)]
    assert sorted(plans["digits"]) == names
    network = next(n for n in design.experiment.networks if n.name == names[0])
    step = design.experiment.steps("digits")[-1]
    trained = load_file(finished.folder / design.checkpoint("digits", network, step))
    anchor = load_file(tmp_path / f"all/anchors/digits/{names[0]}.safetensors")
    for name, tensor in trained.items():
        assert anchor[name].dtype == (np.float16 if tensor.ndim > 1 else tensor.dtype)
        np.testing.assert_allclose(anchor[name], tensor, rtol=1e-3, atol=1e-6)
    sizes = [path.stat().st_size for path in (tmp_path / "all").rglob("*.safetensors")]
    monkeypatch.setattr(anchors, "_MOST_BYTES", sum(sizes) - 1)
    write_anchors(design, finished.folder, tmp_path / "some")
    assert len(list((tmp_path / "some").rglob("*.safetensors"))) == 2


def test_networks_that_do_not_fit_leave_the_room_to_those_of_other_datasets(tmp_path, monkeypatch):
    units = {"small": 100, "large": 10_000}
    for dataset, (group, many) in itertools.product("ab", units.items()):
        save_file({"bias": np.zeros(many, np.float32)}, tmp_path / f"{dataset}-{group}")
    experiment = SimpleNamespace(
        datasets=["a", "b"],
        trained=[SimpleNamespace(group=group, name=group) for group in units],
        plan=lambda *_: SimpleNamespace(fields={}),
    )
    design = SimpleNamespace(
        experiment=experiment, last_checkpoint=lambda dataset, n: f"{dataset}-{n.name}"
    )
    monkeypatch.setattr(anchors, "_MOST_BYTES", 10_000)
    write_anchors(design, tmp_path, tmp_path / "out")
    plans = json.loads((tmp_path / "out/anchors/plans.json").read_text())
    assert plans == {dataset: {"small": {}} for dataset in "ab"}
    assert len([*(tmp_path / "out").rglob("*.safetensors")]) == 2


@pytest.mark.parametrize(
    ("names", "blocks"),
    [
        (["vgg11-seed1", "vgg11-seed2"], ["final", "pixel_values", "spectra"]),
        (["another-seed1"], []),
        ([], []),
    ],
)
def test_jobs_are_for_anchors_that_the_config_has(tmp_path, monkeypatch, names, blocks):
    experiment = experiment_named("smoke", ROOT)
    plan = asdict(experiment.plan("digits", experiment.trained[0]))
    path = tmp_path / "results/reference/smoke/anchors/plans.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"digits": dict.fromkeys(names, plan)}))
    monkeypatch.chdir(tmp_path)
    found = Design(experiment).anchors
    assert [job.wildcards["block"] for job in found] == blocks
    checkpoints = [f"results/reference/smoke/anchors/digits/{name}.safetensors" for name in names]
    assert all(job.inputs["checkpoints"] == checkpoints for job in found)


@pytest.mark.slow
def test_verify_scores_the_anchors_anew(referenced, tmp_path):
    """With another instruction set; a reference whose anchors' scores were edited is refused."""
    checkout = referenced.copy(tmp_path / "own")
    reference = checkout.folder / "results/reference/smoke"
    scores = pd.read_csv(reference / "anchors/scores.csv.gz")
    assert set(scores.stimuli) == {"id", "contrast", "low_pass"}
    assert set(scores.baseline) == {"learned", "shuffled", "transfer", "rotated"}
    shutil.rmtree(checkout.folder / "results/smoke/anchors")
    environment = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = checkout.snakemake("verify", environment=environment)
    assert done.returncode == 0, done.stdout[-3000:]
    assert re.search(r"^anchors +PASS", done.stdout, re.MULTILINE)

    moved = pd.read_csv(reference / "anchors/scores.csv.gz", keep_default_na=False)
    moved.loc[moved.metric == "linear", "score"] += 2e-3
    moved.to_csv(reference / "anchors/scores.csv.gz", index=False)
    assert "is not what SHA256SUMS lists" in checkout.snakemake("verify").stdout
