"""A job that a signal ends is reported, and leaves no process behind."""

import re
import signal
import subprocess
import sys
import time

import psutil
import pytest
from checkout import network_folder

from convergent_learning.workflow.watch import report_path

# Tests that run under nohup hand on that SIGHUP is ignored.
JOB = """
import signal, subprocess, sys, time; signal.signal(signal.SIGHUP, signal.SIG_DFL)
from convergent_learning.workflow.watch import watched
with watched(sys.argv[1], "train_x"):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    print("started", flush=True)
    time.sleep(600)
"""
CAUSES = {
    signal.SIGKILL: "memory runs out",
    signal.SIGTERM: "asked it to end. Run the same command again to resume.",
    signal.SIGHUP: "was closed",
    signal.SIGXCPU: "all the processor time",
    signal.SIGUSR1: "nearly over",
    signal.SIGUSR2: "nearly over",
    signal.SIGSEGV: "error in a compiled library",
    signal.SIGILL: "built for another processor",
}
WAIT_S = 60


@pytest.mark.parametrize(("number", "cause"), CAUSES.items(), ids=lambda value: str(value)[:10])
def test_a_signal_is_named_and_no_child_goes_on(number, cause, tmp_path):
    log = tmp_path / "a.log"
    log.write_text("2026-01-01 INFO work starts\n")
    command = [sys.executable, "-c", JOB, str(log)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout.readline() == "started\n"
        children = psutil.Process(running.pid).children(recursive=True)
        running.send_signal(number)
        _, error = running.communicate(timeout=WAIT_S)
    assert running.returncode == -number
    gone, alive = psutil.wait_procs(children, timeout=WAIT_S)
    assert len(gone) == 2  # the watch, and the child
    assert not alive
    silent = number == signal.SIGKILL
    ending = "ended without a word, most likely by" if silent else "was ended by"
    message = f"process {running.pid} of rule train_x {ending} {number.name}. "
    for text in (error, log.read_text(), report_path(str(log)).read_text()):
        assert message in text
        assert cause in text
    assert log.read_text().startswith("2026-01-01 INFO work starts\n")
    # Where the signal lets anything run, the log says what the job was doing: it prints or sleeps.
    assert (re.search("line [67] in <module>", log.read_text()) is None) == silent


FORKING = """
import os, signal, sys, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)
from pathlib import Path
from convergent_learning.workflow.watch import watched
with watched(sys.argv[1], "train_x"):
    # The child itself says that it runs: by then it is silenced.
    if os.fork() == 0:
        Path(sys.argv[2]).write_text(str(os.getpid()))
        time.sleep(600)
    while not Path(sys.argv[2]).exists():
        time.sleep(0.02)
"""


def forking(end, tmp_path):
    """A job with a forked child, once it runs, and that child; the job then does `end`."""
    file = tmp_path / "child"
    command = [sys.executable, "-c", FORKING + f"    {end}", str(tmp_path / "a.log"), str(file)]
    # The child keeps the standard error open too, so that it must be no pipe.
    with (tmp_path / "error").open("w") as error:
        running = subprocess.Popen(command, stderr=error)
    deadline = time.monotonic() + WAIT_S
    while not (file.exists() and file.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return running, psutil.Process(int(file.read_text()))


def test_a_job_that_fails_does_not_wait_for_its_forked_child(tmp_path):
    running, child = forking("raise ValueError('no')", tmp_path)
    try:
        assert running.wait(WAIT_S) == 1
        assert child.is_running()
        assert "job failed: process" not in (tmp_path / "error").read_text()
    finally:
        child.kill()
        running.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGHUP])
def test_the_forked_child_of_a_killed_job_is_ended(number, tmp_path):
    running, child = forking("time.sleep(600)", tmp_path)
    [watch] = [each for each in psutil.Process(running.pid).children() if each != child]
    try:
        running.send_signal(number)
        assert running.wait(WAIT_S) == -number
        _, alive = psutil.wait_procs([watch, child], timeout=WAIT_S)
        assert not alive
    finally:
        if child.is_running():
            child.kill()
    log = (tmp_path / "a.log").read_text()
    assert log.count("job failed") == 1
    assert f"by {number.name}. " in log


def test_what_ends_a_forked_child_is_not_said_of_the_job(tmp_path):
    running, child = forking("os.wait(); os.kill(os.getpid(), 9)", tmp_path)
    [watch] = [each for each in psutil.Process(running.pid).children() if each != child]
    child.send_signal(signal.SIGSEGV)
    assert running.wait(WAIT_S) == -signal.SIGKILL
    watch.wait(WAIT_S)
    assert "most likely by SIGKILL" in (tmp_path / "a.log").read_text()


def test_a_signal_that_the_job_ignores_is_not_named(tmp_path):
    code = JOB.replace("SIG_DFL", "SIG_IGN")
    command = [sys.executable, "-c", code, str(tmp_path / "a.log")]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout.readline() == "started\n"
        running.send_signal(signal.SIGHUP)
        running.kill()
        _, error = running.communicate(timeout=WAIT_S)
    assert "most likely by SIGKILL" in error


@pytest.mark.parametrize("end", ["pass", "raise ValueError('no')", "sys.exit(3)"])
def test_of_a_job_that_ends_by_itself_nothing_is_said(end, tmp_path):
    code = JOB.partition("    subprocess")[0] + f"    {end}"
    command = [sys.executable, "-c", code, str(tmp_path / "a.log")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "job failed: process" not in done.stderr
    assert not (tmp_path / "a.log").exists()


@pytest.mark.slow
def test_a_training_whose_job_is_killed_alone_goes_on_at_the_next_attempt(checkout):
    """It is trained in a process that the job starts, which would keep the lock of the network."""
    overlay = checkout.overlay.with_name("killed.yaml")
    text = checkout.overlay.read_text().replace("experiment: smoke", "experiment: killed")
    overlay.write_text(text.replace("epochs: 2", "epochs: 60"))
    folder = network_folder("resnet18-seed1", epochs=60)
    command = checkout.command(
        f"{folder}/step600.safetensors", configfile="workflow/experiments/killed.yaml"
    )
    with subprocess.Popen(
        command,
        cwd=checkout.folder,
        env=checkout.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        states = checkout.folder / "results/networks/training_state"
        while not list(states.rglob("state-*.pt")):
            assert running.poll() is None, running.stdout.read()
            time.sleep(0.05)
        [training] = [
            process
            for process in psutil.Process(running.pid).children(recursive=True)
            if "convergent_learning.training.together" in process.cmdline()
        ]
        job = training.parent()
        job.kill()
        training.wait(WAIT_S)
        output, _ = running.communicate(timeout=10 * WAIT_S)
    assert running.returncode == 0, output
    assert "most likely by SIGKILL" in output
    assert "memory runs out" in output
    log = checkout.folder / f"{folder.replace('networks/', 'networks/logs/', 1)}.log"
    said = log.read_text()
    assert said.index("most likely by SIGKILL") < said.index("resuming after step")
