"""`python -m convergent_learning.config`: what follows from the config before anything runs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import yaml

from convergent_learning.config.costs import ASSUMED_TFLOPS, COMMITTED, Costs, UnitCosts
from convergent_learning.config.design import Design
from convergent_learning.config.documentation import page
from convergent_learning.config.overlay import experiment_named
from convergent_learning.config.plan import plan
from convergent_learning.config.schema import json_schema


def main() -> None:
    """Run from the root of the repository."""
    parser = argparse.ArgumentParser(prog="python -m convergent_learning.config")
    commands = parser.add_subparsers(required=True)
    schema = commands.add_parser("schema", help="print the JSON schema of the config")
    schema.set_defaults(run=lambda _: json.dumps(json_schema(), indent=2, ensure_ascii=False))
    docs = commands.add_parser("docs", help="print the page of the config's keys")
    docs.set_defaults(run=lambda _: page(yaml.safe_load(Path("config.yaml").read_text())).rstrip())
    planning = commands.add_parser("plan", help="print what an experiment will cost")
    planning.add_argument("experiment", help="its name: that of config.yaml or of an overlay")
    planning.add_argument("--rules", action="store_true", help="also the jobs of each rule")
    planning.add_argument(
        "--gpu-tflops",
        type=float,
        default=ASSUMED_TFLOPS,
        help="10¹² operations a second that your GPU sustains; default %(default)s, assumed",
    )
    planning.add_argument(
        "--unit-costs", type=Path, default=COMMITTED, help="made by `workflow calibrate`"
    )
    planning.set_defaults(run=_plan)
    chosen = parser.parse_args()
    try:
        print(chosen.run(chosen))
    except ValueError as error:
        sys.exit(f"{parser.prog}: {error}")


def _plan(chosen: argparse.Namespace) -> str:
    design = Design(experiment_named(chosen.experiment))
    units = UnitCosts.read(chosen.unit_costs)
    costs = Costs(design, units=units, gpu_tflops=chosen.gpu_tflops)
    return plan(design.jobs, costs, chosen.rules)


if __name__ == "__main__":
    main()
