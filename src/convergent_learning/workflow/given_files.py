"""Files among the results that no job made: looked at before any work starts.

They are taken as given (`workflow.checksums`), but what cannot be right is refused.
"""

from __future__ import annotations

from pathlib import Path

from convergent_learning.config.errors import ConfigError
from convergent_learning.config.model import Config
from convergent_learning.config.paths import DATASET
from convergent_learning.workflow.checksums import recorded_digest


def refuse_bad_files(config: Config) -> None:
    """Raise ConfigError naming the key, the file and its fault for each bad file of a dataset."""
    problems = []
    for index, entry in enumerate(config.datasets):
        path = Path(DATASET.format(dataset=entry.name))
        if path.is_file() and recorded_digest(path) is None:
            # Only for a file of the user's own: opening HDF5 costs every run some time.
            from convergent_learning.datasets.file_checks import file_problems

            problems += [
                f"datasets[{index}].name: {problem}" for problem in file_problems(path, entry.info)
            ]
    if problems:
        raise ConfigError(problems)
