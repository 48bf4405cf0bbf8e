"""A recording: images, and what one or several biological systems made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

Kind = Literal["responses", "dissimilarities"]
KINDS: tuple[str, ...] = get_args(Kind)
RSA = "rsa"
MAPPED = ("linear", "procrustes", "soft_matching")  # metrics of responses, beside RSA


@dataclass(frozen=True, eq=False)
class System:
    """A biological system that was shown the images of a recording.

    Attributes
    ----------
    name : str
        Its name in tables and figures, such as ``human IT``.
    kind : str
        ``responses`` or ``dissimilarities``.
    values : ndarray float32
        Responses (repeats, stimuli, units) in the unit of their source, NaN where a trial is
        missing; every stimulus has a finite response of every unit in some repeat. Dissimilarities
        (subjects, sessions, stimuli, stimuli), symmetric and finite, with a diagonal of zeros.
    """

    name: str
    kind: Kind
    values: np.ndarray

    @property
    def n_missing(self) -> int:
        """Number of responses (one repeat, stimulus and unit each) that are missing."""
        return int(np.isnan(self.values).sum())


@dataclass(frozen=True, eq=False)
class Recording:
    """Systems and the images that they all were shown.

    Attributes
    ----------
    name : str
        As in the config.
    images : ndarray (stimuli, height, width, 3) uint8
        RGB, in the order of the stimuli of every system.
    systems : tuple of System
    digest : str
        Sha256 of images and systems, see `canonical.digest_of`.
    """

    name: str
    images: np.ndarray
    systems: tuple[System, ...]
    digest: str
