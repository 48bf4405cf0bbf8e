"""Factors of stacks of matrices: symmetric eigenproblems on processors, products on GPUs.

A GPU takes far longer for an eigenproblem or a singular value decomposition than for as many
operations in products and Cholesky factors, a processor does not.
"""

from __future__ import annotations

from array_api_compat import array_namespace

from .arrays import Array, on_gpu, ratio

RANK = 1e-6  # float32 products hold no smaller singular values
_CONVERGED = 1e-9


def polar(matrices: Array) -> Array:
    """Orthogonal polar factors UV' of matrices (..., p, q) = USV'.

    Directions in which a matrix has no rank (singular values below ``RANK`` of its largest) map to
    zero: any rotation of them is equally good, and a score must not depend on which one is taken.
    """
    if matrices.shape[-2] < matrices.shape[-1]:
        return polar(matrices.mT).mT
    return polar_by_products(matrices) if on_gpu(matrices) else polar_by_eigenproblem(matrices)


def polar_by_eigenproblem(matrices: Array) -> Array:
    """A(A'A)^(-1/2), for p >= q: half the time of a singular value decomposition or less.

    The squared condition is no harm in float64: at ``RANK`` an eigenvalue of A'A is 1e-12 of the
    largest, four digits above its rounding.
    """
    xp = array_namespace(matrices)
    values, vectors = xp.linalg.eigh(matrices.mT @ matrices)
    singular = xp.sqrt(xp.clip(values, 0.0))
    kept = singular > RANK * singular[..., -1:]
    inverse = ratio(xp.astype(kept, singular.dtype), singular, 0.0)
    return matrices @ ((vectors * inverse[..., None, :]) @ vectors.mT)


def polar_by_products(matrices: Array) -> Array:
    """The same by a dynamically weighted Halley iteration, for p >= q.

    Nakatsukasa, Bai & Gygi (2010, SIAM J. Matrix Anal. Appl. 31), with Cholesky factors
    throughout. Singular values of ``RANK`` or more converge to 1 in six steps. Rounding, which is
    smaller, would grow a million times: a last factor s²/(s² + RANK²) takes it away again.
    """
    xp = array_namespace(matrices)
    square = matrices.mT @ matrices
    scale = xp.linalg.matrix_norm(square, keepdims=True)  # of the squared largest, an upper bound
    inverse = ratio(xp.ones_like(scale), scale, 0.0)
    x, square = matrices * xp.sqrt(inverse), square * inverse
    identity = xp.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    clean = solve_positive(square + RANK**2 * identity, square)
    least = RANK / x.shape[-1] ** 0.25  # the largest is at least q^(-1/4) now
    while 1 - least > _CONVERGED:
        least2 = least**2
        d = (4 * (1 - least2) / least2**2) ** (1 / 3)
        root = (1 + d) ** 0.5
        a = root + 0.5 * (8 - 4 * d + 8 * (2 - least2) / (least2 * root)) ** 0.5
        b = (a - 1) ** 2 / 4
        c = a + b - 1
        solved = solve_positive(identity + c * (x.mT @ x), x.mT).mT
        x = (b / c) * x + (a - b / c) * solved
        least = min(1.0, least * (a + b * least2) / (1 + c * least2))
    return x @ clean


def solve_positive(matrices: Array, right: Array) -> Array:
    """Solutions (..., p, q) for symmetric positive definite matrices (..., p, p)."""
    if not on_gpu(matrices):
        return array_namespace(matrices).linalg.solve(matrices, right)
    import torch

    return torch.cholesky_solve(right, torch.linalg.cholesky(matrices))
