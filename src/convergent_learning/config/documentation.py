"""docs/configuration.md: every key of the config, from its JSON schema."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from convergent_learning.config.schema import json_schema

_HEAD = """\
# Keys of the config

`config.yaml` is the default experiment. An overlay, `workflow/experiments/<experiment>.yaml`,
changes keys of it: mappings are merged key by key, lists are replaced. A key outside a list that an
overlay leaves out has the value in `config.yaml`, which is the default below. `a[].b` is the key
`b` of each entry of the list `a`. A config with an unknown key, or with a value that is not
allowed, is refused before any job. One message names all keys that are unknown or of a wrong type;
values that do not fit together are reported once these are right.

This page is made from the model in `src/convergent_learning/config`; `make config` makes it anew.
"""
_TABLE = "| key | type | default | meaning |\n|---|---|---|---|\n"
_LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_LARGE = {10**6: "10⁶", 10**9: "10⁹", 10**12: "10¹²", 2**63 - 1: "2⁶³ − 1"}
_KINDS = {  # one and several of them
    "boolean": ("true or false", "truths"),
    "integer": ("integer", "integers"),
    "null": ("null", "nulls"),
    "number": ("number", "numbers"),
    "object": ("mapping", "mappings"),
    "string": ("text", "texts"),
}


def page(defaults: dict[str, Any]) -> str:
    """The whole page; `defaults` is what config.yaml holds."""
    schema = json_schema()
    sections: dict[str, list[str]] = {}
    for key, about, required in _keys(_resolved(schema, schema)):
        section = re.split(r"\[|\.", key)[0] if "." in key else "experiment"
        cells = f"`{key}`", _either(_types(about)), _default(key, about, required, defaults)
        meaning = re.sub(r"docs/(\w+)\.md", r"[\1](\1.md)", about.get("description", ""))
        row = " | ".join((*cells, meaning))
        sections.setdefault(section, []).append(f"| {row} |\n")
    parts = [f"\n## {name}\n\n{_TABLE}{''.join(rows)}" for name, rows in sections.items()]
    return _HEAD + "".join(parts)


def _keys(node: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Each key below `node`, what the schema says of it, and whether it must be given."""
    for name, about in node["properties"].items():
        key = f"{prefix}{name}"
        yield key, about, name in node.get("required", [])
        if "properties" in about:
            yield from _keys(about, f"{key}.")
        for entries in _entries(about):
            yield from _keys(entries, f"{key}[].")


def _entries(about: dict[str, Any]) -> list[dict[str, Any]]:
    """What a list holds, if that has keys."""
    lists = [branch["items"] for branch in [about, *about.get("oneOf", [])] if "items" in branch]
    kinds = [kind for entry in lists for kind in [entry, *entry.get("oneOf", [])]]
    return [kind for kind in kinds if "properties" in kind]


def _resolved(about: Any, schema: dict[str, Any]) -> Any:
    """`about` with the definitions that it refers to in their places."""
    if isinstance(about, list):
        return [_resolved(entry, schema) for entry in about]
    if not isinstance(about, dict):
        return about
    if "$ref" in about:
        about = schema["$defs"][about["$ref"].rsplit("/", 1)[1]] | about
    return {key: _resolved(value, schema) for key, value in about.items() if key != "$ref"}


def _types(about: dict[str, Any], several: bool = False) -> list[str]:
    """What a value may be, each in words; in the plural for the entries of a list."""
    branches = about.get("anyOf") or about.get("oneOf")
    if branches:
        return [kind for branch in branches for kind in _types(branch, several)]
    if "enum" in about or "const" in about:
        return [f"`{_in_yaml(value)}`" for value in about.get("enum", [about.get("const")])]
    if about["type"] == "array":
        return [f"list of {_either(_types(about['items'], several=True))}"]
    limits = " and ".join(
        f"{sign} {_LARGE.get(about[key], about[key])}"
        for key, sign in _LIMITS.items()
        if key in about
    )
    return [f"{_KINDS[about['type']][several]} {limits}".strip()]


def _in_yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _either(kinds: list[str]) -> str:
    return " or ".join(filter(None, (", ".join(kinds[:-1]), kinds[-1])))


def _default(key: str, about: dict[str, Any], required: bool, defaults: dict[str, Any]) -> str:
    value: Any = defaults
    if "properties" in about or key in ("datasets", "networks"):
        return ""
    if "[]" not in key:
        for part in key.split("."):
            value = value[part]
    elif "default" in about:
        value = about["default"]
    else:
        return "required" if required else ""
    return f"`{json.dumps(value)}`"
