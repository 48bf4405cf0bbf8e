import h5py
import numpy as np
import pytest
import torch

from convergent_learning.alignment import grid_size, sample_positions, score
from convergent_learning.alignment.positions import shape_after


@pytest.mark.parametrize(
    ("h", "w", "P", "expected"),
    [(32, 32, 64, 8), (7, 7, 64, 4), (8, 3, 64, 2), (1, 1, 64, 1), (16, 16, 63, 4), (9, 9, 1, 1)],
)
def test_grid_is_the_largest_power_of_two(h, w, P, expected):
    assert grid_size(h, w, P) == expected


@pytest.mark.parametrize(("w", "P", "expected"), [(7, 64, 4), (197, 64, 64), (64, 50, 32)])
def test_of_one_row_a_power_of_two_is_kept(w, P, expected):
    row = np.arange(w, dtype=np.float32).reshape(1, 1, 1, w)
    assert shape_after(1, w, P) == (1, expected)
    middles = [int((i + 0.5) * w / expected) for i in range(expected)]
    np.testing.assert_array_equal(sample_positions(row, P)[0, 0, 0], middles)


def test_kept_rows_are_the_middles_of_the_cells():
    maps = np.arange(7 * 9, dtype=np.float32).reshape(1, 1, 7, 9)
    rows = [int((i + 0.5) * 7 / 4) for i in range(4)]
    columns = [int((i + 0.5) * 9 / 4) for i in range(4)]
    np.testing.assert_array_equal(sample_positions(maps, 64)[0, 0], maps[0, 0][rows][:, columns])
    assert sample_positions(maps, "center")[0, 0] == maps[0, 0, 3, 4]


@pytest.mark.parametrize("positions", ["all", 64, 4, 1, "center", "average", "units"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_arrays_and_tensors_alike(positions, dtype):
    maps = np.random.default_rng(0).standard_normal((3, 2, 7, 9)).astype(dtype)
    array, tensor = (
        sample_positions(maps, positions),
        sample_positions(torch.tensor(maps), positions),
    )
    assert array.dtype == dtype
    np.testing.assert_allclose(array, tensor.numpy(), rtol=2e-3)
    assert array.shape[2:] in (shape_after(7, 9, positions), ())
    flat = maps[:, :, 0, 0]
    assert sample_positions(flat, positions) is flat


def test_average_of_half_precision_does_not_overflow():
    maps = torch.full((1, 1, 8, 8), 30_000.0, dtype=torch.float16)
    assert sample_positions(maps, "average").item() == 30_000


def test_score_samples_positions_of_arrays_and_open_datasets(tmp_path):
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((50, 6, 9, 9)).astype(np.float32) for _ in range(2))
    y += x
    for positions in (16, "center", "average"):
        expected = score(*(sample_positions(a, positions) for a in (x, y)), "procrustes")
        got = score(x, y, "procrustes", positions=positions)
        with h5py.File(tmp_path / "x.h5", "w") as file:
            streamed = score(file.create_dataset("x", data=x), y, "procrustes", positions=positions)
        for result in (got, streamed):
            np.testing.assert_allclose(
                result["procrustes"].folds, expected["procrustes"].folds, atol=1e-6
            )
    small = score(x[:, :2], y[:, :3], "procrustes", positions="units", n_folds=2, ridge=1.0)
    assert small["procrustes"].n_dead == (0, 0)
