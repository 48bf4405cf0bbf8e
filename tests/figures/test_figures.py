"""Figures: files that are whole, for complete and for sparse experiments, from tables alone."""

from __future__ import annotations

import importlib
import shutil
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
import simulated
from PIL import Image

from convergent_learning.alignment import metrics
from convergent_learning.figures import common, style, words
from convergent_learning.tables.printed import in_print
from convergent_learning.tables.schema import COLUMNS
from convergent_learning.tables.storage import tables_in

NUMBERS = range(1, 7)


def _module(number):
    return importlib.import_module(f"convergent_learning.figures.fig{number}")


def _draw(number, tables, folder):
    out = folder / f"fig{number}.pdf", folder / f"fig{number}.png"
    _module(number).draw(tables, *out)
    return out


def _is_whole(pdf, png):
    picture = np.asarray(Image.open(png).convert("L"))
    return pdf.read_bytes().startswith(b"%PDF") and picture.std() > 5 and picture.shape[1] > 2100


@pytest.mark.parametrize("number", NUMBERS)
def test_draws_pdf_and_png_with_embedded_fonts(number, tables, tmp_path):
    pdf, png = _draw(number, tables, tmp_path)
    assert _is_whole(pdf, png)
    content = pdf.read_bytes()
    assert b"/FontFile2" in content  # TrueType outlines inside: type 42
    assert b"/Subtype /Type3" not in content
    assert b"CreationDate" not in content
    picture = Image.open(png)
    assert picture.info["dpi"][0] == pytest.approx(300, abs=0.1)
    assert picture.width / 300 * 25.4 == pytest.approx(style.TWO_COLUMNS, abs=0.2)


@pytest.mark.parametrize("number", NUMBERS)
def test_caption_names_n_and_interval(number, tables):
    caption = _module(number).caption(tables)
    assert "3 networks" in caption
    assert "nan" not in caption
    if number > 1:
        assert "95% intervals" in caption


@pytest.mark.parametrize(("number", "what"), [(2, "layers and metrics"), (4, "best matches")])
def test_captions_say_which_scores_are_calibrated(number, what, tables, tmp_path):
    assert "No score is calibrated." in _module(number).caption(tables)
    shutil.copytree(tables, tmp_path, dirs_exist_ok=True)
    name = f"fig{number}_calibrated"
    judged = {"p": [0.01, 0.05, 0.06, np.nan], "calibrated": [0.4, 0.1, 0, np.nan], "n_draws": 99}
    judged = pd.DataFrame(judged, columns=COLUMNS[name])
    judged.to_csv(tmp_path / f"{name}.csv", index=False)
    caption = _module(number).caption(tmp_path)
    assert f"against 99 permutations of the stimuli, are in {name}.csv" in caption
    assert f"above 0 in 2 of 3 {what}" in caption
    assert "those drawn are not calibrated" in caption


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(
    "how",
    [
        {"seeds": 2, "groups": ("vgg11",), "families": {}},
        pytest.param({"seeds": 1}, marks=pytest.mark.slow),
        pytest.param({"families": {"colour": ["bw"]}}, marks=pytest.mark.slow),
    ],
    ids=["two networks", "one seed", "one condition"],
)
def test_sparse_experiments_are_drawn(number, how, make_tables, tmp_path):
    folder = make_tables(**how)
    assert _is_whole(*_draw(number, folder, tmp_path))
    caption = _module(number).caption(folder)
    assert "nan" not in caption
    if number in (2, 3, 5) and "seeds" in how:
        assert "No intervals" in caption


@pytest.mark.slow
def test_two_datasets_are_drawn_below_each_other(tables, make_tables, tmp_path):
    other = make_tables(dataset="cifar100", rng=1)
    for name in tables_in(tables):
        parts = [pd.read_csv(folder / f"{name}.csv") for folder in (tables, other)]
        both = pd.concat(parts) if "dataset" in parts[0] else parts[0]
        both.to_csv(tmp_path / f"{name}.csv", index=False)
    shutil.copy(tables / "fig1_stimuli.png", tmp_path)
    for number in (3, 6):
        single = Image.open(_draw(number, tables, tmp_path)[1]).height
        assert Image.open(_draw(number, tmp_path, tmp_path)[1]).height > 1.8 * single


@pytest.mark.slow
def test_five_groups_fit_on_a_page(make_tables, tmp_path):
    names = ("resnet18", "resnet50", "vgg16", "vgg19", "vit_small")
    layers = dict.fromkeys(names, simulated.LAYERS["resnet18"])
    tables = make_tables(groups=names, layers=layers)
    for number in NUMBERS:
        _, png = _draw(number, tables, tmp_path)
        assert Image.open(png).height / 300 * 25.4 <= 247
        assert "nan" not in _module(number).caption(tables)


