"""What stands on a terminal at the end: all that was written, and below it the lines."""

import os
import pty
import re
import subprocess
import sys
import threading

import pytest

RUN = """
import subprocess, sys, time
from convergent_learning.workflow.screen import Screen

done = []
screen = Screen(lambda: [f"done: {len(done)}", "x" * 300])
for number in range(5):
    done.append(number)
    screen.write(f"message {number}\\n")
    screen.flush()
    subprocess.run([sys.executable, "-c", "import sys; print('terminal', sys.stderr.isatty());"
                    f"print('of job {number}', file=sys.stderr)"], check=True)
    screen.draw()
print("no newline", end="")
screen.close()
print("afterwards")
"""


def on_a_terminal(*command, **more):
    """What a command writes on a terminal of 20 rows and 80 columns, and its exit code."""
    ours, theirs = pty.openpty()
    os.set_inheritable(theirs, True)
    written = []

    def read():
        while True:
            try:
                data = os.read(ours, 4096)
            except OSError:  # Linux says so at the end.
                data = b""
            if not data:
                return
            written.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    environment = os.environ | {"TERM": "xterm"} | more.pop("env", {})
    subprocess.run(["stty", "rows", "20", "columns", "80"], stdin=theirs, check=True)
    done = subprocess.run(command, stdout=theirs, stderr=theirs, env=environment, **more)
    os.close(theirs)
    reader.join()
    os.close(ours)
    return b"".join(written).decode(), done.returncode


def left_standing(written):
    """Lines on the terminal in the end, from what was written to it."""
    lines, row = [""], 0
    for part in re.split(r"(\x1b\[\d*[A-Za-z]|\r?\n|\r)", written):
        if re.fullmatch(r"\x1b\[\d+A", part):
            row -= int(part[2:-1])
        elif part == "\x1b[J":
            lines[row:] = [""]
        elif part.endswith("\n"):
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part and not part.startswith(("\r", "\x1b")):
            assert lines[row] == "", (lines[row], part)  # nothing is written over
            lines[row] = part
    return lines


def test_lines_stay_below_all_that_is_written():
    written, code = on_a_terminal(sys.executable, "-c", RUN)
    assert code == 0, written
    *above, counted, cut, afterwards, end = left_standing(written)
    assert (counted, cut, afterwards, end) == ("done: 5", "x" * 79, "afterwards", "")
    for number in range(5):
        assert above.count(f"message {number}") == above.count(f"of job {number}") == 1
    assert above.count("terminal False") == 5  # so that a job draws no bar into the lines
    assert above.count("no newline") == 1
    assert len(above) == 5 * 3 + 1


@pytest.mark.slow
def test_a_run_on_a_terminal_ends_with_its_stages(own_copy):
    for missing in ("claims.json", "tables/fig3.csv"):
        (own_copy.folder / "results/smoke" / missing).unlink()
    command = own_copy.command("claims")
    written, code = on_a_terminal(*command, cwd=own_copy.folder, env=own_copy.environment)
    assert code == 0, written
    lines = left_standing(re.sub(r"\x1b\[[0-9]*m", "", written))
    while not lines[-1]:
        lines.pop()
    assert [line.split()[:2] for line in lines[-4:]] == [
        ["stage", "jobs"],
        ["figures", "2/2"],
        ["claims", "1/1"],
        ["all", "3/3"],
    ]
    assert any(line.startswith("C1 ") for line in lines)
    assert any(line.startswith("Complete log(s):") for line in lines)
    assert not any("jobid" in line for line in lines)


@pytest.mark.slow
def test_a_run_in_a_log_has_a_few_lines_for_each_stage(own_copy):
    """Nothing is lost: the log of Snakemake has all that it says."""
    for missing in ("report.html", "claims.json", "tables/fig3.csv"):
        (own_copy.folder / "results/smoke" / missing).unlink()
    done = own_copy.snakemake("report")
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) < 25
    [first] = [line for line in lines if "by the plan" in line]
    jobs = re.search(r"all: (\d+) jobs \(figures", first)[1]
    assert [line for line in lines if f"; all: {jobs} of {jobs} jobs in " in line]
    whole = max((own_copy.folder / ".snakemake/log").iterdir()).read_text()
    assert "rule fig3_tables:" in whole
    assert f"{jobs} of {jobs} steps (100%) done" in whole


@pytest.mark.slow
def test_a_job_that_fails_says_why(own_copy):
    module = own_copy.folder / "src/convergent_learning/claims/evaluation.py"
    raising = "def write_claims(*_):\n    raise ValueError('made up')\n"
    module.write_text(f"{module.read_text()}\n\n{raising}")
    done = own_copy.snakemake("claims")
    assert done.returncode != 0
    assert "Error in rule claims_file:" in done.stdout
    assert "log: results/smoke/logs/claims.log (check log file(s)" in done.stdout
    assert "ValueError: made up" in done.stdout
    assert "Complete log(s):" in done.stdout
