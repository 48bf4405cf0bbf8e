import numpy as np
import pandas as pd
import pytest

from convergent_learning.stimuli.stimulus_files import writing_stimuli
from convergent_learning.tables.facts import write_accuracy, write_duplicates, write_layers
from convergent_learning.tables.schema import COLUMNS


def write_stimuli(path, images, condition):
    about = {
        "dataset": "d", "classes": "[]", "decision": "", "paired": True,
        "stimuli": "contrast", "condition": condition, "seed": 0,
    }  # fmt: skip
    index = np.arange(len(images))
    with writing_stimuli(path, images.shape, index, index, about) as append:
        append(images)
    return path


def test_near_identical_conditions_are_reported(tmp_path):
    images = np.random.default_rng(0).integers(0, 255, (4, 8, 8, 3), np.uint8)
    paths = [
        write_stimuli(tmp_path / "a.h5", images, "50"),
        write_stimuli(tmp_path / "b.h5", images + 1, "30"),
        write_stimuli(tmp_path / "c.h5", 255 - images, "10"),
    ]
    write_duplicates(paths, tmp_path / "duplicates.csv")
    table = pd.read_csv(tmp_path / "duplicates.csv")
    assert table[["condition", "duplicate_of"]].values.tolist() == [["contrast-50", "contrast-30"]]


def test_levels_stay_text_and_a_torn_accuracy_file_is_named(tmp_path):
    header = "dataset,group,seed,step,stimuli,condition,accuracy,n\n"
    whole, torn = tmp_path / "a.csv", tmp_path / "b.csv"
    whole.write_text(header + "d,vgg11,1,0,contrast,50,0.5,10\nd,vgg11,1,0,id,,0.7,10\n")
    write_accuracy([whole], tmp_path / "accuracy.csv")
    table = pd.read_csv(tmp_path / "accuracy.csv", dtype=str, keep_default_na=False)
    assert table.condition.tolist() == ["50", ""]
    torn.write_text("")
    with pytest.raises(ValueError, match=r"b\.csv"):
        write_accuracy([whole, torn], tmp_path / "accuracy.csv")


def test_layers_that_are_called_like_numbers_keep_their_names(tmp_path):
    names = ["0", "1.0", "1.00", "NA"]
    rows = [{"dataset": "d", "group": "1e3", "layer": n, "role": "block"} for n in names]
    part = pd.DataFrame(rows).reindex(columns=[*COLUMNS["layers"]]).drop(columns="architecture")
    part.to_csv(tmp_path / "part.csv", index=False)
    write_layers([tmp_path / "part.csv"], {"1e3": "mine"}, tmp_path / "layers.csv")
    found = pd.read_csv(tmp_path / "layers.csv", dtype=str, keep_default_na=False)
    assert found.layer.tolist() == names
    assert set(found.group) == {"1e3"}
    assert set(found.architecture) == {"mine"}
