"""What builds the site: pages of examples, and the check of its links."""

import importlib.util
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]


def script(name):
    """A script of docs/scripts as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/scripts/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def site(folder, body):
    (folder / "other.html").write_text('<h2 id="there">Other</h2>')
    (folder / "picture.png").touch()
    (folder / "index.html").write_text(body)
    return script("check_site").problems(folder)


def test_links_that_lead_somewhere_are_no_problem(tmp_path):
    body = (
        '<a href="other.html#there">x</a> <a href="#here">x</a> <p id="here"></p>'
        '<img src="picture.png"> <a href="https://example.org/">x</a> <a href="mailto:a@b.c">x</a>'
    )
    assert site(tmp_path, body) == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ('<a href="missing.html">x</a>', "no file for missing.html"),
        ('<img src="missing.png">', "no file for missing.png"),
        ('<a href="other.html#elsewhere">x</a>', "no anchor for other.html#elsewhere"),
        ('<a href="#nowhere">x</a>', "no anchor for #nowhere"),
        ('<script src="https://example.org/x.js"></script>', "loads https://example.org/x.js"),
    ],
)
def test_a_bad_link_is_named_with_its_page(tmp_path, body, problem):
    [found] = site(tmp_path, body)
    assert found == f"{tmp_path / 'index.html'}: {problem}"


EXAMPLE = """\
# %% [markdown]
# # A title
#
# What it shows.

# %%
number = 6
Path = __import__("pathlib").Path

# %%

Path("made").mkdir()
Path("made/picture.png").touch()
print(number * 7)

# %% [markdown]
# ![A picture](made/picture.png)
"""


def test_an_example_becomes_a_page_with_its_output_and_pictures(tmp_path, monkeypatch):
    example = tmp_path / "example.py"
    example.write_text(EXAMPLE)
    (tmp_path / "scratch").mkdir()
    monkeypatch.chdir(tmp_path / "scratch")
    monkeypatch.syspath_prepend("")
    page = script("run_example").run(example, tmp_path)
    assert page.startswith("# A title\n\nThis page is the output of [`examples/example.py`]")
    assert "```python\nnumber = 6" in page
    assert '```text title="Output"\n42\n```' in page
    assert "![A picture](picture.png)" in page
    assert (tmp_path / "picture.png").exists()


def test_cells_know_their_lines_for_the_messages_of_errors():
    lines = EXAMPLE.splitlines()
    code = [cell for cell in script("run_example").cells(EXAMPLE) if not cell.is_text]
    assert [lines[cell.line] for cell in code] == ["number = 6", 'Path("made").mkdir()']


def test_the_site_has_a_page_for_every_example():
    named = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2])
    examples = {
        Path(page).stem
        for section in named
        for entry in (section.get("Examples") or [])
        for page in entry.values()
    }
    scripts = {
        path.stem
        for path in (ROOT / "examples").glob("*.py")
        if path.read_text(encoding="utf-8").startswith("# %%")
    }
    assert examples == scripts
