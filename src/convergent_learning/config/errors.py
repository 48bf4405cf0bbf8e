"""The refusal of a config: one message that names every key at fault and what it may hold."""

from __future__ import annotations

import reprlib
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from convergent_learning.config.model import Config

Place = tuple[str | int, ...]

_KINDS = {
    "model_type": "a mapping",
    "dict_type": "a mapping",
    "tuple_type": "a list",
    "int_type": "an integer",
    "float_type": "a number",
    "string_type": "a text",
    "bool_type": "true or false",
}


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 100
_SHORT.maxlist = _SHORT.maxdict = 12
MAPPING = "mapping"  # the branch of a union that is a mapping, see `types.WordOrMapping`


class ConfigError(ValueError):
    """The config is refused; the message names every key at fault and the allowed values."""

    def __init__(self, problems: list[str]):
        super().__init__("The config is refused:\n" + "\n".join(f"  - {p}" for p in problems))


def problems_of(error: ValidationError, config: Any) -> list[str]:
    """A line for each key of `config` that pydantic refuses."""
    found = {_place(details["loc"], config): details for details in error.errors()}
    return [
        _explain(place, details)
        for place, details in found.items()
        if details["type"] != "default_factory_not_called"
        and not (details["type"] == "too_short" and _has_inner(place, found))
    ]


def _place(location: Place, config: Any) -> Place:
    """The keys and indices of `location`, without the branches of unions that pydantic adds."""
    place, node = [], config
    for part in location:
        if isinstance(node, dict) and (part != MAPPING or part in node):
            node = node.get(part)
        elif isinstance(node, list) and isinstance(part, int):
            node = node[part]
        else:
            continue
        place.append(part)
    return tuple(place)


def _has_inner(place: Place, found: dict[Place, ErrorDetails]) -> bool:
    """Whether an entry of the list at `place` is refused: it then counts as absent."""
    return any(len(other) > len(place) and other[: len(place)] == place for other in found)


def _explain(place: Place, details: ErrorDetails) -> str:
    kind, value, message = details["type"], details["input"], details["msg"]
    if kind == "extra_forbidden":
        allowed = ", ".join(sorted(_model_at(place[:-1]).model_fields))
        return f"{_text(place[:-1])}: unknown key {place[-1]}; allowed keys: {allowed}"
    if kind == "missing":
        return f"{_text(place)}: this key is missing"
    if kind in ("too_short", "too_long"):
        limit = details["ctx"]["min_length" if kind == "too_short" else "max_length"]
        return f"{_text(place)}: {shown(value)} has {len(value)} entries; {limit} are needed"
    if kind in _KINDS:
        return f"{_text(place)}: {shown(value)} is not {_KINDS[kind]}"
    told = message.removeprefix("Input ").removeprefix("String ")
    return f"{_text(place)}: {shown(value)} {told}"


def shown(value: Any) -> str:
    """A value as messages write it: its `repr`, with the middle left out if it is long."""
    try:
        return _SHORT.repr(value)
    except ValueError:
        return "an integer of thousands of digits"


def _text(place: Place) -> str:
    """A key as messages write it: ``networks[0].seeds``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
    return "".join(parts).lstrip(".") or "top level"


def _model_at(place: Place) -> type[BaseModel]:
    model: type[BaseModel] = Config
    for part in place:
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation) or model
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model among the types of an annotation, which has one or none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in inner if model is not None), None)
