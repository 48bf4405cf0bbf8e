"""`python -m convergent_learning.verification`: make a reference, or draw from one."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from convergent_learning.provenance.origin import origin
from convergent_learning.verification.config import resolved_config
from convergent_learning.verification.drawn import clear_drawings
from convergent_learning.verify.reference import check_digests, make_reference


def main(arguments: list[str] | None = None) -> None:
    """Run from the root of the repository; errors that a user can act on are one line."""
    parser = argparse.ArgumentParser(prog="python -m convergent_learning.verification")
    commands = parser.add_subparsers(required=True)
    reference = commands.add_parser("reference", help="make the reference of an experiment")
    reference.add_argument("experiment")
    reference.add_argument("--results", type=Path, help="its results (default: results/EXPERIMENT)")
    reference.add_argument("--commit", help="commit that made them (default: the one checked out)")
    reference.add_argument(
        "--runs", type=Path, nargs="*", default=[], help="results of other runs, for the spread"
    )
    reference.set_defaults(run=_reference)
    figures = commands.add_parser("figures", help="draw figures and report from the reference")
    figures.add_argument("experiment")
    figures.set_defaults(run=_figures)
    clear = commands.add_parser("clear", help="remove what `figures` drew")
    clear.add_argument("experiment")
    clear.set_defaults(run=lambda chosen: clear_drawings(Path("results") / chosen.experiment))
    chosen = parser.parse_args(arguments)
    try:
        chosen.run(chosen)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"{parser.prog}: {error}")


def _reference(chosen: argparse.Namespace) -> None:
    about = origin(Path.cwd())
    if chosen.commit:
        about["code"] |= {"commit": chosen.commit, "local_changes": False}
    out = _folder(chosen.experiment)
    calibration = make_reference(
        chosen.results or Path("results") / chosen.experiment,
        out,
        resolved_config(chosen.experiment),
        about,
        chosen.runs,
    )
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {size / 1e6:.1f} MB")
    for kind, factor in calibration["factors"].items():
        print(f"  tolerance, {kind}s: {factor} spreads")
    for run in calibration["left_out"]:
        for kind, largest in run["largest"].items():
            print(
                f"  {run['run']} left out, {kind}s: largest deviation"
                f" {largest['spreads']} spreads ({largest['at']})"
            )


def _figures(chosen: argparse.Namespace) -> None:
    # Draws: costs the other commands a second.
    from convergent_learning.verification.drawing import draw_from_reference

    start = time.perf_counter()
    reference = _folder(chosen.experiment)
    if not reference.is_dir():
        raise FileNotFoundError(f"{reference}: no reference of experiment {chosen.experiment}")
    check_digests(reference)
    results = Path("results") / chosen.experiment
    draw_from_reference(reference, results, Path.cwd())
    print(
        f"figures 1 to 6, claims and report drawn from {reference} into {results} in"
        f" {time.perf_counter() - start:.0f} s; nothing was computed"
    )


def _folder(experiment: str) -> Path:
    return Path("results/reference") / experiment


if __name__ == "__main__":
    main()
