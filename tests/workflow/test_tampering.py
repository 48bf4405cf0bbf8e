"""Whatever is changed in rebuilt results or in the reference, verify says so."""

import copy
import json
import shutil

import pandas as pd
import pytest
from checkout import write_reference

from convergent_learning.claims.evaluation import write_claims
from convergent_learning.figures import figures
from convergent_learning.tables.storage import read_table, tables_in, write_table
from convergent_learning.verify.printed import lines
from convergent_learning.verify.reference import BadReferenceError
from convergent_learning.verify.result import verify
from convergent_learning.verify.tolerances import Tolerances
from convergent_learning.verify.verdicts import compare_claims


@pytest.fixture(scope="session")
def pristine(finished, tmp_path_factory):
    """Reference and results of the smoke experiment."""
    folder = tmp_path_factory.mktemp("tampering")
    results = finished.folder / "results/smoke"
    write_reference(results, folder / "reference")
    (folder / "rebuilt").mkdir()
    shutil.copytree(results / "tables", folder / "rebuilt/tables")
    shutil.copy(results / "claims.json", folder / "rebuilt")
    return folder


@pytest.fixture
def folders(pristine, tmp_path):
    shutil.copytree(pristine, tmp_path / "both")
    return tmp_path / "both/reference", tmp_path / "both/rebuilt"


def failed(folders, config=None):
    """Lines of the summary that failed, and all that was printed."""
    found = verify(*folders, config)
    table = found.summary()
    names = [*table.what[~table.passed.astype(bool)], *(c.id for c in found.claims if c.failed)]
    printed = "\n".join(lines(found))
    assert ("verify: FAIL" in printed) == (not found.passed)
    return names, printed


def change(folders, name, edit):
    tables = folders[1] / "tables"
    write_table(edit(read_table(tables, name)), tables, name)


def derive(folders):
    """Make summaries and claims anew, so that results agree with themselves."""
    tables = folders[1] / "tables"
    frames = {name: read_table(tables, name) for name in tables_in(tables)}
    for figure in range(2, 7):
        for name, frame in figures()[figure].DATA.summarised(frames, frames).items():
            write_table(frame, tables, name)
    write_claims(tables, folders[1] / "claims.json")


def test_untouched_results_pass(folders):
    assert failed(folders)[0] == []


@pytest.mark.parametrize("step", [0, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("metric", "allowed"),
    [
        ("procrustes", 2e-4),
        pytest.param("linear", 1e-3, marks=pytest.mark.slow),
        pytest.param("permutation", 5e-3, marks=pytest.mark.slow),
    ],
)
def test_a_number_moved_by_more_than_rounding(folders, step, metric, allowed):
    def move(by):
        def edit(table):
            own = (table.metric == metric) & (table.baseline == "learned") & (table.step == step)
            table.loc[table.index[own][7], "score"] += by
            return table

        return edit

    change(folders, "fig2_pairs", move(0.9 * allowed))
    derive(folders)
    assert failed(folders)[0] == []
    change(folders, "fig2_pairs", move(0.2 * allowed))
    derive(folders)
    names, printed = failed(folders)
    assert names == ["figure 2"]
    assert "fig2_pairs.score" in printed.split("largest deviations\n")[1].splitlines()[0]


def test_what_was_not_checked_is_not_said_to_hold(folders):
    change(folders, "fig6_pairs", lambda table: table.drop(index=5))
    [part] = [part for part in verify(*folders).parts if part.name == "consistency"]
    assert not part.passed
    assert part.reason.startswith("not checked")


def test_a_missing_row(folders):
    change(folders, "fig6_pairs", lambda table: table.drop(index=5))
    names, printed = failed(folders)
    assert names == ["figure 6"]
    assert "fig6_pairs: 1 row missing: digits" in printed


def test_a_row_twice(folders):
    change(folders, "fig5", lambda table: pd.concat([table, table.iloc[:1]]))
    assert failed(folders)[0] == ["figure 5"]


def test_another_seed_set(folders):
    change(folders, "fig3_pairs", lambda table: table.replace({"seed_y": {3: 4}}))
    assert failed(folders)[0] == ["figure 3"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("fig2_pairs", "figure 2"),
        pytest.param("fig6_pairs", "figure 6", marks=pytest.mark.slow),
    ],
)
def test_a_swapped_metric(folders, name, figure):
    swap = {"linear": "procrustes", "procrustes": "linear"}
    change(folders, name, lambda table: table.assign(metric=table.metric.replace(swap)))
    assert figure in failed(folders)[0]
    derive(folders)
    assert figure in failed(folders)[0]


