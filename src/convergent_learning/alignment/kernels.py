"""Inner products of all pairs of stimuli, by blocks of rows: they need not fit in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

from .responses import Responses

if TYPE_CHECKING:
    from .arrays import Device

_PRODUCTS_AT_ONCE = 1 << 23  # 64 MiB
_STIMULI_READ_AT_ONCE = 1024
_TILE = 1024
_ROUNDING = 1e-13  # of what is left of a constant Gram matrix, relative to it
_ASYMMETRY = 1e-5  # of a Gram matrix that was rounded to float32, relative to its largest entry


class Kernel(ABC):
    """Inner products (n, n) of n stimuli.

    label : what messages call it
    norms : (n,) float64, the diagonal
    """

    def __init__(self, label: str, norms: torch.Tensor):
        self.label, self.norms = label, norms

    @property
    def n(self) -> int:
        return len(self.norms)

    def blocks(self) -> Iterator[tuple[int, torch.Tensor]]:
        """(first row, rows (m, n) float64) of consecutive stimuli."""
        size = max(1, _PRODUCTS_AT_ONCE // self.n)
        for start in range(0, self.n, size):
            yield start, self._rows(slice(start, start + size))

    @abstractmethod
    def centred(self) -> Kernel:
        """Those of patterns from which the mean is taken; norms are 0 if they are all alike."""

    @abstractmethod
    def normalised(self) -> Kernel:
        """Those of patterns of length 1, which are cosines; NaN for a pattern of length 0."""

    @abstractmethod
    def _rows(self, stimuli: slice) -> torch.Tensor: ...


class LinearKernel(Kernel):
    """Inner products of patterns (n, units) float64."""

    def __init__(self, label: str, patterns: torch.Tensor):
        super().__init__(label, (patterns * patterns).sum(1))
        self._patterns = patterns

    def centred(self) -> LinearKernel:
        centred = self._patterns - self._patterns.mean(0)
        constant = (self._patterns == self._patterns[0]).all(0)  # up to the rounding of its mean
        return LinearKernel(self.label, centred.masked_fill_(constant, 0.0))

    def normalised(self) -> LinearKernel:
        return LinearKernel(self.label, self._patterns * _inverse_root(self.norms)[:, None])

    def _rows(self, stimuli: slice) -> torch.Tensor:
        return self._patterns[stimuli] @ self._patterns.T


class GramKernel(Kernel):
    """Inner products that are given: a matrix (n, n), finite and symmetric, of any kernel.

    Row i and column i are lowered by `offset` and multiplied by `scale`, both (n,).
    """

    def __init__(
        self,
        label: str,
        matrix: torch.Tensor,
        offset: torch.Tensor | float = 0.0,
        scale: torch.Tensor | float = 1.0,
    ):
        ones = torch.ones(len(matrix), dtype=torch.float64, device=matrix.device)
        self._matrix, self._offset, self._scale = matrix, offset * ones, scale * ones
        norms = (matrix.diagonal().double() - 2 * self._offset) * self._scale**2
        super().__init__(label, norms)

    def centred(self) -> GramKernel:
        means = torch.cat([block.mean(1) for _, block in self.blocks()])
        centred = GramKernel(self.label, self._matrix, means - means.mean() / 2)
        if centred.norms.abs().sum() <= _ROUNDING * self.norms.abs().sum():
            centred.norms.zero_()
        return centred

    def normalised(self) -> GramKernel:
        return GramKernel(self.label, self._matrix, scale=_inverse_root(self.norms))

    def _rows(self, stimuli: slice) -> torch.Tensor:
        rows = self._matrix[stimuli] - self._offset[stimuli, None]  # a float64 copy
        rows -= self._offset
        rows *= self._scale[stimuli, None]
        rows *= self._scale
        return rows


def read_kernel(responses: Responses, device: Device | None = None) -> LinearKernel:
    """Inner products of the patterns of `read_patterns`."""
    return LinearKernel(responses.label, read_patterns(responses, device))


def read_gram(given: Responses, device: Device | None = None) -> GramKernel:
    """A Gram matrix; ValueError if it is not square, finite and symmetric."""
    if given.grid != (1, 1) or given.units != given.n:
        raise ValueError(
            f"{given.label} has {given.n} rows of {given.units} on a {given.grid} grid: with "
            "gram=True pass inner products of all pairs of stimuli, (n, n)"
        )
    matrix = given.block(0, given.n)[:, :, 0].to(device or given.device)
    _check_finite(matrix, given.label)
    asymmetry = _asymmetry(matrix)
    if asymmetry > _ASYMMETRY * float(matrix.abs().max()):
        raise ValueError(
            f"{given.label} is not symmetric (differences up to {asymmetry:.3g}): with gram=True "
            "pass inner products of all pairs of stimuli, (n, n)"
        )
    return GramKernel(given.label, matrix)


def read_patterns(responses: Responses, device: Device | None = None) -> torch.Tensor:
    """Patterns (n, units x positions) float64; ValueError for NaN or infinite responses."""
    height, width = responses.grid
    patterns = torch.empty(
        (responses.n, responses.units * height * width),
        dtype=torch.float64,
        device=device or responses.device,
    )
    for start in range(0, responses.n, _STIMULI_READ_AT_ONCE):
        chosen = slice(start, min(responses.n, start + _STIMULI_READ_AT_ONCE))
        patterns[chosen] = responses.block(chosen.start, chosen.stop).flatten(1).to(patterns.device)
        _check_finite(patterns[chosen], responses.label)
    return patterns


def _inverse_root(norms: torch.Tensor) -> torch.Tensor:
    return torch.where(norms > 0, norms, torch.nan) ** -0.5


def _asymmetry(matrix: torch.Tensor) -> float:
    """Largest difference from the transpose, tile by tile: columns are slow to read."""
    largest, size = 0.0, _TILE
    for i in range(0, len(matrix), size):
        for j in range(i, len(matrix), size):
            tile, across = matrix[i : i + size, j : j + size], matrix[j : j + size, i : i + size]
            largest = max(largest, float((tile - across.T).abs().max()))
    return largest


def _check_finite(values: torch.Tensor, label: str) -> None:
    if not torch.isfinite(values).all():
        raise ValueError(
            f"{label} holds NaN or infinite values: check the network and the images, or store "
            "activations as float32 if float16 overflowed"
        )
