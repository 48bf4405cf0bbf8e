"""Networks as they are shown stimuli. Imports no torch: the DAG is built of them."""

from __future__ import annotations

from dataclasses import dataclass

from convergent_learning.networks.layers import Layer
from convergent_learning.networks.naming import network_name
from convergent_learning.networks.pretrained import Pretrained
from convergent_learning.training.plan import TrainingPlan


@dataclass(frozen=True)
class Shown:
    """A network that is shown stimuli.

    `group` and `seed` name it; `layers` are kept, in depth order. `trained` is the safetensors file
    of one that was trained here and the plan that it must come from, `pretrained` describes any
    other: one of the two is None.
    """

    group: str
    seed: int
    layers: tuple[Layer, ...]
    trained: tuple[str, TrainingPlan] | None = None
    pretrained: Pretrained | None = None

    @property
    def name(self) -> str:
        return network_name(self.group, self.seed)
