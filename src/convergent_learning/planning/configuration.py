"""An experiment by its name: config.yaml and the overlay of that name, merged as Snakemake does."""

from __future__ import annotations

from pathlib import Path

import yaml
from snakemake.utils import update_config

from convergent_learning.experiment import Experiment
from convergent_learning.validation import check


def experiment_named(name: str, root: Path = Path()) -> Experiment:
    """The experiment called `name` of the repository at `root`.

    Raises ConfigError for a config that the workflow would refuse, and ValueError for a name that
    is neither the default experiment's nor an overlay's.
    """
    config = yaml.safe_load((root / "config.yaml").read_text())
    if name != config["experiment"]:
        overlays = root / "workflow/experiments"
        overlay = overlays / f"{name}.yaml"
        if not overlay.exists():
            known = ", ".join(sorted(path.stem for path in overlays.glob("*.yaml")))
            raise ValueError(f"no experiment {name!r}; there are {config['experiment']}, {known}")
        update_config(config, yaml.safe_load(overlay.read_text()))
    check(config, root / "workflow/schemas/config.schema.json")
    return Experiment(config)
