"""An experiment by its name: config.yaml and the overlay of that name, merged as Snakemake does."""

from __future__ import annotations

from pathlib import Path

from convergent_learning.experiment import Experiment
from convergent_learning.validation import check
from convergent_learning.verification.config import resolved_config


def experiment_named(name: str, root: Path = Path()) -> Experiment:
    """The experiment called `name` of the repository at `root`.

    Raises ConfigError for a config that the workflow would refuse, and ValueError for a name that
    is neither the default experiment's nor an overlay's.
    """
    config = resolved_config(name, root)
    check(config, root / "workflow/schemas/config.schema.json")
    return Experiment(config)
