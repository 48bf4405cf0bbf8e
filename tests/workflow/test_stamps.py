"""Stamps are found again, change nothing else, and follow the bytes they describe."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from convergent_learning.figures import style
from convergent_learning.workflow.checksums import checked_digest, digest
from convergent_learning.workflow.digests import declared
from convergent_learning.workflow.job import job
from convergent_learning.workflow.stamps import read_stamp, record_text, stamp
from convergent_learning.workflow.watch import report_path

RECORD = {"rule": "r", "inputs": {"a (b)\\.csv": "sha256:1"}, "text": "Größe"}


@pytest.fixture(params=["h5", "parquet", "png"])
def product(request, tmp_path):
    path = tmp_path / f"product.{request.param}"
    if request.param == "h5":
        with h5py.File(path, "w") as file:
            file["x"] = np.arange(5)
    elif request.param == "parquet":
        pd.DataFrame({"score": [0.5, 1.0], "fold": [0, 1]}).to_parquet(path)
    else:
        Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(path)
    return path


def content(path):
    if path.suffix == ".h5":
        with h5py.File(path) as file:
            return file["x"][:]
    return pd.read_parquet(path) if path.suffix == ".parquet" else np.asarray(Image.open(path))


def test_a_stamp_is_read_back_and_changes_no_number(product):
    before = content(product)
    assert read_stamp(product) is None
    stamp(product, RECORD)
    assert read_stamp(product) == RECORD
    np.testing.assert_array_equal(content(product), before)


def test_the_same_record_gives_the_same_bytes(product):
    original = product.read_bytes()
    stamp(product, RECORD)
    first = digest(product)
    product.write_bytes(original)
    stamp(product, RECORD)
    assert digest(product) == first


def test_a_record_longer_than_an_hdf5_attribute(tmp_path):
    path = tmp_path / "long.h5"
    h5py.File(path, "w").close()
    long = {"inputs": {f"results/some/long/path/{i}.parquet": "0" * 64 for i in range(2000)}}
    stamp(path, long)
    assert read_stamp(path) == long
    stamp(path, RECORD)
    assert read_stamp(path) == RECORD


def test_figures_carry_the_record_that_they_are_saved_with(tmp_path):
    figure = Figure()
    figure.subplots().plot([0, 1])
    for name, text, found in (("f", record_text(RECORD), RECORD), ("g", "", None)):
        pdf, png = (tmp_path / f"{name}.{kind}" for kind in ("pdf", "png"))
        style.save(figure, pdf, png, text)
        assert read_stamp(pdf) == read_stamp(png) == found
    saved = (tmp_path / "f.png").read_bytes()
    stamp(tmp_path / "f.png", RECORD)
    assert (tmp_path / "f.png").read_bytes() == saved


def test_digests_that_a_file_states(tmp_path):
    with h5py.File(tmp_path / "d.h5", "w") as file:
        file.attrs.update(sha256_train="a", stimulus_digest="b", dataset="c")
    assert declared(tmp_path / "d.h5") == {"sha256_train": "a", "stimulus_digest": "b"}
    assert declared(tmp_path / "d.csv") == {}


@pytest.fixture
def snakemake(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    for folder in ("results/e/logs/tables", "workflow/scripts", "envs"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "in.csv").write_text("1")
    return SimpleNamespace(
        rule="tables",
        wildcards={"dataset": "d"},
        input=["in.csv"],
        output=["results/e/out.csv", "results/e/out.png"],
        params={"draws": 9, "code": "c0de"},
        config={"experiment": "e", "seed": 3, "networks": [{"architecture": "a", "seeds": [1]}]},
        scriptdir=str(tmp_path / "workflow/rules/../scripts"),
        log=["results/e/logs/tables/x.log"],
        threads=1,
    )


def test_a_job_leaves_its_record(snakemake, tmp_path):
    with job(snakemake):
        (tmp_path / "results/e/out.csv").write_text("2")
        Image.new("RGB", (2, 2)).save(tmp_path / "results/e/out.png")
    record = json.loads((tmp_path / "results/e/provenance/tables/x.json").read_text())
    assert record["inputs"] == {"in.csv": digest(tmp_path / "in.csv")}
    assert checked_digest(Path("results/e/out.csv")) == digest(tmp_path / "results/e/out.csv")
    assert record["seeds"] == {"experiment": 3, "a": [1]}
    assert record["code"]["commit"] is None
    assert record["code"]["digest"] == "c0de"
    outputs = record.pop("outputs")
    assert read_stamp(tmp_path / "results/e/out.png") == record
    assert len(outputs) == 2


def test_a_job_logs_what_its_imports_took(tmp_path):
    code = f"""
import time
from types import SimpleNamespace
from convergent_learning.workflow.job import _start
time.sleep(0.5)
_start(SimpleNamespace(log=[{str(tmp_path / "a.log")!r}], threads=1))
"""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", code], check=True)
    lasted = time.monotonic() - began
    line = re.search(r"work starts ([\d.]+) s after the process", (tmp_path / "a.log").read_text())
    assert 0.5 <= float(line[1]) <= lasted + 0.02  # the kernel counts in hundredths of a second


def test_a_job_that_fails_leaves_none(snakemake, tmp_path):
    with pytest.raises(ValueError, match="no"), job(snakemake):
        raise ValueError("no")
    assert not (tmp_path / "results/e/provenance").exists()


def test_the_log_begins_with_the_reports_on_killed_attempts_until_one_succeeds(snakemake):
    snakemake.output = []
    log, report = Path(snakemake.log[0]), report_path(snakemake.log[0])
    report.write_text("CRITICAL was killed\n")
    with pytest.raises(ValueError, match="no"), job(snakemake):
        raise ValueError("no")
    assert log.read_text().startswith("CRITICAL was killed\n")
    with job(snakemake):
        assert log.read_text().startswith("CRITICAL was killed\n")
    with job(snakemake):
        assert "was killed" not in log.read_text()


def test_an_error_that_names_a_signal_says_what_it_means(snakemake):
    with pytest.raises(RuntimeError, match="SIGKILL") as caught, job(snakemake):
        raise RuntimeError("1 of 1 trainings failed. resnet18: killed by SIGKILL")
    assert "memory runs out" in caught.value.__notes__[0]
