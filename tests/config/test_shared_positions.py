"""Layers whose positions do not correspond are refused before anything runs."""

import pytest

from convergent_learning.config.sizes import LayerSize, require_shared_positions


def layers(**grids):
    return [LayerSize(name, 4, grid) for name, grid in grids.items()]


def test_grids_that_are_parts_of_each_other_are_compared():
    maps = layers(early=(8, 8), late=(2, 2), pooled=(1, 1))
    require_shared_positions({"mine": maps, "theirs": layers(maps=(4, 4), logits=(1, 1))})
    require_shared_positions({"mine": layers(tokens=(1, 4), readout=(1, 1))})


@pytest.mark.parametrize(
    ("theirs", "message"),
    [
        (
            (1, 4),
            r"'other' of theirs keeps a row of 4 tokens.* 'late' of mine a map of 2 x 2.*average",
        ),
        ((1, 16), r"'other' of theirs keeps a row of 16 tokens.*only the patches"),
        (
            (7, 7),
            r"'late' of mine has 2 x 2 positions and layer 'other' of theirs 7 x 7.*such as 64",
        ),
        ((16, 4), r"'early' of mine has 8 x 8 positions and layer 'other' of theirs 16 x 4"),
    ],
)
def test_others_are_refused_by_name(theirs, message):
    groups = {"mine": layers(early=(8, 8), late=(2, 2)), "theirs": layers(other=theirs)}
    with pytest.raises(ValueError, match=message):
        require_shared_positions(groups)
