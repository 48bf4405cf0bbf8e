"""What a Python file says, as far as it can change what the file does: definitions and imports."""

from __future__ import annotations

import ast
import functools
import hashlib
import itertools
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple


class Source(NamedTuple):
    """Where a name comes from, without `name` if it is a module, and what it is bound to here."""

    module: str
    name: str | None
    bound: str


@dataclass
class Code:
    """A statement at the top level of a module.

    Attributes
    ----------
    text : list of str
        The syntax tree without docstrings, comments, annotations (those of a class's fields stay:
        they define them) and blocks for type checkers; the same for every version of Python.
    used, annotating : sets of the names in it, and of those in annotations
    imports : what is imported inside it, by the names that it binds: one name may have several
    strings : set of the string constants in it
    """

    text: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    annotating: set[str] = field(default_factory=set)
    imports: dict[str, set[Source]] = field(default_factory=lambda: defaultdict(set))
    strings: set[str] = field(default_factory=set)

    @functools.cached_property
    def digest(self) -> str:
        return hashlib.sha256("".join(self.text).encode()).hexdigest()


class Module:
    """A file: the code that defines each name, its other statements, and its imports."""

    def __init__(self, path: Path, package: str):
        self.folder = path.parent
        self.definitions: dict[str, list[Code]] = defaultdict(list)
        reader, top = _Reader(package), Code()
        self._others: list[Code] = []
        for statement in _statements(ast.parse(path.read_bytes()).body):
            if isinstance(statement, ast.Import | ast.ImportFrom):
                reader.read(statement, top)
                continue
            code = Code()
            reader.read(statement, code)
            names = _defined(statement)
            for name in names:
                # Of two definitions the last one holds.
                code.text.append(f"{name} {len(self.definitions[name])}")
                self.definitions[name].append(code)
            if not names:
                code.text.append(f"{len(self._others)}")  # they run in their order
                self._others.append(code)
        self._all = [*self._others, *itertools.chain(*self.definitions.values())]
        annotating = {name for code in self._all for name in code.annotating}
        self._used = {name for code in self._all for name in code.used}
        self._imports = {
            name: sources
            for name, sources in top.imports.items()
            if name in self._used or name not in annotating
        }

    def behind(self, name: str | None) -> tuple[list[Code], set[Source]]:
        """Code that runs, and imports that it needs, where `name` is imported from the file.

        All of them for None, and for a name that the file does not bind in plain sight. Imports of
        names that nothing in the file uses are for others, or made for what they set off: they are
        needed with the file itself.
        """
        if name in self._imports and name not in self.definitions:
            return self._others, self._imports[name] | self._sources(self._others)
        if name in self.definitions:
            codes = [*self._others, *self.definitions[name]]
            return codes, self._sources(codes)
        unused = [sources for name, sources in self._imports.items() if name not in self._used]
        return self._all, self._sources(self._all).union(*unused)

    def _sources(self, codes: list[Code]) -> set[Source]:
        found = set()
        for code in codes:
            found |= set().union(*code.imports.values())
            found |= set().union(*(self._imports[n] for n in code.used & self._imports.keys()))
        return found


@functools.cache
def read_module(path: Path, package: str) -> Module:
    """The file `path`, whose relative imports start from `package`; read once a process."""
    return Module(path, package)


class _Reader:
    """Turns syntax trees into `Code`; relative imports start from `package`."""

    def __init__(self, package: str):
        self._package = package.split(".")

    def read(self, node: Any, code: Code, in_class: bool = False) -> None:
        """Add a node, a list of nodes, or a value of a node to `code`."""
        if isinstance(node, list):
            code.text.append("[")
            for part in _statements(node):
                self.read(part, code, in_class)
            code.text.append("]")
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for source in self._imported(node):
                code.imports[source.bound].add(source)
        elif isinstance(node, ast.AnnAssign) and not in_class:
            _annotation(node.annotation, code)
            if node.value is not None:
                self._fields("Assign", {"targets": [node.target], "value": node.value}, code)
        elif isinstance(node, ast.AST):
            self._fields(type(node).__name__, dict(ast.iter_fields(node)), code)
        else:
            code.text.append(repr(node))
            if isinstance(node, str):
                code.strings.add(node)

    def _fields(self, kind: str, fields: dict[str, Any], code: Code) -> None:
        code.text.append(f"{kind}(")
        if kind == "Name":
            code.used.add(fields["id"])
        for name, value in fields.items():
            if name in ("annotation", "returns") and kind != "AnnAssign":
                _annotation(value, code)
            elif name not in ("ctx", "kind", "type_comment") and value not in (None, []):
                code.text.append(f"{name}=")
                self.read(value, code, in_class=kind == "ClassDef" and name == "body")
        code.text.append(")")

    def _imported(self, node: ast.Import | ast.ImportFrom) -> Iterator[Source]:
        for alias in node.names:
            if isinstance(node, ast.Import):
                yield Source(alias.name, None, alias.asname or alias.name.partition(".")[0])
            else:
                above = self._package[: len(self._package) - node.level + 1] if node.level else []
                module = ".".join([*above, *filter(None, [node.module])])
                yield Source(module, alias.name, alias.asname or alias.name)


def _statements(nodes: list[Any]) -> Iterator[Any]:
    """Those with an effect: not docstrings, blocks for type checkers, imports from the future."""
    for node in nodes:
        if isinstance(node, ast.If) and _for_type_checkers(node.test):
            yield from _statements(node.orelse)
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            continue
        elif not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            yield node


def _for_type_checkers(test: ast.expr) -> bool:
    return getattr(test, "id", getattr(test, "attr", None)) == "TYPE_CHECKING"


def _annotation(node: ast.AST | None, code: Code) -> None:
    if node is not None:
        code.annotating |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _defined(statement: ast.stmt) -> list[str]:
    """Names that a definition or plain assignment binds; none for any other statement."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    targets: list[ast.expr] = []
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    elif isinstance(statement, ast.Assign):
        targets = statement.targets
    flat = [part for t in targets for part in (t.elts if isinstance(t, ast.Tuple) else [t])]
    names = [part.id for part in flat if isinstance(part, ast.Name)]
    return names if len(names) == len(flat) else []
