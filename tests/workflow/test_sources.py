import subprocess

from convergent_learning.workflow.job_times import stage_times
from convergent_learning.workflow.sources import computed


def test_commit_and_local_changes_are_named(tmp_path):
    def git(*arguments):
        command = ["git", "-c", "user.name=t", "-c", "user.email=t@t", *arguments]
        return subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    def code():
        return computed(tmp_path, tmp_path).facts["Code"]

    assert code() == "not a git checkout"
    git("init", "--quiet")
    (tmp_path / "file").write_text("one")
    git("add", "file")
    git("commit", "--quiet", "--message", "one")
    assert code() == f"commit {git('rev-parse', 'HEAD')}"
    (tmp_path / "file").write_text("two")
    assert code().endswith("with local changes")


def test_wall_times_are_summed_by_stage(tmp_path):
    header = "s\th:m:s\tmax_rss\n"
    for name, row in {
        "train/digits/a": "10\t0:00:10\t700",
        "train/digits/b": "14\t0:00:14\t500",
        "claims": "2\t0:00:02\t-",
    }.items():
        path = tmp_path / f"{name}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(header + row + "\n")
    table = stage_times(tmp_path)
    assert list(table.stage) == ["train", "claims"]
    assert tuple(table.iloc[0]) == ("train", 2, 24, 14, 700)
