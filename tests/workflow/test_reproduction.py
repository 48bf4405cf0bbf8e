"""Verification, provenance and archived checkpoints, on the finished smoke experiment."""

import hashlib
import io
import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest
from checkout import network_folder, write_reference

from convergent_learning.config.design import Design
from convergent_learning.config.experiment import Experiment
from convergent_learning.config.overlay import resolved_config
from convergent_learning.verify.fingerprints import fingerprints
from convergent_learning.verify.reference import make_reference
from convergent_learning.workflow.archive import ArchiveError, pack, unpack
from convergent_learning.workflow.chain import print_chain
from convergent_learning.workflow.checksums import write_checksums
from convergent_learning.workflow.digests import digest_of_values
from convergent_learning.workflow.job_times import stage_times
from convergent_learning.workflow.origin import origin
from convergent_learning.workflow.stamps import read_stamp

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def config():
    return resolved_config("smoke", ROOT)


@pytest.fixture
def results(own_copy, monkeypatch):
    monkeypatch.chdir(own_copy.folder)
    return own_copy.folder / "results/smoke"


@pytest.fixture
def reference(results, config):
    made = results.parent / "reference/smoke"
    times = stage_times(Design(Experiment.of(config)).benchmarks())
    digests = fingerprints(Design(Experiment.of(config)), Path())
    make_reference(results, made, config, origin(ROOT), times, digests)
    return made


