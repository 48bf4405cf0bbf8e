"""Every function of the API reference has an example in its docstring, and it runs."""

import doctest
import importlib
import inspect
import re
from pathlib import Path

import pytest
import yaml

from convergent_learning.alignment import measurement, registry

PAGES = sorted((Path(__file__).parents[1] / "docs/api").glob("*.md"))
DIRECTIVE = re.compile(r"^::: (\S+)\n((?:    .*\n)*)", re.MULTILINE)


def documented():
    """(module, name) of each object of the API reference."""
    for page in PAGES:
        for module, options in DIRECTIVE.findall(page.read_text(encoding="utf-8")):
            for name in yaml.safe_load(options)["options"]["members"]:
                yield module, name


def examples(module, name):
    """Examples of a function, or of a class and its methods."""
    documented = getattr(importlib.import_module(module), name)
    finder = doctest.DocTestFinder(exclude_empty=False)
    return documented, finder.find(documented, name, globs={})


@pytest.mark.parametrize(("module", "name"), list(documented()))
def test_examples_of_docstrings_run(module, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # examples write files, and register metrics and measures
    for module_of, table in ((registry, "_METRICS"), (measurement, "_MEASURES")):
        module_of._load()
        monkeypatch.setattr(module_of, table, dict(getattr(module_of, table)))
    found, tests = examples(module, name)
    if inspect.isfunction(found):
        assert tests[0].examples, f"{module}.{name} has no example in its docstring"
    for test in tests:
        printed = []
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
        assert runner.run(test, out=printed.append).failed == 0, "".join(printed)
