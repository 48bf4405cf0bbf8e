"""`python -m convergent_learning.config schema|docs`: what is made from the model of the config."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import yaml

from convergent_learning.config.documentation import page
from convergent_learning.config.schema import json_schema


def main() -> None:
    """Print the JSON schema or the page of keys; run from the root of the repository."""
    parser = argparse.ArgumentParser(prog="python -m convergent_learning.config")
    parser.add_argument("what", choices=["schema", "docs"])
    if parser.parse_args().what == "schema":
        print(json.dumps(json_schema(), indent=2, ensure_ascii=False))
    else:
        print(page(yaml.safe_load(Path("config.yaml").read_text(encoding="utf-8"))), end="")


if __name__ == "__main__":
    main()
