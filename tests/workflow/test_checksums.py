"""Files and folders are compared with what was recorded of them, byte by byte."""

import subprocess
from pathlib import Path

import pytest

from convergent_learning.files import DamagedFileError
from convergent_learning.workflow.checksums import (
    checked_digest,
    digest,
    recorded_digest,
    write_checksums,
)

CONTENT = bytes(range(256)) * 8


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A file and a folder that a job has made."""
    monkeypatch.chdir(tmp_path)
    file, folder = Path("results/e/scores/a.parquet"), Path("results/e/activations/id_step0")
    for path in (file, folder / "one.h5", folder / "other.h5"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT)
    for path in (file, folder):
        write_checksums(path)
    return file, folder


def test_whole_files_and_folders_have_the_digest_that_was_recorded(made):
    for path, kind in zip(made, ("sha256:", "tree:"), strict=True):
        assert checked_digest(path) == recorded_digest(path) == digest(path)
        assert digest(path).startswith(kind)
        assert digest(path.absolute()) == digest(path)


def a_bit(content):
    return content[:1000] + bytes([content[1000] ^ 1]) + content[1001:]


@pytest.mark.parametrize("name", ["scores/a.parquet", "activations/id_step0/other.h5"])
@pytest.mark.parametrize(
    "damage",
    [
        a_bit,
        lambda content: content[: len(content) // 2],
        lambda content: content[:500] + content[563:499:-1] + content[564:],
        lambda content: content[:500] + bytes(64) + content[564:],
        lambda content: b"",
    ],
    ids=["a bit", "cut", "64 bytes", "zeros", "empty"],
)
def test_damage_is_refused_with_file_record_and_remedy(made, name, damage):
    path = Path("results/e") / name
    path.write_bytes(damage(CONTENT))
    output = next(output for output in made if path.is_relative_to(output))
    with pytest.raises(DamagedFileError) as refused:
        checked_digest(output)
    message = str(refused.value)
    assert message.startswith(f"{output} is damaged")
    assert f"results/e/checksums/{output.relative_to('results/e')}.sha256" in message
    assert "delete it and run the same command again" in message


def test_a_damaged_record_is_named(made):
    file, _ = made
    record = Path("results/e/checksums/scores/a.parquet.sha256")
    record.write_bytes(b"\xff\xfe")
    with pytest.raises(DamagedFileError, match=str(record)):
        checked_digest(file)
    record.unlink()
    record.mkdir()
    with pytest.raises(DamagedFileError, match=str(record)):
        checked_digest(file)


def test_a_file_more_or_less_in_a_folder_is_refused(made):
    _, folder = made
    (folder / "third.h5").write_bytes(CONTENT)
    with pytest.raises(DamagedFileError):
        checked_digest(folder)
    for name in ("third.h5", "one.h5"):
        (folder / name).unlink()
    with pytest.raises(DamagedFileError):
        checked_digest(folder)


def test_what_has_no_record_is_taken_as_given_and_named(made, tmp_path, caplog):
    images = tmp_path / "images"
    images.mkdir()
    (images / "a.png").write_bytes(CONTENT)
    one = checked_digest(images)
    assert f"{images} has no record of a job that made it" in caplog.text
    (images / "a.png").write_bytes(CONTENT + CONTENT)
    assert checked_digest(images) != one
    assert recorded_digest(images) is None


def test_sha256sum_reads_the_records(made):
    for record in ("scores/a.parquet", "activations/id_step0"):
        command = ["sha256sum", "--check", "--quiet", f"checksums/{record}.sha256"]
        subprocess.run(command, cwd="results/e", check=True)
