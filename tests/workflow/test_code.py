"""Digests of code change with what a script runs, and with nothing else."""

import functools

import pytest

from convergent_learning.workflow import code, syntax

PACKAGE = "convergent_learning"
OTHER = f"{PACKAGE}.other"
SCRIPT = """
from convergent_learning.metrics import score
from convergent_learning.progress import track
score(track([1]))
"""
METRICS = '''
"""Metrics."""
from __future__ import annotations
import math
from typing import TYPE_CHECKING
from convergent_learning import shapes
from .common import SCALE, unused
if TYPE_CHECKING:
    from .other import Other

def score(values: list, scale: float = SCALE) -> float:
    """The score."""
    total: float = sum(values)  # of all
    return math.sqrt(total) * scale * _sign(shapes.side)

def _sign(value):
    return 1

def other(values):
    from .other import LIMIT
    return LIMIT
'''
MODULES = {
    "metrics": METRICS,
    "common": "SCALE = 2\nunused = 3\nnumbers = 'numbers.csv'",
    "other": "LIMIT = 1\nclass Other: pass",
    "shapes": "side = 1\n",
    "progress": "def track(steps): return steps",
}


@pytest.fixture
def digest(tmp_path, monkeypatch):
    """Digest of the script above, with modules and script as they are or as given."""
    monkeypatch.setattr(code, "_ROOT", tmp_path)

    def digest(*loaded, script=SCRIPT, **modules):
        for function in (code._file, code.code_digest, syntax.read_module):
            function.cache_clear()
        for name, text in {**MODULES, **modules}.items():
            (tmp_path / f"{name}.py").write_text(text)
        (tmp_path / "script").mkdir(exist_ok=True)
        (tmp_path / "script/rule.py").write_text(script)
        return code.code_digest(tmp_path / "script/rule.py", *loaded)

    yield digest
    code._file.cache_clear()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""The score."""', '"""Another docstring."""'),
        ('"""The score."""\n', "\n"),
        ("  # of all", ""),
        ("values: list, scale: float = SCALE) -> float", "values, scale=SCALE)"),
        ("total: float =", "total ="),
        ("return 1", "return (\n        1\n    )"),
        ("from .common import SCALE, unused", "from convergent_learning.common import SCALE"),
        ("from .other import Other", "from .other import LIMIT"),
        ("(values: list,", "(values: Other,"),
        ("return LIMIT", "return 2 * LIMIT"),
        ("def other(values)", "def added(): return 0\n\ndef other(values)"),
    ],
)  # fmt: skip
def test_what_changes_no_result_changes_no_digest(digest, old, new):
    assert old in METRICS
    assert digest(metrics=METRICS.replace(old, new)) == digest()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("math.sqrt(total)", "math.cbrt(total)"),
        ("import math", "import cmath as math"),
        ("return 1", "return -1"),
        ("scale: float = SCALE", "scale: float = 3"),
        ("def _sign(value):", "@staticmethod\ndef _sign(value):"),
        ('"""Metrics."""', 'import os\nos.environ["MODE"] = "fast"'),
    ],
)
def test_what_may_change_a_result_changes_the_digest(digest, old, new):
    assert old in METRICS
    assert digest(metrics=METRICS.replace(old, new)) != digest()


@pytest.mark.parametrize(
    ("name", "text", "changed"),
    [
        ("common", "SCALE = 3\nunused = 3", True),
        ("common", "SCALE = 2\nunused = 4", False),
        ("shapes", "side = 2\n", True),
        ("other", "LIMIT = 2", False),
        ("progress", "def track(steps): return list(steps)", False),
    ],
)
def test_definitions_count_where_they_are_used(digest, name, text, changed):
    assert (digest(**{name: text}) != digest()) == changed


def test_the_script_counts_as_a_whole(digest):
    assert digest(script=SCRIPT + "\n# a comment") == digest()
    assert digest(script=SCRIPT + "\nprint()") != digest()


def test_modules_that_are_loaded_by_name_count_as_a_whole(digest):
    assert digest(OTHER) != digest()
    assert digest(OTHER, other="LIMIT = 2") != digest(OTHER)
    with pytest.raises(ModuleNotFoundError, match=r"convergent_learning\.none"):
        digest(f"{PACKAGE}.none")


def test_functions_that_are_loaded_by_name_count_with_what_they_use(digest):
    other = f"{PACKAGE}.metrics:other"
    assert digest(other) != digest()
    assert digest(other, other="LIMIT = 2") != digest(other)
    assert digest(other, other="LIMIT = 1\nclass Other: size = 1") == digest(other)


def test_functions_from_a_registry_count_with_what_they_use(digest):
    def score():
        """Stands for the function of the same name in the module `metrics`."""

    score.__module__, score.__qualname__ = "convergent_learning.metrics", "other"
    assert digest(score, other="LIMIT = 2") != digest(score)
    assert digest(functools.partial(score), other="LIMIT = 2") == digest(score, other="LIMIT = 2")


def test_fields_of_classes_keep_their_annotations(digest):
    """They say which fields there are, and pydantic converts by them."""
    plan = "class Plan:\n    epochs: {}\n"
    script = "from convergent_learning.other import Plan\nPlan(3)"
    digests = {digest(script=script, other=plan.format(kind)) for kind in ("int", "float")}
    assert len(digests) == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("from .common import SCALE as a, b", "from .common import b as a, SCALE as b"),
        ("a = b = [1]\na.append(3)\na.reverse()", "a = b = [1]\na.reverse()\na.append(3)"),
        ("b = 1\ndef a(): return 1\ndef a(): pass", "b = 1\ndef a(): pass\ndef a(): return 1"),
    ],
    ids=["bindings", "order of statements", "order of definitions"],
)
def test_what_a_name_is_bound_to_counts(digest, one, other):
    script = "from convergent_learning.metrics import a, b"
    assert digest(script=script, metrics=one) != digest(script=script, metrics=other)


def test_every_import_that_may_bind_a_name_counts(digest):
    either = "try: from .common import SCALE\nexcept ImportError: from .other import SCALE"
    script = "from convergent_learning.metrics import SCALE"
    one = digest(script=script, metrics=either)
    assert digest(script=script, metrics=either, common="SCALE = 3") != one
    assert digest(script=script, metrics=either, other="SCALE = 4") != one
    both = f"import {PACKAGE}.common\nimport {PACKAGE}.shapes\n{PACKAGE}"
    assert digest(script=both, common="SCALE = 3") != digest(script=both)
    assert digest(script=both, shapes="side = 3") != digest(script=both)


def test_files_that_a_module_names_count_with_their_bytes(digest, tmp_path):
    script = "from convergent_learning.common import numbers"
    (tmp_path / "numbers.csv").write_text("1")
    one = digest(script=script)
    (tmp_path / "numbers.csv").write_text("2")
    assert digest(script=script) != one
