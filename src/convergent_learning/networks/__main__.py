"""`python -m convergent_learning.networks`: what a network has that config may name."""

from __future__ import annotations

import argparse
import json
import sys

from convergent_learning.networks.documentation import markdown


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m convergent_learning.networks")
    commands = parser.add_subparsers(required=True)
    layers = commands.add_parser("list-layers", help="print nodes and modules with their shapes")
    layers.add_argument(
        "network", help="a built-in architecture, a torchvision model, or package.module:function"
    )
    layers.add_argument("--arguments", type=json.loads, default={}, help="of the function, as JSON")
    layers.add_argument("--image-size", type=int, default=224, help="pixels; default %(default)s")
    layers.set_defaults(run=_listed)
    docs = commands.add_parser("docs", help="print the page of the built-in architectures")
    docs.set_defaults(run=lambda _: markdown())
    chosen = parser.parse_args()
    try:
        print(chosen.run(chosen), end="")
    except ValueError as error:
        sys.exit(f"{parser.prog}: {error}")


def _listed(chosen: argparse.Namespace) -> str:
    # Imported here: torch takes seconds to load.
    from convergent_learning.networks.listing import built, listing

    network = built(chosen.network, chosen.arguments, chosen.image_size)
    return listing(network, chosen.network, chosen.image_size)


if __name__ == "__main__":
    main()
