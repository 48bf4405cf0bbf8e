"""The simulated experiment of tests/tables as a tables folder, with what figure 1 needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import synthetic
from PIL import Image

from convergent_learning.tables.schema import COLUMNS

FAMILIES = {"colour": ["bw"], "contrast": ["50", "5"], "eidolon_I": ["8"], "stylised": ["x"]}
LAYERS = {
    name: [(f"block{i}", "block", 16 * (1 + i % 2 * odd), 64) for i in range(4)]
    + [("flatten", "pooled", 16, 1), ("fc", "logits", 10, 1)]
    for odd, name in enumerate(("resnet18", "vgg11"))
}


def write_tables(folder: Path, **how: object) -> Path:
    """Write the tables of a simulated experiment below `folder`; keywords go to the simulation."""
    options = {"layers": LAYERS, "families": FAMILIES, "n_folds": 1, "n_draws": 19} | how
    scores, context = synthetic.score_frame(**options)
    synthetic.write_all(folder, scores, context)
    _write_fig1(folder / "tables", context)
    return folder / "tables"


def _write_fig1(folder: Path, context: dict[str, pd.DataFrame]) -> None:
    runs = context["accuracy"][context["accuracy"].stimuli == "id"]
    training = runs.assign(epoch=runs.step / synthetic.STEPS_PER_EPOCH, test_accuracy=runs.accuracy)
    training = training.assign(train_loss=1 - runs.accuracy, test_loss=1.1 - runs.accuracy)
    training["train_accuracy"] = (runs.accuracy + 0.02).where(runs.step > 0)  # none at step 0
    training.to_csv(folder / "fig1_training.csv", index=False)
    shown = [("id", ""), *context["conditions"][["stimuli", "condition"]].itertuples(index=False)]
    stimuli = pd.DataFrame(shown, columns=["stimuli", "condition"])
    stimuli.insert(0, "tile", range(len(stimuli)))
    stimuli.insert(1, "image", 7)
    stimuli.to_csv(folder / "fig1_stimuli.csv", index=False)
    (folder / "duplicate_conditions.csv").write_text(",".join(COLUMNS["duplicate_conditions"]))
    strip = np.random.default_rng(0).integers(0, 256, (8, 8 * len(stimuli), 3), dtype=np.uint8)
    Image.fromarray(strip).save(folder / "fig1_stimuli.png")
