"""`snakemake provenance`: from every figure down to the digests of the raw data, and what changed.

The records beside the products are believed only as far as the files agree with them: every file
that still exists is compared with the checksums of the job that made it, and those with the digest
which the job that read it has noted.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convergent_learning.files import damaged_file_named
from convergent_learning.workflow.checksums import digest, recorded_digest
from convergent_learning.workflow.digests import declared
from convergent_learning.workflow.stamps import read_stamp

_SHORT = 12


class Chain:
    """The records of an experiment, by the file that each job made.

    Attributes
    ----------
    problems : list of str
        Files that differ from their record, or are read under another digest; grows as `lines`
        proceeds.
    """

    def __init__(self, results: Path):
        self._made_here = results, results.parent / "networks"
        self._made: dict[str, dict[str, Any]] = {}
        self._digests: dict[str, str | None] = {}
        self._printed: set[int] = set()
        self.problems: list[str] = []
        for path in self._records():
            with damaged_file_named(path, ValueError):
                record = json.loads(path.read_text(encoding="utf-8"))
                if not record.keys() >= {"rule", "wildcards", "inputs", "outputs"}:
                    raise ValueError("no record of a job")
            for output in record["outputs"]:
                self._made[output] = record

    def _records(self) -> Iterator[Path]:
        for folder in self._made_here:
            yield from sorted((folder / "provenance").rglob("*.json"))

    def lines(self, target: str) -> Iterator[str]:
        """The chain below the file `target`; what was printed before is only named again."""
        yield from self._below(target, None, 0)

    def raw_data(self) -> Iterator[str]:
        """A line for each split of each dataset of the experiment, and for each recording."""
        for path, record in sorted(self._made.items()):
            stated = declared(Path(path)) if record["rule"] in ("dataset", "recording") else {}
            for name, value in stated.items():
                if name.startswith("sha256_"):
                    yield f"raw data  {path}  {name.removeprefix('sha256_')} sha256:{value}"

    def precision(self) -> Iterator[str]:
        """A line with the choice that `precision: auto` was, and its reason."""
        for path, record in sorted(self._made.items()):
            if record["rule"] == "precision":
                made = record["outputs"][path]
                yield f"precision  {path}  {made['precision']}: {made['reason']}"

    def _below(self, path: str, noted: str | None, depth: int) -> Iterator[str]:
        record = self._made.get(path) or self._stamped(path)
        indent = "  " * depth
        if record is None:
            self._check_given(path, noted)
            yield f"{indent}{path} {_short(noted)} (given)"
            return
        self._check(path, noted)
        if id(record) in self._printed:
            yield f"{indent}(above) {_job(record)}"
            return
        self._printed.add(id(record))
        stated = recorded_digest(Path(path)) or noted
        more = len(record["outputs"]) - 1
        others = f" and {more} more" if more > 0 else ""
        state = "" if self._digest(path) else " (not kept)"
        yield f"{indent}{path} {_short(stated)}{others} ← {_job(record)}{state}"
        for earlier, digest_noted in sorted(record.get("taken_over", {}).items()):
            yield f"{indent}  scores taken over from {earlier} {_short(digest_noted)}"
        again = {}
        for source, digest_noted in sorted(record["inputs"].items()):
            made = self._made.get(source)
            if made is not None and id(made) in self._printed:
                self._check(source, digest_noted)
                again[_job(made)] = True
            else:
                yield from self._below(source, digest_noted, depth + 1)
        if again:
            yield f"{indent}  (above) {', '.join(again)}"

    def _stamped(self, path: str) -> dict[str, Any] | None:
        """The record inside a file that another experiment of this folder made."""
        record = read_stamp(Path(path)) if Path(path).is_file() else None
        if record is None:
            return None
        self._made[path] = {**record, "outputs": {path: declared(Path(path))}}
        return self._made[path]

    def _check_given(self, path: str, noted: str | None) -> None:
        found = self._digest(path)
        if any(Path(path).is_relative_to(folder) for folder in self._made_here):
            self._complain(f"{path} has no record of a job that made it")
        elif noted and found and found != noted:
            self._complain(f"{path} is {_short(found)}, read as {_short(noted)}")

    def _check(self, path: str, noted: str | None) -> None:
        stated = recorded_digest(Path(path))
        if noted and stated and noted != stated:
            self._complain(f"{path} was made again after it was read: read as {_short(noted)}")
        found = self._digest(path)
        if found and (stated or noted) and found != (stated or noted):
            self._complain(f"{path} is {_short(found)}, not {_short(stated or noted)} as recorded")

    def _digest(self, path: str) -> str | None:
        if path not in self._digests:
            self._digests[path] = digest(Path(path)) if Path(path).exists() else None
        return self._digests[path]

    def _complain(self, problem: str) -> None:
        if problem not in self.problems:
            self.problems.append(problem)


def print_chain(results: Path, targets: list[str]) -> bool:
    """Print the chain below each of `targets`; return whether every file is as recorded."""
    chain = Chain(results)
    for target in targets:
        print(*chain.lines(target), sep="\n", end="\n\n")
    print(*chain.raw_data(), *chain.precision(), sep="\n")
    for problem in chain.problems:
        print(f"NOT AS RECORDED  {problem}")
    return not chain.problems


def _job(record: dict[str, Any]) -> str:
    return " ".join([record["rule"], *map(str, record["wildcards"].values())])


def _short(stated: str | None) -> str:
    if stated is None:
        return ""
    kind, _, value = stated.partition(":")
    return f"{kind}:{value[:_SHORT]}"
