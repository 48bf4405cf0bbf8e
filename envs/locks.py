"""Whether the locks were made from today's pyproject.toml: `locks.py stamp` and `locks.py check`.

`make lock` writes a digest of everything in pyproject.toml that decides what is locked into the
first line of each lock; checking compares it, without network. Needs nothing but Python.
"""

import hashlib
import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCKS = ("requirements", "test", "figures")
HEADER = "# made by `make lock` from the dependencies in pyproject.toml, sha256:"


def main(command: str, root: Path = ROOT) -> None:
    """Stamp or check the locks of the repository `root`; exits with one line for each problem."""
    digest = dependencies_digest(root / "pyproject.toml")
    if command == "stamp":
        for name in LOCKS:
            path = root / f"envs/{name}.lock"
            body = path.read_text().splitlines(keepends=True)
            body = [line for line in body if not line.startswith(HEADER)]
            path.write_text(f"{HEADER}{digest}\n{''.join(body)}")
    else:
        problems = [*_stale(root, digest), *_differing(root)]
        if problems:
            sys.exit("\n".join(problems))
        print(f"locks are fresh: {', '.join(LOCKS)}")


def dependencies_digest(pyproject: Path) -> str:
    """Sha256 of dependencies, groups and Python versions in pyproject.toml."""
    content = tomllib.loads(pyproject.read_text())
    project = content["project"]
    decisive = {
        "dependencies": sorted(project["dependencies"]),
        "requires-python": project["requires-python"],
        "groups": {name: sorted(group) for name, group in content["dependency-groups"].items()},
    }
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def _stale(root: Path, digest: str) -> list[str]:
    """Locks that were made from other dependencies, or are missing."""
    problems = []
    for name in LOCKS:
        path = root / f"envs/{name}.lock"
        first = path.read_text().partition("\n")[0] if path.exists() else ""
        if first != f"{HEADER}{digest}":
            why = "is older than pyproject.toml" if path.exists() else "is missing"
            problems.append(f"envs/{name}.lock {why}: run `make lock` and commit the locks")
    return problems


def _differing(root: Path) -> list[str]:
    """Packages that two locks pin to different versions."""
    paths = [root / f"envs/{name}.lock" for name in LOCKS]
    pins = {path: _pins(path) for path in paths if path.exists()}
    main = pins.get(paths[0], {})
    return [
        f"{path.relative_to(root)} pins {package} to {version}, the main lock to {main[package]}:"
        " run `make lock`"
        for path, own in pins.items()
        for package, version in own.items()
        if main.get(package, version) != version
    ]


def _pins(lock: Path) -> dict[str, str]:
    """Versions by package; a package locked differently for platforms has them joined."""
    pins: dict[str, str] = {}
    for package, version in re.findall(r"^([\w.-]+)==([^ ;\\]+)", lock.read_text(), re.MULTILINE):
        pins[package] = f"{pins[package]}, {version}" if package in pins else version
    return pins


if __name__ == "__main__":
    main(sys.argv[1])
