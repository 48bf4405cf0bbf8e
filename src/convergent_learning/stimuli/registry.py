"""The table of OOD families: one registered function a family, its levels mild to strong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .draws import Draws

Level = int | float | str

_FAMILIES: dict[str, Family] = {}


@dataclass(frozen=True)
class Setting:
    """What a transformation may use besides image and level.

    Attributes
    ----------
    draws : Draws
        Random draws, one stream an image, the same at all levels.
    spectrum : ndarray (h, w) or None
        Mean amplitude spectrum, for families with ``needs_spectrum``.
    """

    draws: Draws
    spectrum: np.ndarray | None = None


@dataclass(frozen=True)
class Family:
    """An OOD family: a transformation of images at a series of levels.

    Attributes
    ----------
    name : str
        Name in configuration, tables and slugs.
    levels : tuple
        Published levels, mild to strong (numbers or words); the identity level is not among them.
    identity : number or None
        Level at which the parametric part of the transformation vanishes; None if there is none.
    graded : bool
        Whether the levels are ordered by strength (rotations are not; one level is no order).
    default : tuple
        Levels of the default experiment, chosen for images of 32 pixels.
    counts_as : str
        The family that it counts as in the statistics (the three eidolons are one).
    kind : str
        What it changes: the conditions of all families of a kind are computed in one job.
    source : str
        Where the definition comes from.
    needs_spectrum : bool
        Whether the transformation uses the mean amplitude spectrum of the data set.
    transform : callable
        ``transform(images, level, setting)``: (n, h, w, 3) float64 in [0, 1] to (n, h, w, 3) or,
        for grey results, (n, h, w); the caller clips.
    """

    name: str
    levels: tuple[Level, ...]
    identity: Level | None
    graded: bool
    default: tuple[Level, ...]
    counts_as: str
    kind: str
    source: str
    needs_spectrum: bool
    transform: Callable[[np.ndarray, Level, Setting], np.ndarray]

    def level(self, value: Level) -> Level:
        """The level that a number or a text from a configuration means (identity included).

        Raises
        ------
        ValueError
            Listing the allowed levels, if it is none of them.
        """
        identity = () if self.identity is None else (self.identity,)
        allowed = {level_text(known): known for known in (*identity, *self.levels)}
        text = level_text(value)
        if text not in allowed:
            levels = ", ".join(map(level_text, self.levels))
            besides = "" if self.identity is None else f" (identity: {level_text(self.identity)})"
            raise ValueError(
                f"family {self.name!r} has no level {value!r}; allowed: {levels}{besides}"
            )
        return allowed[text]

    def chosen_levels(self, choice: str | list[Level] | tuple[Level, ...]) -> tuple[Level, ...]:
        """Levels that a configuration names: ``"all"``, ``"default"`` or a list, mild to strong.

        Raises
        ------
        ValueError
            For another word, an unknown level, a level named twice or an empty list.
        """
        if isinstance(choice, str):
            if choice not in ("all", "default"):
                raise ValueError(
                    f"levels of family {self.name!r}: {choice!r} is not 'all', 'default' or a list"
                )
            return self.levels if choice == "all" else self.default
        named = [self.level(value) for value in choice]
        if not named or len(set(named)) < len(named):
            problem = "a level is named twice" if named else "the list is empty"
            raise ValueError(f"levels of family {self.name!r}: {problem}")
        order = (self.identity, *self.levels)
        return tuple(sorted(named, key=order.index))


def family(
    name: str,
    *,
    levels: tuple[Level, ...],
    source: str,
    identity: Level | None = None,
    graded: bool = True,
    default: tuple[Level, ...] | None = None,
    counts_as: str | None = None,
    kind: str | None = None,
    needs_spectrum: bool = False,
) -> Callable:
    """Decorator that registers ``transform(images, level, setting)`` as a family."""

    def register(transform: Callable) -> Callable:
        _FAMILIES[name] = Family(
            name=name,
            levels=levels,
            identity=identity,
            graded=graded and len(levels) > 1,
            default=levels if default is None else default,
            counts_as=name if counts_as is None else counts_as,
            kind=name if kind is None else kind,
            source=source,
            needs_spectrum=needs_spectrum,
            transform=transform,
        )
        return transform

    return register


def families() -> dict[str, Family]:
    """All registered families, name to :class:`Family`, in the order of the methods table.

    Examples
    --------
    >>> from convergent_learning.stimuli import families
    >>> families()["contrast"].levels
    (50, 30, 15, 10, 5, 3, 1)
    """
    return dict(_FAMILIES)


def get_family(name: str) -> Family:
    """The family of that name; ValueError listing the known ones otherwise.

    Examples
    --------
    >>> from convergent_learning.stimuli import get_family
    >>> get_family("eidolon_I").counts_as
    'eidolon'
    """
    if name not in _FAMILIES:
        raise ValueError(f"unknown stimulus family {name!r}; allowed: {', '.join(_FAMILIES)}")
    return _FAMILIES[name]


def level_text(level: Level) -> str:
    """Canonical text of a level, as in slugs and tables: 50, 50.0 and "50" all give "50".

    Raises
    ------
    ValueError
        If the level is neither a number nor a text.

    Examples
    --------
    >>> from convergent_learning.stimuli import level_text
    >>> level_text(50.0), level_text("0.30"), level_text("bw")
    ('50', '0.3', 'bw')
    """
    if isinstance(level, bool) or not isinstance(level, int | float | str | np.number):
        raise ValueError(f"a level is a number or a text, not {level!r}")
    try:
        return format(float(level), "g")
    except ValueError:
        return str(level)


def condition_slug(stimuli: str, condition: str = "") -> str:
    """``id`` for the in-distribution set, else ``<family>-<level text>``.

    Examples
    --------
    >>> from convergent_learning.stimuli import condition_slug
    >>> condition_slug("contrast", "50"), condition_slug("id")
    ('contrast-50', 'id')
    """
    return f"{stimuli}-{condition}" if condition else stimuli
