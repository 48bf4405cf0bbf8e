"""Damaged files of every stage are refused by name, and rebuilt once they are deleted."""

import os
import shutil
from pathlib import Path

import pytest
from checkout import network_folder

from convergent_learning.files import DamagedFileError
from convergent_learning.workflow.checksums import checked_digest

pytestmark = pytest.mark.slow

RESULTS = "results/smoke"
DATASET = "results/datasets/digits.h5"
CLAIMS = f"{RESULTS}/claims.json"
# A file to damage, and what a job that reads it makes.
CHAINS = {
    "stimuli": (f"{RESULTS}/stimuli/digits/low_pass-10.h5", "moments/digits/spectra"),
    "checkpoint": (
        f"{network_folder('resnet18-seed1')}/step5.safetensors",
        "moments/digits/training",
    ),
    "moments": (
        f"{RESULTS}/moments/digits/pixel_values/contrast-50_step20.h5",
        "scores/digits_pixel_values.parquet",
    ),
    "scores": (f"{RESULTS}/scores/digits_final.parquet", "tables/fig2.csv"),
    "table": (f"{RESULTS}/tables/fig3.csv", "figures/fig3.png"),
}


def cut(content):
    return content[: len(content) // 2]


def bit(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def bytes_64(content):
    middle = len(content) // 2
    return (
        content[:middle]
        + bytes(b ^ 0xFF for b in content[middle : middle + 64])
        + content[middle + 64 :]
    )


def zeros(content):
    # The first 64 bytes behind the header that are not all zero.
    start = next(i for i in range(64, len(content), 64) if any(content[i : i + 64]))
    return content[:start] + bytes(len(content[start : start + 64])) + content[start + 64 :]


KINDS = (cut, bit, bytes_64, zeros)


def damage(path, kind, newer):
    times = os.stat(path)
    path.write_bytes(kind(path.read_bytes()))
    if not newer:
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def made_by(name):
    """The output that a file belongs to: a folder with the moments of a block, or itself."""
    path = Path(name)
    return path.parent if "moments" in name else path


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


def content(path):
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [file.read_bytes() for file in files]


@pytest.fixture
def damaged(finished, tmp_path, monkeypatch):
    """A copy of the finished experiment, to damage."""
    checkout = finished.copy(tmp_path / "damaged")
    monkeypatch.chdir(checkout.folder)
    return checkout


def test_every_kind_of_damage_to_every_kind_of_file_is_refused(damaged):
    for name in (DATASET, CLAIMS, *(file for file, _ in CHAINS.values())):
        output = made_by(name)
        whole, original = checked_digest(output), Path(name).read_bytes()
        for kind in KINDS:
            for newer in (False, True):
                damage(Path(name), kind, newer)
                with pytest.raises(DamagedFileError, match=f"{output} is damaged"):
                    checked_digest(output)
                Path(name).write_bytes(original)
        assert checked_digest(output) == whole


@pytest.mark.parametrize("newer", [False, True], ids=["older", "newer"])
@pytest.mark.parametrize("kinds", [["table"], [kind for kind in CHAINS if kind != "table"]])
def test_jobs_refuse_what_they_read_and_rebuild_it_once_deleted(damaged, finished, newer, kinds):
    """No chain passes through the file of another; the table's would, with a newer score file."""
    chains = [CHAINS[kind] for kind in kinds]
    targets = [Path(f"{RESULTS}/{target}") for _, target in chains]
    for i, ((name, _), target) in enumerate(zip(chains, targets, strict=True)):
        damage(Path(name), KINDS[(i + newer) % len(KINDS)], newer)
        remove(target)
    done = damaged.snakemake(*map(str, targets), "--keep-going")
    assert done.returncode != 0
    for (name, _), target in zip(chains, targets, strict=True):
        assert f"{made_by(name)} is damaged" in done.stdout, name
        assert not target.exists(), target
    for name, _ in chains:
        if "networks" in name:  # training again takes longer than it tells
            shutil.copy2(finished.folder / name, name)
        else:
            remove(made_by(name))
    done = damaged.snakemake(*map(str, targets))
    assert done.returncode == 0, done.stdout[-3000:]
    for path in (*(Path(name) for name, _ in chains), *targets):
        assert content(path) == content(finished.folder / path), path


@pytest.mark.parametrize("newer", [False, True], ids=["older", "newer"])
@pytest.mark.parametrize(
    ("name", "target"),
    [(DATASET, f"{RESULTS}/stimuli/digits/contrast-10.h5"), (CLAIMS, f"{RESULTS}/report.html")],
)
def test_data_and_claims_are_refused_too(damaged, name, target, newer):
    damage(Path(name), bit, newer)
    Path(target).unlink()
    done = damaged.snakemake(target)
    assert done.returncode != 0
    assert f"{name} is damaged" in done.stdout
    assert not Path(target).exists()


def test_a_file_without_a_record_is_taken_and_named(damaged):
    record = Path(f"{RESULTS}/checksums/tables/fig3.csv.sha256")
    record.unlink()
    Path(f"{RESULTS}/figures/fig3.png").unlink()
    assert damaged.snakemake("fig3").returncode == 0
    log = Path(f"{RESULTS}/logs/figures/fig3.log").read_text()
    assert f"{RESULTS}/tables/fig3.csv has no record of a job that made it" in log
