import subprocess
from pathlib import Path

from convergent_learning.config.overlay import experiment_named
from convergent_learning.workflow.job_times import stage_times
from convergent_learning.workflow.sources import computed

ROOT = Path(__file__).parents[2]


def test_commit_and_local_changes_are_named(tmp_path):
    def git(*arguments):
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    def code():
        return computed(experiment_named("smoke", ROOT), tmp_path).facts["Code"]

    (tmp_path / "config.yaml").write_text("experiment: cifar10\n")
    assert code() == "not a git checkout"
    git("init", "--quiet")
    (tmp_path / "file").write_text("one")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    assert code() == f"commit {git('rev-parse', 'HEAD')}"
    (tmp_path / "file").write_text("two")
    assert code().endswith("with local changes")


def test_wall_times_are_summed_by_stage(tmp_path):
    header = "s\th:m:s\tmax_rss\n"
    for name, row in {
        "a": "10\t0:00:10\t700",
        "b": "14\t0:00:14\t500",
        "claims": "2\t0:00:02\t-",
    }.items():
        path = tmp_path / f"{name}.tsv"
        path.write_text(header + row + "\n")
    jobs = [("training", "a"), ("training", "b"), ("figures", "claims"), ("figures", "never ran")]
    table = stage_times((stage, tmp_path / f"{name}.tsv") for stage, name in jobs)
    assert list(table.stage) == ["training", "figures"]
    assert tuple(table.iloc[0]) == ("training", 2, 24, 14, 700)
