"""Croissant metadata: the tables of a reference, described for machines."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from convergent_learning.verify.reference import SUMS, check_digests, write_sums
from convergent_learning.workflow.crate import commit_date
from convergent_learning.workflow.croissant import croissant, write_croissant

ROOT = Path(__file__).parents[2]
REFERENCES = sorted((ROOT / "results/reference").iterdir())


@pytest.fixture(params=REFERENCES, ids=lambda path: path.name)
def committed(request):
    return request.param


def test_committed_references_are_described_as_the_schema_has_it(committed):
    described = json.loads((committed / "croissant.json").read_text(encoding="utf-8"))
    expected = croissant(committed, ROOT, described["datePublished"])
    assert described == expected, "older than the schema or CITATION.cff: run `make pages`"


def test_fields_are_the_columns_of_the_files(committed):
    described = croissant(committed, ROOT, "2026-11-29")
    files = {file["@id"] for file in described["distribution"]}
    assert files == {
        path.relative_to(committed).as_posix() for path in committed.glob("tables/*.csv*")
    }
    for records in described["recordSet"]:
        [file] = {field["source"]["fileObject"]["@id"] for field in records["field"]}
        table = pd.read_csv(committed / file, dtype=str, keep_default_na=False)
        assert [f["source"]["extract"]["column"] for f in records["field"]] == [*table.columns]
        keys = [key["@id"].removeprefix(f"{records['@id']}/") for key in records["key"]]
        assert not table.duplicated(keys).any()


def test_only_the_description_and_its_digest_are_written(tmp_path):
    reference = shutil.copytree(ROOT / "results/reference/brains", tmp_path / "brains")
    origin = json.loads((reference / "origin.json").read_text())
    origin["code"]["commit"] = None
    (reference / "origin.json").write_text(json.dumps(origin))
    (reference / "croissant.json").unlink()
    write_sums(reference)
    before = {path: path.read_bytes() for path in reference.rglob("*") if path.is_file()}
    write_croissant(reference, ROOT)
    check_digests(reference)
    after = {path: path.read_bytes() for path in reference.rglob("*") if path.is_file()}
    changed = {path.name for path in after if after[path] != before.get(path)}
    assert changed == {"croissant.json", SUMS}
    assert json.loads((reference / "croissant.json").read_text())["datePublished"] == "1970-01-01"


def test_a_commit_that_the_clone_lacks_is_named():
    with pytest.raises(ValueError, match=f"no commit {'0' * 40}.*unshallow"):
        commit_date(ROOT, "0" * 40)


@pytest.mark.slow
def test_a_new_reference_is_described(referenced):
    reference = referenced.folder / "results/reference/smoke"
    described = json.loads((reference / "croissant.json").read_text(encoding="utf-8"))
    assert described["name"] == "convergent-learning-smoke"
    check_digests(reference)
