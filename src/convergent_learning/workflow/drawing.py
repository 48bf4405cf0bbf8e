"""Figures, claims and report from a reference's tables: no network, no score, no torch.

What is drawn into `results/<experiment>/` is marked (`drawn`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from convergent_learning.claims.evaluation import write_claims
from convergent_learning.config.experiment import Experiment
from convergent_learning.figures import drawable, figures
from convergent_learning.report.page import write_report
from convergent_learning.verify.reference import read_config, unpack_tables
from convergent_learning.workflow import sources
from convergent_learning.workflow.checksums import digest
from convergent_learning.workflow.drawn import MARK, DrawingError, clear_drawings
from convergent_learning.workflow.origin import origin
from convergent_learning.workflow.record import about_config, finish
from convergent_learning.workflow.stamps import record_text


def draw_from_reference(
    reference: Path, results: Path, repository: Path, only: Sequence[str] = ()
) -> int:
    """Draw figures, decide the claims and write the report into the folder `results`.

    A line is printed for each figure.

    Parameters
    ----------
    reference, results, repository : Path
        The folders of the reference, of the results, and of the repository.
    only : sequence of str
        Names of figures (`fig2`) if not all are wanted; the report has these alone.

    Returns
    -------
    int
        The number of figures.

    Raises
    ------
    DrawingError
        If `results` holds anything that was computed.
    ValueError
        If a figure is asked for that the reference does not have.
    """
    config = read_config(reference)
    experiment = Experiment.of(config)
    there = drawable(experiment.figures, reference / "tables")
    names = [f"fig{number}" for number in there]
    if unknown := sorted({*only} - {*names}):
        raise ValueError(f"{reference} has no {', '.join(unknown)}; it has {', '.join(names)}")
    numbers = [number for number in there if f"fig{number}" in (only or names)]
    mark = results / MARK
    clear_drawings(results)
    if results.exists() and any(results.iterdir()):
        raise DrawingError(
            f"{results} holds computed results, with which these figures would mix: move the folder"
            f" away first (mv {results} {results}-computed)"
        )
    results.mkdir(parents=True, exist_ok=True)
    mark.write_text(f"drawn from {reference} by `make figures`; computed results replace it\n")
    record = {
        "rule": "figures from the reference",
        "wildcards": {},
        "inputs": {str(path): digest(path) for path in sorted(reference.rglob("*.*"))},
        **about_config(config),
        **origin(repository),
    }
    unpack_tables(reference, results)
    (results / "figures").mkdir(exist_ok=True)
    drawn = []
    for done, number in enumerate(numbers, start=1):
        files = [results / f"figures/fig{number}.{kind}" for kind in ("pdf", "png")]
        print(f"figure {done} of {len(numbers)}: {files[0]}", flush=True)
        figures()[number].draw(results / "tables", *files, record_text(record))
        drawn += files
    write_claims(results / "tables", results / "claims.json")
    source = sources.drawn(experiment, reference, repository)
    write_report(experiment, results, numbers, results / "report.html", source)
    drawn += [results / "claims.json", results / "report.html"]
    finish(record, drawn, results / "provenance/figures.json")
    return len(numbers)
