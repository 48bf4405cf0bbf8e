"""Networks as they are shown stimuli. Imports no torch: the DAG is built of them."""

from __future__ import annotations

from dataclasses import dataclass

from convergent_learning.networks.layers import Layer
from convergent_learning.networks.naming import network_name
from convergent_learning.networks.pretrained import Pretrained
from convergent_learning.training.plan import TrainingPlan

OWN = ""
"""In place of an architecture, where no file of `networks.architectures` builds the network."""
BATCH = 125
"""Images of an extraction step: on a CPU the maps of more fall out of the cache."""
WEIGHTS_KEPT = 256 << 20
"""Bytes of the networks that a job keeps loaded."""


@dataclass(frozen=True)
class ActivationFile:
    """A file with the activations of a network at a training step for one stimulus set."""

    path: str
    step: int


@dataclass(frozen=True)
class Shown:
    """A network that is shown stimuli.

    `group` and `seed` name it; `layers` are kept, in depth order. `source` is, of a network that
    was trained here, the safetensors file and the plan that it must come from; any other network
    is described, or is a file of its activations.
    """

    group: str
    seed: int
    layers: tuple[Layer, ...]
    source: tuple[str, TrainingPlan] | Pretrained | ActivationFile

    @property
    def name(self) -> str:
        return network_name(self.group, self.seed)

    @property
    def architecture(self) -> str:
        """The architecture of a network that was trained here, or `OWN`."""
        match self.source:
            case (_, TrainingPlan() as plan):
                return plan.architecture
        return OWN

    @property
    def layer_names(self) -> list[str]:
        return [layer.name for layer in self.layers]


@dataclass(frozen=True)
class ShownSample:
    """A stimulus set that networks are shown at a training step, and what is kept of it.

    `stimuli` is the HDF5 file of the set. Of the networks named in `mapped` the moments of all
    layer pairs are wanted. Networks are compared in `pairs`, by their names, or all with all for
    None. `name`, for example ``low_pass-10_step1560``, is the stem of the files.
    """

    stimuli: str
    step: int
    networks: tuple[Shown, ...]
    mapped: tuple[str, ...]
    name: str
    pairs: tuple[tuple[str, str], ...] | None = None
