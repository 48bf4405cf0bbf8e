"""Tables of simulated experiments, made once."""

from __future__ import annotations

from pathlib import Path

import pytest
import simulated


@pytest.fixture(scope="session")
def make_tables(tmp_path_factory):
    """Tables folder of a simulated experiment, made once; keywords go to the simulation."""
    made: dict[str, Path] = {}

    def make(**how: object) -> Path:
        if repr(how) not in made:
            made[repr(how)] = simulated.write_tables(tmp_path_factory.mktemp("experiment"), **how)
        return made[repr(how)]

    return make


@pytest.fixture(scope="session")
def tables(make_tables):
    return make_tables()