@pytest.mark.slow
def test_groups_that_share_an_architecture_are_drawn_by_name(make_tables, tmp_path):
    """Two groups of ResNet-18s, which across groups have every layer in common."""
    names = ("labels", "shuffled-labels")
    layers = dict.fromkeys(names, simulated.LAYERS["resnet18"])
    folder = make_tables(groups=names, layers=layers, architecture="resnet18")
    assert set(pd.read_csv(folder / "layers.csv").architecture) == {"resnet18"}
    for number in NUMBERS:
        assert _is_whole(*_draw(number, folder, tmp_path))
        caption = _module(number).caption(folder)
        each = "labels, 3 networks" if number == 1 else "labels, shuffled-labels, 3 networks"
        assert each in caption
        assert "differ in their seed alone" in caption or number == 1
    assert "labels – shuffled-labels, 9 pairs" in _module(2).caption(folder)


@pytest.mark.slow
def test_many_groups_have_room(make_tables, tmp_path):
    """Panels that leave no room for their axes are a warning of matplotlib."""
    names = tuple(f"group-with-a-long-name-{i}" for i in range(7))
    layers = dict.fromkeys(names, simulated.LAYERS["resnet18"])
    folder = make_tables(groups=names, layers=layers, architecture="resnet18", families={})
    for number in (2, 3, 4, 5):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert _is_whole(*_draw(number, folder, tmp_path))


def test_steps_are_drawn_where_epochs_have_no_known_length(tables, tmp_path):
    folder = tmp_path / "tables"
    shutil.copytree(tables, folder)
    groups = pd.read_csv(folder / "groups.csv").assign(steps_per_epoch=0)
    groups.to_csv(folder / "groups.csv", index=False)
    assert _is_whole(*_draw(5, folder, tmp_path))
    assert "first epoch" in _module(5).caption(tables)
    assert "first epoch" not in _module(5).caption(folder)


@pytest.mark.slow
def test_networks_that_are_given_as_they_are_are_not_called_trained(tables, tmp_path):
    folder = tmp_path / "tables"
    shutil.copytree(tables, folder)
    groups = pd.read_csv(folder / "groups.csv")
    assert words.finished(groups) == "trained"
    groups.loc[groups.group == "vgg11", ["final_step", "steps_per_epoch"]] = 0
    groups.to_csv(folder / "groups.csv", index=False)
    assert words.finished(groups) == "trained or as given"
    assert words.finished(groups[groups.group == "vgg11"]) == "as given"
    for number in (1, 2, 3, 4):
        assert "trained or as given" in _module(number).caption(folder)
        assert "as given" not in _module(number).caption(tables)
    caption = _module(5).caption(folder)
    assert "not drawn: VGG-11" in caption
    assert "VGG-11, 3 networks" not in caption
    for number in (3, 4):
        assert _is_whole(*_draw(number, folder, tmp_path))


@pytest.mark.slow
def test_pairs_with_the_first_of_many_groups_are_drawn(make_tables, tmp_path):
    """The first in the config, and not in the order of letters."""
    names = ("z", *"abcdef")
    layers = dict.fromkeys(names, simulated.LAYERS["resnet18"])
    folder = make_tables(groups=names, layers=layers, architecture="resnet18", families={})
    assert _is_whole(*_draw(2, folder, tmp_path))
    _, _, across = _module(2).caption(folder).partition(" Across: ")
    assert across.startswith("z – a, 9 pairs; z – b, 9 pairs; ")
    assert "(15 more pairs of groups are in the table)" in across
    assert "a – b" not in across


def test_a_group_has_one_look_in_all_figures():
    groups = pd.DataFrame(
        {
            "group": [*"abcdefghijk"],
            "objective": ["none", "simclr", "supervised", *["supervised"] * 8],
            "labels": ["true", "true", "true", *["shuffled"] * 8],
            "images": "natural",
        }
    )
    looks = common.looks(groups)
    assert looks["c"] == (style.INK, "o")
    assert looks["a"][0] == style.GREY
    assert len(set(looks.values())) == len(groups)
    unsupervised = common.looks(groups[groups.group == "b"])
    assert unsupervised == {"b": (style.INK, "o")}


def test_pairs_of_many_groups_look_different():
    looks = [style.nth_of_many(place) for place in range(36)]
    assert len(set(looks)) == len(looks)


def test_letters_go_on_after_z():
    assert [style.nth_letter(place) for place in (0, 25, 26, 52)] == ["a", "z", "aa", "ba"]


