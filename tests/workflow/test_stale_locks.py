import subprocess
import sys

CODE = """
import sys, time, pathlib
from convergent_learning.workflow.stale_locks import clear_stale_locks
clear_stale_locks(pathlib.Path(sys.argv[1]))
print("called", flush=True)
time.sleep(float(sys.argv[2]))
"""


def run(state, seconds):
    command = [sys.executable, "-c", CODE, str(state), str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "called\n"
    return process


def test_locks_of_a_dead_run_are_removed_and_those_of_a_live_one_kept(tmp_path):
    lock = tmp_path / "locks/0.output.lock"
    lock.parent.mkdir()
    alive = run(tmp_path, 60)
    lock.touch()
    assert run(tmp_path, 0).wait() == 0
    assert lock.exists()
    alive.kill()
    alive.wait()
    assert run(tmp_path, 0).wait() == 0
    assert not lock.exists()
