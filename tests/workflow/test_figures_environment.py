"""`make figures` has an environment of its own, without torch and what else it can do without."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEEDED = [
    "convergent_learning.workflow.__main__",
    "convergent_learning.workflow.drawing",
    "convergent_learning.report.page",
    *(f"convergent_learning.figures.fig{number}" for number in range(1, 9)),
]

WITHOUT = """
import sys

class Absent:
    def find_spec(self, name, *_):
        if name.partition(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
"""


def locked(name):
    """Distributions that a lock installs."""
    lines = (ROOT / f"envs/{name}.lock").read_text().splitlines()
    return {line.partition("==")[0].lower() for line in lines if re.match(r"[A-Za-z0-9]", line)}


def test_figures_import_nothing_that_their_environment_lacks():
    absent = locked("requirements") - locked("figures")
    assert {"torch", "safetensors"} <= absent
    blocked = [
        module
        for module, distributions in packages_distributions().items()
        if {name.lower() for name in distributions} <= absent
    ]
    assert "torch" in blocked
    imports = "\n".join(f"import {module}" for module in NEEDED)
    code = WITHOUT.format(blocked=blocked) + imports
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