def rewrite(path, content):
    """With the time of the original: a newer file would be a reason to rebuild."""
    times = os.stat(path)
    path.write_text(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_the_config_is_resolved_as_snakemake_does(results, config):
    record = json.loads((results / "provenance/claims.json").read_text())
    assert record["config"] == digest_of_values(config)


@pytest.mark.slow
def test_verify_passes_and_catches_a_moved_number(own_copy, results, reference):
    done = own_copy.snakemake("verify")
    assert done.returncode == 0, done.stdout[-3000:]
    assert "verify: PASS" in done.stdout
    assert json.loads((results / "verify.json").read_text())["passed"]
    claims = json.loads((results / "claims.json").read_text())
    claims[0]["estimate"] += 0.1
    rewrite(results / "claims.json", json.dumps(claims))
    done = own_copy.snakemake("verify")
    assert done.returncode != 0
    assert "verify: results/smoke/claims.json is damaged" in done.stdout
    write_checksums(Path("results/smoke/claims.json"))
    done = own_copy.snakemake("verify")
    assert done.returncode != 0
    assert "verify: FAIL" in done.stdout


@pytest.mark.slow
def test_verify_without_a_reference_says_what_to_do(own_copy):
    done = own_copy.snakemake("verify")
    assert done.returncode != 0
    assert "make reference EXPERIMENT=smoke" in done.stdout


def test_products_carry_the_record_of_their_job(results):
    for product, rule in {
        "figures/fig4.pdf": "fig4",
        "figures/fig4.png": "fig4",
        "scores/digits_final.parquet": "scores",
        "moments/digits/untrained/id_step0.h5": "moments",
    }.items():
        record = read_stamp(results / product)
        assert record["rule"] == rule
        assert record["inputs"]
        assert record["code"]["lock"]
        assert record["code"]["digest"]
        assert record["seeds"]["resnet18"] == [1, 2, 3]
    beside = json.loads((results / "provenance/tables/fig4.json").read_text())
    assert "results/smoke/tables/fig4.csv" in beside["outputs"]
    assert "sha256_train" in str(
        json.loads((results / "provenance/dataset/digits.json").read_text())["outputs"]
    )


def test_the_chain_goes_down_to_the_raw_data(results, capsys):
    assert print_chain(results.relative_to(os.getcwd()), ["results/smoke/figures/fig4.pdf"])
    printed = capsys.readouterr().out
    for rule in ("fig4_tables", "scores", "moments", "train_", "dataset digits"):
        assert rule in printed
    assert "raw data  results/datasets/digits.h5  train sha256:" in printed


def test_the_chain_names_a_file_that_was_changed(results, capsys):
    table = results / "tables/fig4.csv"
    rewrite(table, table.read_text() + "\n")
    assert not print_chain(results.relative_to(os.getcwd()), ["results/smoke/figures/fig4.pdf"])
    assert "NOT AS RECORDED  results/smoke/tables/fig4.csv" in capsys.readouterr().out


def test_the_chain_names_a_product_without_a_record(results, capsys):
    (results / "provenance/tables/fig4.json").unlink()
    assert not print_chain(results.relative_to(os.getcwd()), ["results/smoke/figures/fig4.pdf"])
    assert "fig4.csv has no record of a job that made it" in capsys.readouterr().out


def test_a_reference_stays_when_no_new_one_can_be_made(reference, results, config):
    before = (reference / "SHA256SUMS").read_bytes()
    (results / "tables/fig6_slopes.csv").unlink()
    with pytest.raises(FileNotFoundError, match="fig6_slopes"):
        write_reference(results, reference)
    assert (reference / "SHA256SUMS").read_bytes() == before
    assert [path.name for path in reference.parent.iterdir()] == ["smoke"]


def test_the_research_object_lists_the_products(results):
    crate = json.loads((results / "ro-crate-metadata.json").read_text())
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    assert {"report.html", "figures/fig1.pdf", "tables/fig2.csv"} <= set(entities)
    assert entities["./"]["isBasedOn"]["@id"] == "https://arxiv.org/abs/2502.18710"


@pytest.fixture
def archive(results, config, tmp_path):
    pack(results.parent, config, tmp_path / "packed.tar", ROOT)
    return tmp_path / "packed.tar"


def test_an_archive_is_the_same_each_time(archive, results, config, tmp_path):
    pack(results.parent, config, tmp_path / "again.tar", ROOT)
    assert (tmp_path / "again.tar").read_bytes() == archive.read_bytes()


def test_unpacked_again_an_archive_leaves_what_is_there(archive, config, tmp_path):
    there = tmp_path / "there"
    unpack(archive, there, config)
    files = [path for path in there.rglob("*") if path.is_file()]
    before = {path: path.stat().st_mtime_ns for path in files}
    unpack(archive, there, config)
    kept = [path for path in files if path.suffix == ".safetensors"]
    assert kept
    assert all(path.stat().st_mtime_ns == before[path] for path in kept)


def test_checkpoints_of_another_config_are_refused_by_key(archive, config, tmp_path):
    other = config | {"training": config["training"] | {"learning_rate": 0.05}}
    with pytest.raises(ValueError, match=r"`learning_rate` is 0[.]1 in the checkpoint and 0[.]05"):
        unpack(archive, tmp_path / "there", other)
    assert not (tmp_path / "there/networks").exists()


def test_a_damaged_archive_is_refused(archive, config, tmp_path):
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 1
    archive.write_bytes(content)
    with pytest.raises(ArchiveError, match="damaged"):
        unpack(archive, tmp_path / "there", config)
    archive.write_bytes(content[: len(content) // 3])
    with pytest.raises(ArchiveError, match="damaged"):
        unpack(archive, tmp_path / "there", config)
    with pytest.raises(ArchiveError, match="no such archive"):
        unpack(tmp_path / "none.tar", tmp_path / "there", config)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda manifest: manifest | {"format": 0}, "not of this version"),
        (lambda manifest: [], "not of this version"),
        (lambda manifest: manifest | {"files": {"../outside": "0"}}, "leads out of the results"),
    ],
)
def test_a_manifest_of_something_else_is_refused(archive, config, tmp_path, edit, message):
    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile("archive.json"))
    (tmp_path / "archive.json").write_text(json.dumps(edit(manifest)))
    with tarfile.open(tmp_path / "edited.tar", "w") as tar:
        tar.add(tmp_path / "archive.json", "archive.json")
    with pytest.raises(ArchiveError, match=message):
        unpack(tmp_path / "edited.tar", tmp_path / "there", config)


