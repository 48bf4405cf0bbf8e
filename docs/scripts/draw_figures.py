"""Draw the figures of every committed reference, and write the page that shows them.

    python docs/scripts/draw_figures.py results/reference docs/figures
    python docs/scripts/draw_figures.py results/reference docs --front    fig2.png for front pages

Captions and alternative texts are those of the report: their numbers come from the tables.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from convergent_learning.config.experiment import Experiment
from convergent_learning.figures import drawable, figures
from convergent_learning.verify.reference import unpack_tables

# The default experiment, and the same networks trained to the end: all figures, first. Of the other
# experiments, those that these do not have.
WHOLE = ("cifar10", "evidence")
HEAD = """# Figures

Drawn from the tables in `results/reference/` when this site was built, as `make figures` draws
them.
"""


def main() -> None:
    """Write `<out>/all.md` and a PNG for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("references", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--front", action="store_true", help="fig2.png and fig2_<name>.png alone")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    if chosen.front:
        for name in WHOLE:
            picture = chosen.out / ("fig2.png" if name == WHOLE[0] else f"fig2_{name}.png")
            with unpacked(chosen.references / name) as tables:
                draw(2, tables, picture)
        return
    others = {folder.name for folder in chosen.references.iterdir() if folder.is_dir()}
    sections, drawn = [HEAD], set()
    for name in (*WHOLE, *sorted(others.difference(WHOLE))):
        folder = chosen.references / name
        numbers = set(figures_of(folder)) - (set() if name in WHOLE else drawn)
        drawn |= numbers
        if numbers:
            sections += section(folder, sorted(numbers), chosen.out)
    (chosen.out / "all.md").write_text("\n".join(sections), encoding="utf-8")


@contextlib.contextmanager
def unpacked(reference: Path) -> Iterator[Path]:
    """The folder of a reference's tables, none of them compressed."""
    with tempfile.TemporaryDirectory() as scratch:
        unpack_tables(reference, Path(scratch))
        yield Path(scratch) / "tables"


def draw(number: int, tables: Path, picture: Path) -> None:
    """Draw a figure as a PNG."""
    figures()[number].draw(tables, tables.parent / "figure.pdf", picture)


def figures_of(reference: Path) -> list[int]:
    """Numbers of the figures of an experiment."""
    config = json.loads((reference / "config.json").read_text(encoding="utf-8"))
    return Experiment.of(config).figures


def section(reference: Path, numbers: list[int], out: Path) -> list[str]:
    """The figures of an experiment with these numbers, drawn into the folder `out`."""
    lines = [f"## Experiment `{reference.name}`\n"]
    with unpacked(reference) as tables:
        for number in drawable(numbers, tables):
            figure = figures()[number]
            picture = out / f"{reference.name}_fig{number}.png"
            draw(number, tables, picture)
            lines += [
                f"### Figure {number}\n",
                f"![{figure.alternative(tables)}]({picture.name})\n",
            ]
            lines += [figure.caption(tables) + "\n"]
    return lines


if __name__ == "__main__":
    main()
