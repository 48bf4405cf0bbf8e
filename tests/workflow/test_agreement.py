"""Limits for networks trained anew, from runs that differ by noise of a known size."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from checkout import ROOT, write_reference

from convergent_learning.config.overlay import resolved_config
from convergent_learning.tables.schema import OPTIONAL, Role, with_role
from convergent_learning.tables.schema import TABLES as EVERY
from convergent_learning.tables.storage import read_table, write_table
from convergent_learning.verify import roles
from convergent_learning.verify.agreement import RUNS, false_alarms
from convergent_learning.verify.page import page
from convergent_learning.verify.reference import (
    finish_reference,
    in_common,
    read_fingerprints,
    unpack_tables,
)
from convergent_learning.verify.result import verify
from convergent_learning.verify.runs import Rows, Run
from convergent_learning.verify.spread import LARGEST, OF_MANY, Pools, disjoint
from convergent_learning.verify.tolerances import Tolerances
from convergent_learning.workflow.honest import HonestRun, honest_runs, make_honest_run

TABLES = [name for name in EVERY if name not in OPTIONAL]
NOISE = 0.03
CONFIG = {"experiment": "smoke", "seed": 0}
SEEDS = 3  # of a group of the smoke experiment


@pytest.fixture(scope="session")
def rerun(finished, tmp_path_factory):
    """Makes results folders as of networks trained anew, every trained number a bit off."""
    original = finished.folder / "results/smoke"

    def make(name, noise=NOISE):
        folder = tmp_path_factory.mktemp("runs") / name
        shutil.copytree(original / "tables", folder / "tables")
        rng = np.random.default_rng(sum(map(ord, name)))
        for table in TABLES:
            frame = read_table(folder / "tables", table)
            trained = roles.pools(table, frame).stage != roles.UNTRAINED
            for column in roles.measured(table, frame):
                # Claims and counts follow from the numbers; here they stay as they are.
                if pd.api.types.is_float_dtype(frame[column]):
                    moved = frame[column] + noise * rng.normal(size=len(frame))
                    frame[column] = frame[column].where(~trained, moved)
            frame.to_csv(folder / f"tables/{table}.csv", index=False)
        shutil.copy(original / "claims.json", folder)
        return folder

    return make


@pytest.fixture(scope="session")
def rows(finished, tmp_path_factory):
    """Those of a reference of the smoke experiment, and the folder that it is in."""
    reference = tmp_path_factory.mktemp("agreement") / "smoke"
    write_reference(finished.folder / "results/smoke", reference, CONFIG)
    return reference, Rows(reference, in_common(CONFIG))


@pytest.fixture(scope="session")
def honest(rows):
    """Makes runs in memory with networks of seeds from `first` on."""
    reference, known = rows
    own = known.read(reference, {"precision": "float32", "threads": 1, "processor": "a"})
    floats = np.array([is_float(*pool) for pool in known.pools[["table", "column"]].to_numpy()])

    def make(first):
        rng = np.random.default_rng(first)
        values = own.values + NOISE * rng.normal(size=len(own.values)) * floats
        seeds = {group: [first, first + 1, first + 2] for group in own.about["seeds"]}
        return Run(f"seeds{first}", own.about | {"seeds": seeds}, values)

    return make


def is_float(table, column):
    return table != "claims" and not column.startswith("n_")


@pytest.fixture(scope="session")
def calibrated(rows, honest):
    """The reference with eight honest runs, each of other networks, and what they say."""
    reference, known = rows
    for first in range(4, 28, SEEDS):
        run = honest(first)
        known.write(run, reference / RUNS / f"{run.name}.h5")
    return reference, finish_reference(reference)


def failed(reference, results):
    found = verify(reference, results)
    # Noise on summaries does not follow from the pairs.
    ignored = {"setting", "consistency", "claims"}
    return {part.name for part in found.parts if not part.passed} - ignored


def test_the_spread_is_that_of_the_difference_of_two_runs(calibrated):
    spread = pd.read_csv(calibrated[0] / "spread.csv.gz", keep_default_na=False)
    scores = spread[(spread.table == "fig2_pairs") & (spread.column == "score")]
    assert set(scores.stage) == {"final"}
    assert scores.spread.to_numpy() == pytest.approx(NOISE * 2**0.5, rel=0.6)
    assert scores.spread.mean() == pytest.approx(NOISE * 2**0.5, rel=0.1)


def test_limits_are_what_honest_runs_show_with_a_margin(calibrated):
    limits = {(each["statistic"], each["kind"]): each["limit"] for each in calibrated[1]["limits"]}
    assert 1.3 < limits[OF_MANY, roles.NUMBER] < 2.3
    assert all(5 < limits[LARGEST, kind] < 10 for kind in roles.KINDS)


def test_false_alarms_are_counted_on_runs_that_the_limits_do_not_know(calibrated):
    counted = calibrated[1]["false_alarms"]
    names = sorted(f"seeds{first}" for first in range(4, 28, SEEDS))
    assert [each["counted_on"] for each in counted] == [
        "smoke",
        *names,
        "second half",
        "first half",
    ]
    assert [each["verifications"] for each in counted] == [8] * 9 + [10, 6]
    assert all(each["fitted_on"] == 8 for each in counted[:9])
    assert sum(each["failed"] for each in counted[:9]) <= 1
    assert counted[0]["failed"] == 0 or max(counted[0]["largest"].values()) > 1


def test_the_committed_limits_are_those_of_the_committed_runs(tmp_path):
    committed = ROOT / "results/reference/cifar10"
    shutil.copytree(committed, tmp_path / "cifar10")
    derived = finish_reference(tmp_path / "cifar10")
    stated = json.loads((committed / "agreement.json").read_text())
    for one, other in zip(derived["limits"], stated["limits"], strict=True):
        assert one["limit"] == pytest.approx(other["limit"], rel=0.01)
    assert [each["failed"] for each in derived["false_alarms"]] == [
        each["failed"] for each in stated["false_alarms"]
    ]
    assert derived["runs"] == stated["runs"]


def test_the_committed_page_is_that_of_the_committed_runs():
    reference = ROOT / "results/reference/cifar10"
    measured = json.loads((reference / "agreement.json").read_text())
    made = (ROOT / "docs/agreement.md").read_text(encoding="utf-8")
    script = ROOT / "benchmarks/agreement/shifts.py"
    seen = subprocess.run(
        [sys.executable, script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    printed = "\n".join([*page("cifar10", measured), seen.stdout])
    assert made == printed, "run `make findings`"


def test_runs_of_common_networks_are_not_compared(honest):
    runs = [honest(first) for first in (1, 3, 4)]
    assert [(a.name, b.name) for a, b in disjoint(runs)] == [("seeds1", "seeds4")]


def test_a_stored_run_is_the_run(rows, honest, tmp_path):
    run = honest(31)
    rows[1].write(run, tmp_path / "seeds31.h5")
    found = rows[1].stored(tmp_path / "seeds31.h5")
    np.testing.assert_allclose(found.values, run.values, rtol=1e-3, atol=1e-7)
    assert (found.name, found.about) == (run.name, run.about)
    run.values[3] = 1e6
    with np.errstate(over="ignore"), pytest.raises(ValueError, match="too large to be kept"):
        rows[1].write(run, tmp_path / "large.h5")


def test_a_run_of_other_rows_or_another_config_is_refused(rows, honest, rerun, tmp_path):
    reference, known = rows
    known.write(honest(4), tmp_path / "other.h5")
    with pytest.raises(ValueError, match=r"other\.h5 of the reference is a run of another config"):
        Rows(reference, in_common(CONFIG | {"seed": 1})).stored(tmp_path / "other.h5")
    fewer = rerun("fewer")
    table = read_table(fewer / "tables", "fig2_pairs")
    table[1:].to_csv(fewer / "tables/fig2_pairs.csv", index=False)
    with pytest.raises(ValueError, match="fewer is no run of the reference's experiment: 1 rows"):
        known.read(fewer, {})
    with pytest.raises(
        ValueError, match=r"other\.h5 of the reference holds numbers in the rows of"
    ):
        Rows(fewer).stored(tmp_path / "other.h5")


def test_a_number_that_one_run_lacks_is_an_alarm(rows, honest):
    runs = [honest(first) for first in range(1, 28, SEEDS)]
    pools = Pools(rows[1].pools)
    assert false_alarms(pools, "held", runs[1:], runs[:1])["failed"] < 4
    runs[0].values[np.flatnonzero(np.isfinite(runs[0].values))[0]] = np.nan
    assert false_alarms(pools, "held", runs[1:], runs[:1])["failed"] == 8


def test_an_honest_rerun_passes(calibrated, rerun):
    assert failed(calibrated[0], rerun("ninth")) == set()


@pytest.mark.slow
@pytest.mark.parametrize("column", ["score", pytest.param("ood", marks=pytest.mark.slow)])
def test_all_of_a_column_shifted_by_less_than_its_largest_deviations_fails(
    calibrated, rerun, column
):
    shifted = rerun("tenth")
    for name in TABLES:
        table = read_table(shifted / "tables", name)
        if column in with_role(name, Role.SHARED, Role.MEASURED):
            trained = roles.pools(name, table).stage != roles.UNTRAINED
            table[column] += 5 * NOISE * trained
            table.to_csv(shifted / f"tables/{name}.csv", index=False)
    found = verify(calibrated[0], shifted)
    over = found.sums[found.sums.spreads > found.sums.limit]
    assert set(over.column) == {column}
    assert failed(calibrated[0], shifted) == {"trained networks"}


def test_one_number_far_off_fails(calibrated, rerun):
    shifted = rerun("eleventh")
    table = read_table(shifted / "tables", "fig6_pairs")
    table.loc[3, "ood"] += 20 * NOISE
    table.to_csv(shifted / "tables/fig6_pairs.csv", index=False)
    found = verify(calibrated[0], shifted)
    beyond = found.numbers[found.numbers.deviation > 1]
    assert set(zip(beyond.table, beyond.column, strict=True)) == {
        ("fig6_pairs", "ood"),
        ("fig6_pairs", "ood among metrics"),
    }


@pytest.mark.slow
def test_a_reference_without_honest_runs_judges_no_network_trained_anew(rerun, tmp_path):
    reference = tmp_path / "smoke"
    original = rerun("original")
    write_reference(original, reference)
    [trained] = [p for p in verify(reference, rerun("other")).parts if p.name == "trained networks"]
    assert not trained.passed
    assert "no honest runs" in trained.reason
    assert not verify(reference, original).numbers.deviation.any()
    assert not (reference / "spread.csv.gz").exists()


@pytest.mark.parametrize("precision", ["portable", "float32"])
def test_portable_weights_have_to_be_the_references(tmp_path, precision):
    reference = ROOT / "results/reference/smoke"
    unpack_tables(reference, tmp_path)
    shutil.copy(reference / "claims.json", tmp_path)
    config = resolved_config("smoke", ROOT)
    config["training"]["precision"] = precision
    digests = read_fingerprints(reference)
    other = (digests.name == "vgg11-seed1 step 20").to_numpy()
    assert other.sum() == 1
    digests.loc[other, "sha256"] = "0" * 64
    found = verify(reference, tmp_path, config, found=digests)
    [trained] = [part for part in found.parts if part.name == "trained networks"]
    assert trained.passed == (precision == "float32")
    assert ("the first that differs is vgg11-seed1 step 20" in trained.reason) != trained.passed
    lost = digests.assign(sha256=digests.sha256.where(~other, ""))
    assert not verify(reference, tmp_path, config, found=lost).unpromised


def test_runs_of_a_set_of_seeds_are_three_splits_of_it():
    group = {"architecture": "vgg11", "layers": "default"}
    config = {"experiment": "e", "networks": [group | {"seeds": [1, 2, 3]}], "training": {}}
    runs = [*honest_runs(config, 2)]
    assert [run.seeds for run in runs] == [
        *([4, 5, 6], [7, 8, 9], [10, 11, 12]),
        *([1, 2, 4], [3, 5, 6], [7, 8, 10], [9, 11, 12]),
        *([1, 3, 5], [2, 4, 6], [7, 9, 11], [8, 10, 12]),
    ]
    assert runs[0].name == "e-seeds-4-5-6"
    assert runs[1].config(config)["training"] == {"precision": "float32", "threads": 1}
    pretrained = group | {"weights": "IMAGENET1K_V1", "seeds": [1]}
    config["networks"].append(pretrained)
    assert next(honest_runs(config, 1)).config(config)["networks"][1] == pretrained
    for groups in ([[1]], [[1, 2, 3], [4, 5, 6]]):
        with pytest.raises(ValueError, match="same seeds, three or more"):
            next(honest_runs({"networks": [group | {"seeds": seeds} for seeds in groups]}, 1))


@pytest.mark.parametrize(
    ("table", "column", "metric", "least"),
    [
        ("fig2_pairs", "n_dead_x", "linear", 0.5),
        ("fig4_matches", "mean", "linear", 0.01),
        ("fig4_matches", "low", "linear", 0.05),
        ("claims", "estimate", "C3b", 0.01),
        ("claims", "estimate", "C2b", 0.005),
    ],
)
def test_a_pool_without_numbers_has_the_least_spread(table, column, metric, least):
    rows = [(table, column, metric, "", "", "final", "a", "conv")]
    assert Pools(pd.DataFrame(rows, columns=roles.POOL)).spread([]) == [least]


def test_a_match_may_go_elsewhere_by_rounding():
    """One of the 18 of three pairs of networks with three blocks: no score need be far off."""
    row = pd.DataFrame([("fig4_matches", "mean", "procrustes", "", "", "final", "a", "")])
    same_weights = Tolerances(pd.Series(dtype=float), {}, same_weights=True)
    [share] = same_weights.of("fig4_matches", "mean", row.set_axis(roles.POOL, axis=1))
    [score] = same_weights.of("fig4", "mean", row.set_axis(roles.POOL, axis=1))
    assert share > 1 / 18 > 100 * score
    assert same_weights.of_claim("C3b", "estimate") == share


def test_a_match_that_goes_elsewhere_is_no_alarm():
    """All runs but one have every best match within one layer; that one misses two of 54."""
    pools = Pools(
        pd.DataFrame(
            [("fig4_matches", "mean", "linear", "", "", "final", "a", "")], columns=roles.POOL
        )
    )
    runs = [Run(f"{i}", {"seeds": {"a": [i]}}, np.array([1.0])) for i in range(4)]
    spread = pools.spread(runs)
    found = pools.statistics((np.array([1.0]) - np.array([52 / 54])) / spread)
    assert found[LARGEST, roles.NUMBER] < 4


def test_networks_that_are_not_trained_keep_their_seeds_in_honest_runs():
    config = resolved_config("smoke", ROOT)
    given = {"name": "given", "architecture": "vgg11", "layers": "default", "seeds": [1]}
    given |= {"activations": "ours/{seed}_{condition}.h5"}
    config["networks"].append(given)
    [run, *_] = honest_runs(config, 1)
    *trained, last = run.config(config)["networks"]
    assert [entry["seeds"] for entry in trained] == [[4, 5, 6]] * 2
    assert last == given


def test_an_honest_run_leaves_its_numbers_in_the_reference(finished, tmp_path, monkeypatch):
    """Snakemake is played by a copy of the finished results under other seeds."""
    monkeypatch.chdir(tmp_path)
    config = resolved_config("smoke", ROOT)
    reference = tmp_path / "reference"
    write_reference(finished.folder / "results/smoke", reference, config)
    asked = []

    def snakemake(*arguments):
        asked.append(arguments)
        overlay = yaml.safe_load(Path(arguments[-1]).read_text())
        assert [entry["seeds"] for entry in overlay["networks"]] == [[4, 5, 6]] * 2
        assert overlay["training"]["precision"] == "float32"
        assert overlay["stimuli"] == config["stimuli"]
        made = Path("results") / overlay["experiment"]
        shutil.copytree(finished.folder / "results/smoke/tables", made / "tables")
        shutil.copy(finished.folder / "results/smoke/claims.json", made)
        for name in TABLES:
            table = read_table(made / "tables", name)
            for column in table.columns[table.columns.str.contains("seed")]:
                table[column] += 3
            write_table(table, made / "tables", name)

    run = HonestRun("smoke", [4, 5, 6], {"precision": "float32"})
    for _ in range(2):
        kept = make_honest_run(run, config, reference, snakemake)
    assert len(asked) == 1
    assert asked[0][0] == "results/smoke-seeds-4-5-6/claims.json"
    assert f"results/{run.name}/tables/fig6_pairs.csv" in asked[0]
    assert [*Path("results").iterdir()] == []
    found = Rows(reference, in_common(config)).stored(kept)
    assert found.about["seeds"] == {"resnet18": [4, 5, 6], "vgg11": [4, 5, 6]}
    assert found.about["precision"] == "float32"
    assert ("vgg11", 5) in found.networks
