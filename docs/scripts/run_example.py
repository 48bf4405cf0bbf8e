"""Run an example and write what it says, prints and draws as a page of the site.

    python docs/scripts/run_example.py examples/two_arrays.py docs/examples

An example is a script in cells: `# %% [markdown]` begins text, `# %%` code. It runs in a temporary
copy of the workflow, as if it lay at the root of a fresh clone, so that no results of the user's
are touched. Pictures are those that its text shows; they are copied beside the page.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
WORKFLOW = ("Snakefile", "config.yaml", "CITATION.cff", "workflow", "profiles", "envs", "src")
PICTURE = re.compile(r"(!\[[^\]]*\])\(([^)]+\.png)\)")


class Cell(NamedTuple):
    """A cell of an example: text, or code that begins after line `line` of the script."""

    is_text: bool
    source: str
    line: int


def main() -> None:
    """Write `<out>/<example>.md`, the script itself and its pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("example", type=Path)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args()
    example, out = chosen.example.resolve(), chosen.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(fresh_clone(Path(folder))):
        page = run(example, out)
    shutil.copy(example, out)
    (out / f"{example.stem}.md").write_text(page, encoding="utf-8")


def fresh_clone(folder: Path) -> Path:
    """Copy what the workflow needs into a folder, and link the committed reference."""
    for name in WORKFLOW:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    (folder / "results").mkdir()
    (folder / "results/reference").symlink_to(ROOT / "results/reference")
    return folder


def run(example: Path, out: Path) -> str:
    """The page of an example that runs in the working directory."""
    os.environ["MPLBACKEND"] = "agg"
    sys.path.insert(0, "")  # modules that the example writes
    script = example.name
    names: dict[str, Any] = {"__name__": "__main__"}
    parts = []
    for cell in cells(example.read_text(encoding="utf-8")):
        if cell.is_text:
            parts.append(PICTURE.sub(lambda found: kept(found, out), cell.source))
            continue
        parts.append(f"```python\n{cell.source}\n```")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * cell.line + cell.source, script, "exec"), names)
        if text := printed.getvalue().rstrip():
            parts.append(f'```text title="Output"\n{text}\n```')
    where = (
        f"This page is the output of [`examples/{script}`]({script}), run when the site was built."
    )
    return "\n\n".join(
        [parts[0].split("\n")[0], where, "\n".join(parts[0].split("\n")[1:]), *parts[1:]]
    )


def cells(text: str) -> list[Cell]:
    """Cells of a script; text loses its comment signs."""
    found, lines = [], text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("# %%")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        inside, is_text = lines[start + 1 : end], "[markdown]" in lines[start]
        if is_text:
            inside = [re.sub("^# ?", "", line) for line in inside]
        while not inside[0]:
            inside, start = inside[1:], start + 1
        found.append(Cell(is_text, "\n".join(inside).rstrip(), start + 1))
    return found


def kept(picture: re.Match[str], out: Path) -> str:
    """Copy a picture beside the page, and refer to the copy."""
    name = Path(picture[2]).name
    shutil.copy(picture[2], out / name)
    return f"{picture[1]}({name})"


if __name__ == "__main__":
    main()
