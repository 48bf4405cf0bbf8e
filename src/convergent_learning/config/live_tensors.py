"""How many numbers a network holds at once in a forward pass, counted without computing any."""

from __future__ import annotations

from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveTensors(TorchDispatchMode):
    """Counts, while it is entered, the tensors that operations make and that are still referred to.

    A convolution may bring its input and output into an order of its own: it counts with a copy of
    both.

    peak : bytes of float32 that were alive at once, without parameters and other tensors made
        before
    """

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._made: dict[int, tuple[StorageWeakRef, int]] = {}

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: Any = (), options: Any = None
    ) -> Any:
        made = function(*arguments, **(options or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, torch.Tensor):
                reference = StorageWeakRef(tensor.untyped_storage())
                self._made.setdefault(reference.cdata, (reference, _bytes(tensor)))
        self._made = {key: one for key, one in self._made.items() if not one[0].expired()}
        copied = _bytes(arguments[0]) + _bytes(made) if "conv" in function.name() else 0
        self.peak = max(self.peak, copied + sum(size for _, size in self._made.values()))
        return made


def _bytes(tensor: torch.Tensor) -> int:
    return tensor.untyped_storage().nbytes()