def forged(archive, files, out):
    """The archive with more files, which its manifest lists with their digests."""
    with tarfile.open(archive) as tar:
        members = {m.name: tar.extractfile(m).read() for m in tar}
    manifest = json.loads(members["archive.json"])
    manifest["files"] |= {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    members |= {**files, "archive.json": json.dumps(manifest).encode()}
    with tarfile.open(out, "w") as tar:
        for name, data in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out


@pytest.mark.parametrize(
    "name",
    [
        "smoke/tables/fig2.csv",
        "smoke/scores/digits_final.parquet",
        "smoke/moments/digits/final/identity_step20.h5",
        "smoke/stimuli/digits/identity.h5",
        "another/scores/digits_final.parquet",
        "datasets/digits.h5",
        "networks/digits/another/step0.safetensors",
        "smoke/provenance/scores/digits_final.json",
    ],
)
def test_an_archive_that_lists_more_than_networks_is_refused(archive, config, tmp_path, name):
    made = forged(archive, {name: b"invented"}, tmp_path / "forged.tar")
    with pytest.raises(ArchiveError, match=rf"{name}: no checkpoint, curve or record"):
        unpack(made, tmp_path / "there", config)
    assert not [path for path in (tmp_path / "there").rglob("*") if path.is_file()]


def test_another_networks_checkpoints_under_this_ones_names_are_refused(archive, config, tmp_path):
    first, second = (f"{network_folder(f'resnet18-seed{seed}')}" for seed in (1, 2))
    with tarfile.open(archive) as tar:
        files = {
            member.name.replace(inside(second), inside(first)): tar.extractfile(member).read()
            for member in tar
            if member.name.startswith(inside(second))
        }
    made = forged(archive, files, tmp_path / "forged.tar")
    with pytest.raises(ValueError, match=r"`seed` is 2 in the checkpoint and 1"):
        unpack(made, tmp_path / "there", config)


def inside(path):
    return path.removeprefix("results/")


@pytest.mark.slow
def test_scores_from_an_archive_train_nothing_and_give_the_same_tables(finished, archive, checkout):
    done = checkout.module(
        "convergent_learning.workflow", "scores", "smoke", str(archive), "--cores", "2"
    )
    assert done.returncode == 0, done.stdout[-3000:]
    made = checkout.folder / "results/smoke"
    assert not (made.parent / "networks/benchmarks").exists()
    assert not (made.parent / "networks/logs").exists()
    assert (made / "report.html").exists()
    for table in (finished.folder / "results/smoke/tables").glob("*.csv"):
        assert (made / "tables" / table.name).read_bytes() == table.read_bytes(), table.name
    assert checkout.planned() == {}


@pytest.mark.slow
def test_drawings_from_the_reference_are_not_taken_for_results(
    checkout, finished, results, reference
):
    shutil.copytree(reference, checkout.folder / "results/reference/smoke")
    done = checkout.module("convergent_learning.workflow", "figures", "smoke")
    assert done.returncode == 0, done.stdout
    drawn = checkout.folder / "results/smoke"
    assert (drawn / "claims.json").read_bytes() == (results / "claims.json").read_bytes()
    assert "Nothing was computed here" in (drawn / "report.html").read_text()
    assert read_stamp(drawn / "figures/fig2.pdf")["rule"] == "figures from the reference"
    assert "make figures" in checkout.snakemake("-n").stdout
    done = checkout.module("convergent_learning.workflow", "clear", "smoke")
    assert not drawn.exists()
    shutil.copytree(results / "moments", drawn / "moments")
    done = checkout.module("convergent_learning.workflow", "figures", "smoke")
    assert done.returncode != 0
    assert "holds computed results" in done.stdout
    assert (drawn / "moments").exists()