@pytest.mark.slow
def test_the_same_tables_give_the_same_bytes(tables, tmp_path):
    """In two processes, so that nothing hangs on the order of hashes or the time."""
    code = (
        "import sys\nfrom convergent_learning.figures import fig6\n"
        "fig6.draw(sys.argv[1], sys.argv[2] + '.pdf', sys.argv[2] + '.png')\n"
        "assert 'torch' not in sys.modules\n"
    )
    for name in ("a", "b"):
        subprocess.run([sys.executable, "-c", code, str(tables), str(tmp_path / name)], check=True)
    for end in (".png", ".pdf"):
        assert (tmp_path / f"a{end}").read_bytes() == (tmp_path / f"b{end}").read_bytes()


def test_no_figure_or_statistic_imports_torch():
    modules = [f"convergent_learning.figures.fig{n}" for n in NUMBERS]
    modules += ["convergent_learning.claims.evaluation", "convergent_learning.tables.figure_tables"]
    code = f"import {', '.join(modules)}, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_missing_table_and_column_are_named(tables, tmp_path):
    copy = tmp_path / "tables"
    shutil.copytree(tables, copy)
    frame = pd.read_csv(copy / "fig5.csv").drop(columns="epoch")
    frame.to_csv(copy / "fig5.csv", index=False)
    with pytest.raises(ValueError, match=r"fig5\.csv.*epoch"):
        _draw(5, copy, tmp_path)
    (copy / "fig2.csv").unlink()
    with pytest.raises(ValueError, match=r"fig2\.csv.*no such table"):
        _draw(2, copy, tmp_path)
    (copy / "fig6.csv").write_bytes(b"")
    with pytest.raises(ValueError, match=r"fig6\.csv.*cannot be read"):
        _draw(6, copy, tmp_path)
    (copy / "fig1_stimuli.png").write_bytes(b"\x89PNG cut")
    with pytest.raises(ValueError, match=r"fig1_stimuli\.png"):
        _draw(1, copy, tmp_path)
    Image.new("RGB", (8, 8)).save(copy / "fig1_stimuli.png")
    with pytest.raises(ValueError, match="do not hold 6 square tiles"):
        _draw(1, copy, tmp_path)


def test_every_metric_and_family_has_a_colour_of_its_own():
    colours = [style.metric_colour(metric) for metric in metrics()]
    assert len(set(colours)) == len(colours)
    names = ["contrast", "high_pass", "low_pass", "rotation", "eidolon_I", "eidolon_II", "sketch"]
    names += ["stylized", "edge", "silhouette", "cue_conflict"]
    looks = [(style.family(name).colour, style.family(name).marker) for name in names]
    assert len(set(looks)) == len(looks)


@pytest.mark.parametrize("which", [["stylised"], ["colour", "contrast", "eidolon_I", "stylised"]])
def test_conditions_without_an_accuracy_are_in_the_depth_panels_only(which, tables, tmp_path):
    copy = shutil.copytree(tables, tmp_path / "tables")
    for name in ("accuracy", "fig6_conditions"):
        table = pd.read_csv(copy / f"{name}.csv", dtype={"condition": str})
        unknown = [c for c in table if c.startswith("accuracy")]
        table.loc[table.stimuli.isin(which), unknown] = np.nan
        table.to_csv(copy / f"{name}.csv", index=False)
    for number in (1, 6):
        _is_whole(*_draw(number, copy, tmp_path))
    assert "at the left only: " in _module(6).caption(copy)
    assert "stylised x" in _module(6).caption(copy)
    assert "at the left only" not in _module(6).caption(tables)


def test_names_in_print():
    assert style.group("resnet18") == "ResNet-18"
    assert style.group("vgg11") == "VGG-11"
    assert style.group("vit_b_16") == "ViT-B/16"
    assert style.group("resnet10t_timm") == "resnet10t_timm"
    assert style.group("mine") == "mine"
    assert style.level("rotation", "90") == "90°"
    assert style.level("colour", "bw") == ""
    assert style.pair("vgg11", "mine") == "VGG-11 – mine"
    assert in_print(-0.001, 2) == "0.00"
    assert in_print(-0.5) == "−0.500"
    assert in_print(float("nan")) == in_print(None) == "–"


def test_limits_show_points_and_cut_wide_intervals():
    frame = pd.DataFrame({"mean": [0.1, 0.2], "low": [-9.0, 0.1], "high": [0.15, 0.25]})
    low, high = common.limits(frame, ["mean"], ["low", "high"])
    assert -0.2 < low < -0.1
    assert 0.25 < high < 0.3
