"""The DAG itself, run on the embedded digits: every rule, in a folder of its own."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from convergent_learning.tables.schema import COLUMNS, OPTIONAL

SCORE_COLUMNS = [
    *("dataset", "group_x", "group_y", "seed_x", "seed_y", "step"),
    *("stimuli", "condition", "layer_x", "layer_y", "depth_x", "depth_y", "metric", "center"),
    *("baseline", "draw", "direction", "fold", "score", "n_dead_x", "n_dead_y"),
]


@pytest.fixture
def results(finished):
    return finished.folder / "results/smoke"


def test_every_figure_is_there_as_pdf_and_png(results):
    for number in range(1, 7):
        assert (results / f"figures/fig{number}.pdf").read_bytes().startswith(b"%PDF")
        picture = np.asarray(Image.open(results / f"figures/fig{number}.png").convert("L"))
        assert picture.shape[1] > 900
        assert picture.std() > 10


def test_every_table_has_its_columns(results):
    for name, columns in COLUMNS.items():
        if name in OPTIONAL:
            assert not (results / f"tables/{name}.csv").exists()
            continue
        table = pd.read_csv(results / f"tables/{name}.csv")
        assert list(table.columns) == columns
        assert len(table) or name == "duplicate_conditions"


def test_scores_are_tidy_and_hold_every_comparison(results):
    scores = pd.read_parquet(results / "scores")
    assert list(scores.columns) == SCORE_COLUMNS
    assert set(scores.metric) >= {"linear", "procrustes", "permutation", "soft_matching", "cka"}
    assert set(scores.baseline) == {"learned", "rotated", "shuffled", "transfer"}
    assert set(scores.center) == {"position", "unit"}
    assert set(scores.direction) == {"x->y", "y->x"}
    assert set(scores.fold) == set(range(5))
    within = scores.group_x == scores.group_y
    assert (~within).any()
    learned = scores[within & (scores.baseline == "learned") & (scores.center == "position")]
    id_scores = learned[(learned.stimuli == "id") & (learned.metric == "procrustes")]
    own = id_scores[id_scores.layer_x == id_scores.layer_y]
    per_step = own.groupby(["group_x", "step", "layer_x"]).size()
    assert (per_step == 3 * 2 * 5).all()  # pairs x directions x folds
    assert sorted(own.step.unique()) == [0, 5, 10, 20]


def test_accuracy_has_every_checkpoint_and_condition(results):
    accuracy = pd.read_csv(results / "tables/accuracy.csv", keep_default_na=False)
    identity = accuracy[accuracy.stimuli == "id"]
    assert len(identity) == 6 * 4
    conditions = accuracy[accuracy.stimuli != "id"]
    assert set(conditions.stimuli) == {"contrast", "low_pass"}
    assert len(conditions) == 6 * 3


def test_claims_have_their_fields_and_a_verdict(results):
    claims = json.loads((results / "claims.json").read_text())
    assert {claim["id"] for claim in claims} >= {f"C{i}" for i in range(1, 8)}
    fields = {
        *("id", "claim", "statistic", "estimate", "ci_low", "ci_high"),
        *("threshold", "n", "verdict", "reason", "dataset", "part", "figure", "notes", "groups"),
    }
    for claim in claims:
        assert set(claim) == fields
        assert claim["verdict"] in ("supported", "not supported", "inconclusive")


def test_the_report_is_one_page_that_needs_nothing_else(results):
    page = (results / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 6
    assert "<script src" not in page
    assert 'rel="stylesheet"' not in page
    for claim in json.loads((results / "claims.json").read_text()):
        assert claim["id"] in page


@pytest.mark.slow
def test_snakemakes_own_report_holds_products_and_captions(finished, tmp_path):
    page = tmp_path / "report.html"
    done = finished.snakemake("--report", str(page))
    assert done.returncode == 0, done.stdout[-5000:]
    text = page.read_text(encoding="utf-8")
    for name in ("fig1.pdf", "fig6.pdf", "claims.json", "report.html", "Held-out"):
        assert name in text


def test_activations_are_gone_and_moments_stay(results):
    assert not (results / "activations").exists()
    assert len(list((results / "moments/digits").rglob("*.h5"))) == 4 + 3
    assert not [path for path in results.rglob(".*") if path.is_dir()]


def test_every_job_has_a_log_and_a_benchmark(results):
    logs = {p.relative_to(results / "logs").with_suffix("") for p in results.rglob("*.log")}
    times = {p.relative_to(results / "benchmarks").with_suffix("") for p in results.rglob("*.tsv")}
    assert logs == times


def test_a_second_run_has_nothing_to_do(finished):
    assert "Nothing to be done" in finished.snakemake().stdout


@pytest.mark.slow
def test_claims_are_printed_whenever_they_are_asked_for(own_copy):
    """They are not printed by a dry run, and are made first if they are stale."""
    printed = "verdict         estimate         95% interval"
    assert own_copy.planned("claims") == {"claims": 1}
    assert printed not in own_copy.snakemake("claims", "-n").stdout
    for _ in range(2):
        done = own_copy.snakemake("claims")
        assert done.returncode == 0, done.stdout
        assert done.stdout.count(printed) == 1
    claims = own_copy.folder / "results/smoke/claims.json"
    before = claims.read_bytes()
    claims.unlink()
    assert own_copy.planned("claims") == {"claims_file": 1, "claims": 1}
    assert own_copy.snakemake("claims").stdout.count(printed) == 1
    assert claims.read_bytes() == before


@pytest.mark.slow
def test_a_missing_figure_is_rebuilt_and_nothing_else(own_copy):
    figure = own_copy.folder / "results/smoke/figures/fig4.png"
    before = figure.read_bytes()
    figure.unlink()
    assert own_copy.planned("fig4") == {"fig4": 1}
    assert own_copy.snakemake("fig4").returncode == 0
    assert figure.read_bytes() == before


def test_an_edited_figure_module_redraws_that_figure_alone(own_copy):
    module = own_copy.folder / "src/convergent_learning/figures/fig3.py"
    module.write_text(module.read_text().replace("linewidth=0.5", "linewidth=0.6"))
    assert own_copy.planned("fig3") == {"fig3": 1}


def test_one_more_condition_trains_nothing(own_copy):
    overlay = own_copy.overlay.read_text()
    own_copy.overlay.write_text(overlay.replace("levels: [50, 10]", "levels: [50, 30, 10]"))
    planned = own_copy.planned().keys()
    assert {"condition_stimuli", "moments", "scores", "fig6"} <= planned
    assert not {rule for rule in planned if rule.startswith("train_")}


def test_one_metric_less_reads_moments_only(own_copy):
    with own_copy.overlay.open("a") as overlay:
        overlay.write("  metrics: [linear, procrustes, permutation]\n")
    planned = own_copy.planned().keys()
    assert {"scores", "fig2_tables"} <= planned
    assert not planned & {"dataset", "condition_stimuli", "moments"}


@pytest.mark.slow
def test_two_more_seeds_train_two_networks_and_score_new_pairs(own_copy, finished):
    """In an experiment of another name: networks and scores of pairs belong to all."""
    overlay = own_copy.overlay.read_text().replace("experiment: smoke", "experiment: more")
    overlay = overlay.replace("seeds: [1, 2, 3]", "seeds: [1, 2, 3, 4]")
    (own_copy.folder / "workflow/experiments/more.yaml").write_text(overlay)
    more = {"configfile": "workflow/experiments/more.yaml"}
    trained = [rule for rule in own_copy.planned(**more) if rule.startswith("train_")]
    assert sorted(trained) == ["train_digits_resnet18-seed4", "train_digits_vgg11-seed4"]
    scores = "scores/digits_spectra.parquet"
    done = own_copy.snakemake(f"results/more/{scores}", **more)
    assert done.returncode == 0, done.stdout[-5000:]
    record = json.loads(
        (own_copy.folder / "results/more/provenance" / scores).with_suffix(".json").read_text()
    )
    assert list(record["taken_over"]) == [f"results/smoke/{scores}"]
    old = pd.read_parquet(finished.folder / "results/smoke" / scores)
    new = pd.read_parquet(own_copy.folder / "results/more" / scores)
    assert len(new) == 2 * len(old)  # six pairs of four networks for three of three
    pd.testing.assert_frame_equal(
        new[~new.seed_x.eq(4) & ~new.seed_y.eq(4)].reset_index(drop=True), old
    )


@pytest.mark.slow
def test_more_and_smaller_scoring_jobs_give_the_same_table(own_copy, finished):
    """A figure's table, of two blocks of which each has ten jobs of moments and ten of scores."""
    with own_copy.overlay.open("a") as overlay:
        overlay.write("  networks_per_job: 2\n")
    results = own_copy.folder / "results/smoke"
    shutil.rmtree(results / "scores")
    (results / "tables/fig4.csv").unlink()
    done = own_copy.snakemake("results/smoke/tables/fig4.csv")
    assert done.returncode == 0, done.stdout[-5000:]
    assert (results / "scores/digits_final_resnet18-1+vgg11-2.parquet").exists()
    made, expected = (
        folder / "tables/fig4.csv" for folder in (results, finished.folder / "results/smoke")
    )
    assert made.read_bytes() == expected.read_bytes()


