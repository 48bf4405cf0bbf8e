"""Figure 8: drawn whole from the tables of every kind of recording."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from simulated_recordings import HUMAN, MONKEY, NEURONS, System, write_recordings

from convergent_learning.figures import fig8, style

LOW = System("planted", "V1", 92, 4, (0.62, 0.8))
CASES = {
    "two systems": ([HUMAN, MONKEY], {}),
    "responses": ([HUMAN, NEURONS], {}),
    "one group came trained": ([HUMAN], {"pretrained": ["vgg11"]}),
    "all groups came trained": ([MONKEY, NEURONS], {"pretrained": ["resnet18", "vgg11"]}),
    "one subject": ([MONKEY], {}),
    "nothing gained": ([HUMAN, LOW], {"gains": False}),
    "two networks": ([HUMAN], {"seeds": 2}),
    "one network": ([NEURONS], {"seeds": 1}),
}


@pytest.fixture
def make(make_tables, tmp_path):
    """Tables of the simulated experiment with recordings."""

    def write(systems, **how):
        folder = tmp_path / "tables"
        folder.mkdir()
        for name in ("datasets.csv", "groups.csv", "layers.csv"):
            shutil.copy(make_tables() / name, folder)
        return write_recordings(folder, systems, **how)

    return write


def _draw(tables):
    pdf, png = tables.parent / "fig8.pdf", tables.parent / "fig8.png"
    fig8.draw(tables, pdf, png)
    return pdf, png


@pytest.mark.parametrize("case", CASES)
def test_every_kind_of_recording_is_drawn(case, make):
    systems, how = CASES[case]
    tables = make(systems, **how)
    pdf, png = _draw(tables)
    picture = Image.open(png)
    assert np.asarray(picture.convert("L")).std() > 5
    assert picture.width / 300 * 25.4 == pytest.approx(style.TWO_COLUMNS, abs=0.2)
    assert pdf.read_bytes().startswith(b"%PDF")
    caption = fig8.caption(tables)
    assert "nan" not in caption
    for system in systems:
        assert f"{system.recording}, {system.system}: {system.n} images" in caption


def test_caption_names_n_ceilings_and_both_intervals(make):
    caption = fig8.caption(make([HUMAN, MONKEY, NEURONS]))
    assert "human IT: 92 images, 4 subjects, noise ceiling 0.37 to 0.67" in caption
    assert "monkey IT: 92 images, 1 subject, no ceiling: one subject" in caption
    assert "640 images, 120 units (8 unreliable left out), mean ceiling of units 0.71" in caption
    assert "ResNet-18, 3 networks" in caption
    assert "95% intervals of the mean over networks" in caption
    assert "95% interval over images and subjects (bootstrap)" in caption
    assert "Spearman correlation of dissimilarities (1 − Pearson r" in caption


def test_caption_says_why_there_is_no_interval_over_networks(make):
    assert "they need 3 networks" in fig8.caption(make([HUMAN], seeds=2))


def test_maps_are_in_the_caption_where_there_are_responses(make):
    assert "held-out correlation" not in fig8.caption(make([HUMAN]))


@pytest.mark.slow
def test_two_datasets_are_drawn_below_each_other(make):
    tables = make([HUMAN])
    single = Image.open(_draw(tables)[1]).height
    for path in tables.glob("*.csv"):
        table = pd.read_csv(path)
        if "dataset" in table:
            pd.concat([table, table.assign(dataset="cifar100")]).to_csv(path, index=False)
    assert Image.open(_draw(tables)[1]).height > 1.8 * single