def test_a_count(folders):
    change(folders, "accuracy", lambda table: table.assign(n=table.n - 1))
    assert failed(folders)[0] == ["accuracy"]


def test_a_data_digest(folders):
    path = folders[1] / "tables/datasets.csv"
    table = pd.read_csv(path)
    table.loc[0, "sha256_train"] = "0" * 64
    table.to_csv(path, index=False)
    assert failed(folders)[0] == ["setting"]


def test_a_marked_best_match_and_a_condition_called_near_chance(folders):
    def worst(table):
        cells = table[(table.metric == "linear") & (table.target_role == "block")]
        table.loc[cells["mean"].idxmin(), "best"] = True
        return table

    change(folders, "fig4", worst)
    assert failed(folders)[0] == ["figure 4"]


def test_a_missing_table(folders):
    (folders[1] / "tables/fig1_training.csv").unlink()
    assert failed(folders)[0] == ["figure 1"]


def test_another_picture(folders):
    shutil.copy(folders[1] / "tables/fig2.csv", folders[1] / "tables/fig1_stimuli.png")
    assert failed(folders)[0] == ["figure 1"]


def edit_claim(folders, key, **values):
    path = folders[1] / "claims.json"
    claims = json.loads(path.read_text())
    next(claim for claim in claims if claim["id"] == key).update(values)
    path.write_text(json.dumps(claims))


def test_an_estimate(folders):
    edit_claim(folders, "C7a", estimate=9.0)
    names, _ = failed(folders)
    assert names == ["C7a", "C7"]


def test_a_verdict_that_no_threshold_explains(folders):
    claims = json.loads((folders[0] / "claims.json").read_text())
    [given] = [claim["verdict"] for claim in claims if claim["id"] == "C3a"]
    edit_claim(folders, "C3a", verdict="not supported")
    names, printed = failed(folders)
    assert names == ["C3a", "C3"]
    assert f"verdict is 'not supported', the tables give {given!r}" in printed


def test_a_verdict_at_its_threshold(folders):
    claims = json.loads((folders[0] / "claims.json").read_text())
    near, beyond = (copy.deepcopy(claims) for _ in range(2))
    for made, low, verdict in ((near, 0.004, "supported"), (beyond, -0.004, "inconclusive")):
        claim = next(claim for claim in made if claim["id"] == "C3a")
        claim.update(ci_low=claim["threshold"] + low, verdict=verdict)
    compared = compare_claims(near, beyond, Tolerances.read(folders[0], same_weights=True))
    assert [claim.id for claim in compared if claim.failed] == []
    [changed] = [claim for claim in compared if claim.id == "C3a"]
    assert changed.note == "verdict at its threshold"


@pytest.mark.parametrize("values", [{"reason": "…"}, {"ci_low": 0.0}, {"verdict": "perhaps"}])
def test_a_claim_that_the_tables_do_not_give(folders, values):
    edit_claim(folders, "C1a", **values)
    names, printed = failed(folders)
    assert "C1a" in names
    assert "the tables give" in printed


def test_a_summary_that_its_pairs_do_not_give(folders):
    """By far less than its tolerance."""
    change(folders, "fig6_slopes", lambda table: table.assign(slope=table.slope + 0.001))
    names, printed = failed(folders)
    assert names == ["figure 6"]
    assert "does not follow from the pairs" in printed


def test_text_in_place_of_a_number(folders):
    path = folders[1] / "tables/fig2.csv"
    header, row, *rest = path.read_text().splitlines()
    path.write_text("\n".join([header, row.rsplit(",", 3)[0] + ",n/a,3,3", *rest]) + "\n")
    names, printed = failed(folders)
    assert names == ["figure 2"]
    assert "fig2: high holds 'n/a', which is no number" in printed


@pytest.mark.parametrize("name", ["tables/fig2.csv", "claims.json", "digests.csv"])
def test_a_changed_reference(folders, name):
    path = folders[0] / name
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(BadReferenceError, match=f"changed: {name}"):
        verify(*folders)


def test_a_reference_with_a_file_more_or_less(folders):
    (folders[0] / "tables/fig7.csv").write_text("a\n")
    with pytest.raises(BadReferenceError, match=r"not listed: tables/fig7\.csv"):
        verify(*folders)
    (folders[0] / "tables/fig7.csv").unlink()
    (folders[0] / "claims.json").unlink()
    with pytest.raises(BadReferenceError, match=r"missing: claims\.json"):
        verify(*folders)


def test_another_config(folders):
    names, printed = failed(folders, {"experiment": "smoke", "seed": 1, "more": {"width": 2}})
    assert names == ["setting"]
    assert "config: seed is 1, in the reference 0" in printed
    assert "config: more is {'width': 2}, in the reference absent" in printed
