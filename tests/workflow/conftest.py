import fcntl
import os
import shutil
from pathlib import Path

import pytest
from checkout import Checkout


@pytest.fixture
def checkout(tmp_path):
    return Checkout.fresh(tmp_path / "checkout")


@pytest.fixture(scope="session")
def checkouts(tmp_path_factory):
    """Makes a checkout that several tests share."""
    return lambda name: Checkout.fresh(tmp_path_factory.mktemp(name))


@pytest.fixture(scope="session")
def finished(checkouts, tmp_path_factory):
    """A checkout in which the smoke experiment has run: shared, to be read only.

    The processes of a session share it; `.ci/run` names a folder that both of its sessions use.
    """
    own = tmp_path_factory.getbasetemp()
    together = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    shared = Path(os.environ.get("FINISHED_SMOKE", together / "finished-smoke"))
    with open(shared.with_name(f"{shared.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            checkout = checkouts("smoke")
            done = checkout.snakemake()
            assert done.returncode == 0, done.stdout[-5000:]
            shutil.move(checkout.folder, shared)
    return Checkout(shared)


@pytest.fixture(scope="session")
def referenced(finished, tmp_path_factory):
    """A copy of the finished checkout with a reference made of it: restore what you edit."""
    checkout = finished.copy(tmp_path_factory.mktemp("referenced") / "checkout")
    made = checkout.module("convergent_learning.workflow", "reference", "smoke", "--cores", "2")
    assert made.returncode == 0, made.stdout[-5000:]
    return checkout


@pytest.fixture
def own_copy(finished, tmp_path):
    """The finished checkout in a copy of the test's own, to be changed and run again."""
    return finished.copy(tmp_path / "own")
