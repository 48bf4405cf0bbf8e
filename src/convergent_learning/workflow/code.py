"""Digests of the code that a rule runs, so that an edit reruns what it touches and nothing else.

Snakemake's own code trigger sees a rule's script and not the modules that it imports. A digest of
both among the rule's parameters is seen: other parameters are a reason to run again.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import convergent_learning
from convergent_learning.workflow.syntax import Module, Source, read_module

_PACKAGE = convergent_learning.__name__
_ROOT = Path(convergent_learning.__path__[0])
_LONGEST_FILE_NAME = 255

# Modules that cannot change a result: they show progress, write a file whole or not at all, keep
# logs and records. What only they import does not count either.
UNRELATED = frozenset(
    f"{_PACKAGE}.{name}"
    for name in ("files", "progress", "workflow.job", "workflow.record", "workflow.stamps")
)


@functools.cache
def code_digest(script: Path, *loaded: str | Callable) -> str:
    """Digest of a script and of what it uses of this package, at any remove.

    The script counts as a whole; of a module count the functions, classes and variables whose names
    the code before it uses, and every other statement. All count as syntax trees (`syntax`), and
    data files beside a module that the code names count with their bytes.

    Parameters
    ----------
    script : path
    loaded : functions, or texts ``"module"`` or ``"module:function"``
        What the script finds by name where it runs: a function of a registry, or of a module, or
        all of a module.

    Raises
    ------
    ModuleNotFoundError
        For a module that is not one of this package.
    """
    start = [_named(one) for one in loaded]
    lines = "\n".join(sorted(_lines(Path(script), start)))
    return hashlib.sha256(lines.encode()).hexdigest()


def _named(loaded: str | Callable) -> tuple[str, str | None]:
    if isinstance(loaded, str):
        module, _, name = loaded.partition(":")
        return module, name or None
    function = getattr(loaded, "func", loaded)  # of a partial
    return function.__module__, function.__qualname__


def _lines(script: Path, start: list[tuple[str, str | None]]) -> set[str]:
    """A line for each definition, data file and import from elsewhere that the script reaches."""
    lines: set[str] = set()
    waiting = [("", None), *start]
    seen = set()
    while waiting:
        reached = waiting.pop()
        place, name = reached
        if reached in seen or place in UNRELATED:
            continue
        seen.add(reached)
        module = _module(place) if place else read_module(script, _PACKAGE)
        codes, sources = module.behind(name)
        for code in codes:
            lines.add(f"{place} {code.digest}")
            lines.update(_data_files(module.folder, code.strings))
            waiting += [(place, used) for used in code.used & module.definitions.keys()]
        for source in sources:
            target = _target(source)
            lines.add(f"{place} {source.bound} is {target or source}")
            if target is not None:
                waiting.append(target)
    return lines


def _target(source: Source) -> tuple[str, str | None] | None:
    """Module of this package and name in it that an import means; None if it is from elsewhere."""
    if source.name is not None and _file(f"{source.module}.{source.name}"):
        return f"{source.module}.{source.name}", None
    return (source.module, source.name) if _file(source.module) else None


def _module(name: str) -> Module:
    path = _file(name)
    if path is None:
        raise ModuleNotFoundError(f"there is no module {name} in this package")
    return read_module(path, name if path.name == "__init__.py" else name.rpartition(".")[0])


@functools.cache
def _file(name: str) -> Path | None:
    """Where a module of this package lies; None for what is no such module."""
    top, *below = name.split(".")
    base = _ROOT.joinpath(*below)
    found = [path for path in (base.with_suffix(".py"), base / "__init__.py") if path.is_file()]
    return found[0] if top == _PACKAGE and found else None


def _data_files(folder: Path, strings: set[str]) -> Iterator[str]:
    """A line for each file beside a module that one of its strings names, such as ``page.css``."""
    for name in strings:
        if "." in name and "/" not in name and not name.endswith(".py"):
            path = folder / name
            if len(name) < _LONGEST_FILE_NAME and path.is_file():
                yield f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}"
