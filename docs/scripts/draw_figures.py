"""Draw the figures of every committed reference, and write the page that shows them.

    python docs/scripts/draw_figures.py results/reference docs/figures

Captions and alternative texts are those of the report: their numbers come from the tables.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from convergent_learning.config.experiment import Experiment
from convergent_learning.figures import drawable, figures
from convergent_learning.verify.reference import unpack_tables

HEAD = """# Figures

Drawn from the tables in `results/reference/` when this site was built, as `make figures` draws
them.
"""


def main() -> None:
    """Write `<out>/all.md` and a PNG for each figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("references", type=Path)
    parser.add_argument("out", type=Path)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    # The default experiment first; of the others, the figures that it does not have.
    folders = sorted(
        filter(Path.is_dir, chosen.references.iterdir()),
        key=lambda folder: (folder.name != "cifar10", folder.name),
    )
    sections, drawn = [HEAD], set()
    for folder in folders:
        numbers = set(figures_of(folder)) - drawn
        drawn |= numbers
        if numbers:
            sections += section(folder, sorted(numbers), chosen.out)
    (chosen.out / "all.md").write_text("\n".join(sections), encoding="utf-8")


def figures_of(reference: Path) -> list[int]:
    """Numbers of the figures of an experiment."""
    config = json.loads((reference / "config.json").read_text(encoding="utf-8"))
    return Experiment.of(config).figures


def section(reference: Path, numbers: list[int], out: Path) -> list[str]:
    """The figures of an experiment with these numbers, drawn into the folder `out`."""
    lines = [f"## Experiment `{reference.name}`\n"]
    with tempfile.TemporaryDirectory() as scratch:
        unpack_tables(reference, Path(scratch))
        tables = Path(scratch) / "tables"
        for number in drawable(numbers, tables):
            figure = figures()[number]
            picture = out / f"{reference.name}_fig{number}.png"
            figure.draw(tables, Path(scratch) / "figure.pdf", picture)
            lines += [
                f"### Figure {number}\n",
                f"![{figure.alternative(tables)}]({picture.name})\n",
            ]
            lines += [figure.caption(tables) + "\n"]
    return lines


if __name__ == "__main__":
    main()