@pytest.mark.slow
def test_scores_are_judged_by_permutations_of_the_stimuli(own_copy, finished):
    """Nothing else is scored or drawn anew, and no number that was there changes."""
    with own_copy.overlay.open("a") as overlay:
        overlay.write("  shuffles: 19\n")
    tables = {"fig2_tables": 1, "fig4_tables": 1}
    page = {"fig2": 1, "fig4": 1, "claims_file": 1, "report": 1, "research_object": 1}
    assert own_copy.planned() == {"shuffled_scores": 1, **tables, **page}
    done = own_copy.snakemake()
    assert done.returncode == 0, done.stdout[-5000:]
    results, before = (one.folder / "results/smoke" for one in (own_copy, finished))
    for file in ("tables/fig2.csv", "tables/fig4.csv", "tables/fig4_matches.csv"):
        assert (results / file).read_bytes() == (before / file).read_bytes()
    drawn, expected = (Image.open(one / "figures/fig4.png") for one in (results, before))
    assert np.array_equal(drawn, expected)  # the files say what they were drawn from
    layers = pd.read_csv(results / "tables/fig2_calibrated.csv")
    assert len(layers) == 2 * 5 * 4  # groups, layers, metrics
    assert (layers.n_draws == 19).all()
    assert ((layers.calibrated > 0) == (layers.p == 1 / 20)).all()
    assert (layers.p == 1 / 20).mean() > 0.8
    matches = pd.read_csv(results / "tables/fig4_calibrated.csv")
    assert len(matches) == 2 * 6 * 3  # groups, directed pairs, blocks
    null = pd.read_csv(results / "tables/fig4_null.csv")
    assert len(null) == 19 * len(matches)
    said = f"{(matches.p <= 0.05).sum()} of 36 best matches have p ≤ 0.05"
    [c3a] = [c for c in json.loads((results / "claims.json").read_text()) if c["id"] == "C3a"]
    assert said in c3a["reason"]
    text = (results / "report.html").read_text()
    assert said in text
    assert "are calibrated against 19 permutations of the stimuli" in text
    assert "No score is calibrated" not in text


@pytest.mark.slow
def test_moments_that_are_not_kept_give_the_same_scores(own_copy, finished):
    """Two files of scores are made again: layer x layer maps, and an OOD block with transfer."""
    with own_copy.overlay.open("a") as overlay:
        overlay.write("  networks_per_job: null\n\nkeep_moments: false\n")
    results = own_copy.folder / "results/smoke"
    for made in ("scores", "moments"):
        shutil.rmtree(results / made)
    files = [f"scores/digits_{block}.parquet" for block in ("untrained", "spectra")]
    done = own_copy.snakemake(*(f"results/smoke/{file}" for file in files))
    assert done.returncode == 0, done.stdout[-5000:]
    assert not (results / "moments").exists()
    for file in files:
        record = json.loads((results / "provenance" / file).with_suffix(".json").read_text())
        assert record["taken_over"] == {}
        found, expected = (
            pd.read_parquet(folder / file)
            for folder in (results, finished.folder / "results/smoke")
        )
        found, expected = (t.sort_values(SCORE_COLUMNS[:18]) for t in (found, expected))
        pd.testing.assert_frame_equal(
            found.reset_index(drop=True), expected.reset_index(drop=True), atol=1e-4
        )
