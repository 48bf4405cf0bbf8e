"""What networks say about stimuli in terms of their labels, and how often they are right."""

from __future__ import annotations

import math

import numpy as np

from convergent_learning.stimuli.geirhos16 import sixteen_class_decision
from convergent_learning.stimuli.stimulus_files import Stimuli

_IMAGENET_CLASSES = 1000


def accuracy(logits: np.ndarray, stimuli: Stimuli, classes: int) -> float:
    """Share of the labelled stimuli that a network decides correctly.

    Parameters
    ----------
    logits : (n, outputs) float32
    stimuli : n stimuli; their attribute ``decision`` says what their labels count.
    classes : number of classes of the dataset.

    Returns
    -------
    float
        NaN where the labels are not among the network's decisions.
    """
    decisions = _decide(logits, stimuli.attrs["decision"], classes)
    known = (stimuli.labels >= 0) & (decisions >= 0)
    return float((decisions == stimuli.labels)[known].mean()) if known.any() else math.nan


def _decide(logits: np.ndarray, decision: str, classes: int) -> np.ndarray:
    """What the network says in terms of the labels (n,); −1 where it has no word for them."""
    if decision == "classes" and logits.shape[1:] == (classes,):
        return logits.argmax(1)
    if decision == "sixteen" and logits.shape[1:] == (_IMAGENET_CLASSES,):
        values = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
        return sixteen_class_decision(values / values.sum(1, keepdims=True))
    return np.full(len(logits), -1)
