"""Kinds of values that keys of the config hold; `model.py` says which key holds which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    Strict,
    ValidationError,
    WrapValidator,
)
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

T = TypeVar("T")


class Keys(BaseModel):
    """A mapping of the config: its keys are fields, and any other key is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    def dump(self) -> dict[str, Any]:
        """The keys that the config gives, as the plain values that YAML or JSON hold."""
        return self.model_dump(mode="json", exclude_unset=True)


def refused(text: str) -> PydanticCustomError:
    """What is wrong with a value, to be read after the value itself."""
    return PydanticCustomError("refused", text)


def described(text: str) -> WrapValidator:
    """Call a value of a wrong kind "not `text`"; of a list or mapping, name the entry at fault."""

    def validate(value: Any, inner: Callable[[Any], Any]) -> Any:
        try:
            return inner(value)
        except ValidationError:
            if isinstance(value, list | dict):
                raise
            raise refused(f"is not {text}") from None

    return WrapValidator(validate)


class _NotNull:
    """Marks the type of a key that may be left out, but not be null."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._refuse_null, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema)["anyOf"][0]

    @staticmethod
    def _refuse_null(value: Any) -> Any:
        if value is None:
            raise refused("is no value here; leave the key out")
        return value


class _AsGiven:
    """A number stays the int or float of the file: digests of training plans tell them apart."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_wrap_validator_function(
            self._validate,
            handler(source),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda value: value),
        )

    @staticmethod
    def _validate(value: Any, inner: Callable[[Any], Any]) -> Any:
        inner(value)
        return value


class _EachOnce:
    """Marks a list that may not name an entry twice."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._validate, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(schema) | {"uniqueItems": True}

    @staticmethod
    def _validate(values: tuple[T, ...]) -> tuple[T, ...]:
        if any(value in values[:index] for index, value in enumerate(values)):
            raise refused("lists an entry twice; list each once")
        return values


Given = Annotated[T | None, _NotNull()]
"""A key without a default: None where the config leaves it out."""

Listed = Annotated[tuple[T, ...], Strict(False)]
ListedOnce = Annotated[tuple[T, ...], Strict(False), Field(min_length=1), _EachOnce()]
TwoOrMore = Annotated[tuple[T, ...], Strict(False), Field(min_length=2), _EachOnce()]
Channels = Annotated[tuple[T, ...], Strict(False), Field(min_length=3, max_length=3)]
"""One value each of red, green and blue."""

Number = Annotated[float, _AsGiven()]
NotNegative = Annotated[float, Field(ge=0), _AsGiven()]
Positive = Annotated[float, Field(gt=0), _AsGiven()]
Width = Annotated[float, Field(ge=1 / 64, le=64), _AsGiven()]
Mean = Annotated[float, Field(ge=-1000, le=1000), _AsGiven()]
Deviation = Annotated[float, Field(ge=1e-6, le=1000), _AsGiven()]
UpToOne = Annotated[float, Field(gt=0, le=1), _AsGiven()]
BelowOne = Annotated[float, Field(ge=0, lt=1), _AsGiven()]
Inside = Annotated[float, Field(gt=0, lt=1), _AsGiven()]

Count = Annotated[int, Field(ge=1, le=10**9)]
Step = Annotated[int, Field(ge=0, le=10**12)]
Side = Annotated[int, Field(ge=8, le=4096)]
Seed = Annotated[int, Field(ge=0, le=2**63 - 1)]  # tables hold seeds in 64 bits
Text = Annotated[str, Field(min_length=1)]
TextOrNumber = Annotated[str | Number, described("a text or a number")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$")]
Checkpoint = Annotated[
    Annotated[str, Field(pattern=r"^[0-9]{1,12}([.][0-9]{1,12}|/[0-9]{1,12}| steps?)?$")]
    | NotNegative,
    described("an epoch such as 0, 1/16 or 2, or a step such as '100 steps'"),
]

WordOrList = Discriminator(lambda value: "list" if isinstance(value, list | tuple) else "word")
"""Tells a union's branch with the tag ``list`` from that with the tag ``word``."""
WordOrMapping = Discriminator(lambda value: "word" if isinstance(value, str) else "mapping")
"""The same for ``mapping``."""
