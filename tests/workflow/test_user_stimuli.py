"""Images that a user brings, in each external layout, go through the DAG to figure 6."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from convergent_learning.datasets.digits import fetch

OVERLAY = """
experiment: brought
datasets:
  - {name: digits, train_images: 256, source: null}
networks:
  - architecture: resnet18
    width: 0.0625
    seeds: [1, 2, 3]
    layers: [relu, layer2.1.relu_1, layer4.1.relu_1, fc]
training:
  epochs: 1
  crop_padding: 2
  flip: false
  checkpoints: []
stimuli:
  images: 60
  families:
    - {family: contrast, levels: [50]}
  sets:
    - {name: sketch, layout: geirhos, path: brought/sketch}
    - {name: strength, layout: geirhos, path: brought/sketch, conditions: [mild, strong]}
    - {name: photos, layout: imagefolder, path: brought/photos, resize: 32}
    - {name: fog, layout: cifar-c, path: brought/corrupted, severities: [5, 1]}
activations: {positions: 16}
alignment: {metrics: [procrustes, permutation], rotations: 2}
"""
CONDITIONS = [
    ("contrast", "50"),
    ("sketch", ""),
    ("strength", "mild"),
    ("strength", "strong"),
    ("photos", ""),
    ("corruption_fog", "1"),
    ("corruption_fog", "5"),
]
UNDECIDED = ["sketch", "strength"]


def save(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def bring(folder):
    """Forty images in the Geirhos layout, eighty of mixed sizes by class, and a corruption."""
    images, labels = fetch(folder, None)["test"]
    for i, image in enumerate(images[:40]):
        category, condition = ("airplane", "bird")[i % 2], ("mild", "strong")[i // 20]
        save(folder / f"sketch/{i:04}_ske_dnn_{condition}_{category}_00_{i}.png", image)
    for i, (image, label) in enumerate(zip(images[:80], labels, strict=False)):
        save(folder / f"photos/{label}/{i}.png", np.pad(image, ((0, i), (0, 0), (0, 0)), "edge"))
    darker = [images // (1 + severity) for severity in range(1, 6)]
    (folder / "corrupted").mkdir()
    np.save(folder / "corrupted/fog.npy", np.concatenate(darker))
    np.save(folder / "corrupted/labels.npy", np.tile(labels, 5))


@pytest.fixture(scope="module")
def results(checkouts):
    checkout = checkouts("brought")
    bring(checkout.folder / "brought")
    overlay = "workflow/experiments/brought.yaml"
    (checkout.folder / overlay).write_text(OVERLAY)
    done = checkout.snakemake("fig1", "fig6", configfile=overlay)
    assert done.returncode == 0, done.stdout[-5000:]
    return checkout.folder / "results/brought"


def table(results, name):
    return pd.read_csv(
        results / f"tables/{name}.csv", dtype={"condition": str}, keep_default_na=False,
        na_values={"accuracy": [""], "accuracy_drop": [""], "transfer": [""]},
    )  # fmt: skip


@pytest.mark.slow
def test_figures_with_them_are_drawn(results):
    for number in (1, 6):
        picture = np.asarray(Image.open(results / f"figures/fig{number}.png").convert("L"))
        assert picture.std() > 10


@pytest.mark.slow
def test_conditions_are_listed_mild_to_strong(results):
    conditions = table(results, "conditions")
    assert list(zip(conditions.stimuli, conditions.condition, strict=True)) == CONDITIONS
    assert conditions.family.tolist() == conditions.stimuli.tolist()
    graded = conditions.set_index(["stimuli", "condition"]).graded
    assert graded["strength"].all()
    assert graded["corruption_fog"].all()
    assert not graded["photos"].any()


@pytest.mark.slow
def test_accuracy_is_empty_where_classes_do_not_map(results):
    accuracy = table(results, "accuracy")
    last = accuracy[accuracy.step == accuracy.step.max()]
    assert len(last) == 3 * (1 + len(CONDITIONS))
    assert (last.accuracy.isna() == last.stimuli.isin(UNDECIDED)).all()
    images = last.groupby("stimuli").n.unique().map(list)
    assert images["sketch"] == [40]
    assert images["strength"] == [20]
    assert images["photos"] == [60]


@pytest.mark.slow
def test_maps_transfer_only_to_the_same_images(results):
    pairs = table(results, "fig6_pairs")
    assert len(pairs[["stimuli", "condition"]].drop_duplicates()) == len(CONDITIONS)
    unpaired = pairs.stimuli.isin([*UNDECIDED, "photos"])
    assert (pairs.transfer.isna() == unpaired).all()
    assert np.isfinite(pairs.ood.astype(float)).all()


@pytest.mark.slow
def test_only_conditions_with_an_accuracy_enter_slopes(results):
    points = table(results, "fig6_conditions")
    assert set(points[points.accuracy_drop.isna()].stimuli) == set(UNDECIDED)
    usable = points[points.accuracy_drop.notna() & ~points.near_chance.astype(bool)]
    counts = usable.groupby("metric").size()
    slopes = table(results, "fig6_slopes")
    assert (slopes.n_conditions == slopes.metric.map(counts)).all()
