"""The JSON schema of the config, for editors and for the table of keys in the documentation."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import CoreSchema
from pydantic_core.core_schema import WithDefaultSchema

from convergent_learning.config.model import Config


def json_schema() -> dict[str, Any]:
    """The schema of `Config`, without the checks of names and of keys that depend on each other."""
    schema = Config.model_json_schema(schema_generator=_Terse)
    return {"$schema": _Terse.schema_dialect, **schema}


class _Terse(GenerateJsonSchema):
    """Leaves out titles that repeat a key, and null as the default of what may not be null."""

    def field_title_should_be_set(self, schema: CoreSchema) -> bool:
        return False

    def default_schema(self, schema: WithDefaultSchema) -> dict[str, Any]:
        described = super().default_schema(schema)
        if "default" in described and described["default"] is None and "anyOf" not in described:
            del described["default"]
        return described
