"""What says how to cite and which version this is agrees, and is complete."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


@pytest.fixture
def citation():
    return yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))


@pytest.fixture
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_version_and_licence_are_those_of_the_package(citation, project):
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]


def test_the_changelog_begins_with_this_version(project):
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", changelog, re.MULTILINE)
    assert released == sorted(released, key=lambda each: each[1], reverse=True)
    headings = re.findall(r"^## (.*)", changelog, re.MULTILINE)
    assert len(released) == len(headings) - headings.count("[Unreleased]")
    assert released[0][0] == project["version"]


def test_the_citation_has_what_its_format_asks_for(citation):
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert re.fullmatch(r"1\.\d\.\d", citation["cff-version"])
    assert citation["type"] == "software"
    for entry in (citation, *citation["references"]):
        assert entry["title"]
        assert entry["authors"]
        assert all({"name", "family-names"} & author.keys() for author in entry["authors"])
    for reference in citation["references"]:
        assert {"type", "year", "url"} <= reference.keys()
