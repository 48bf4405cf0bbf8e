"""The device that networks run on, its arithmetic on CUDA, and running out of its memory."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import torch

from convergent_learning.training.plan import TrainingPlan

# What torch's CPU allocator and the CUDA driver say in a plain RuntimeError.
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory")


def default_device() -> torch.device:
    """CUDA wherever torch sees a GPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@contextlib.contextmanager
def training_arithmetic(device: torch.device) -> Iterator[None]:
    """On CUDA: TF32 products, and deterministic kernels wherever torch has one (else it warns).

    A CPU is deterministic as it is, for a fixed number of threads.
    """
    if device.type != "cuda":
        yield
        return
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # deterministic cuBLAS asks for it
    precision, benchmark = torch.get_float32_matmul_precision(), torch.backends.cudnn.benchmark
    convolutions = torch.backends.cudnn.allow_tf32
    deterministic = torch.are_deterministic_algorithms_enabled()
    torch.set_float32_matmul_precision("high")
    torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = True, False
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32, torch.backends.cudnn.benchmark = convolutions, benchmark
        torch.use_deterministic_algorithms(deterministic)


@contextlib.contextmanager
def out_of_memory_explained(name: str, plan: TrainingPlan) -> Iterator[None]:
    """Turn a failed allocation, on the GPU or not, into a MemoryError with the keys to lower.

    `name` is the network's.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        named = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not named and not any(words in str(error) for words in _OUT_OF_MEMORY):
            raise
        raise MemoryError(
            f"training {name} ran out of memory: lower `training.batch_size` (now"
            f" {plan.batch_size}) or the network's `width` (now {plan.width})"
        ) from error
