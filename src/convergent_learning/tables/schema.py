"""The columns of every table, and the one way to read a table.

Tables live in `results/<experiment>/tables/`. accuracy, datasets, layers, conditions and fig1_*
come from the rules that make them; `statistics.tables` writes the rest. Scores are averaged over
folds, and over the two directions where a table has no source and target. Depth is 0…1 within a
network; role is `block`, `pooled` (features averaged over positions) or `logits`. Intervals
(`*_low`, `*_high`, or `low`, `high` of `mean`) are the 95% delete-one-network jackknife, empty with
fewer than 3 networks; n_networks and n_pairs say what they rest on. What a row is:

fig2_pairs
    A pair of networks, a step (0 or the last) and a layer: the same layer twice within an
    group; across groups a layer of x and its counterpart in y, the layer of the same
    role nearest in depth. `depth`, `role` are layer_x's; `rows_per_unit` are the training rows
    (stimuli × positions of a training split) per unit of layer_x.
fig2
    The mean over pairs of fig2_pairs.
fig3_pairs
    A pair, step and layer: learned score, mean over rotated draws, and their difference.
fig3_null
    A draw of the rotation: the mean over pairs.
fig3
    The mean over pairs; `rotated_low`, `rotated_high` are the 2.5% and 97.5% quantiles of the
    draws; `p_adjusted` is Benjamini–Hochberg over the layers of a dataset (all groups, no
    logits) at that step and metric.
fig4_pairs
    A directed pair and a source and target layer, at step 0 and the last.
fig4
    The mean over directed pairs; `best` marks the source that best matches the target (blocks).
fig4_matches
    Share of target blocks whose best match is within one layer, mean over pairs.
fig5_pairs
    A pair, step and layer; `accuracy` is the mean of the two networks'.
fig5
    The mean over pairs; layer `all` is the mean over layers without logits, `early` and `late` the
    first and last third of the blocks.
fig5_networks
    Accuracy of a network at a step, in distribution.
fig5_accuracy
    The mean of fig5_networks over networks.
fig6_pairs
    A pair, condition and layer: score in distribution (`id`) and on the condition (`ood`), `drop` =
    id − ood, ID-fitted maps on the condition (`transfer`), shuffled null; accuracies are means of
    the two networks; `near_chance`: the group's mean is within 2 points of chance.
fig6
    The mean over pairs; stimuli `all` is the mean over conditions, and its interval has the
    leave-one-family-out part.
fig6_conditions
    A condition: mean drop of the first and the last third of the blocks, accuracy, accuracy drop.
fig6_slopes
    Slope of alignment drop on accuracy drop over conditions (near chance left out), per third.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from convergent_learning.files import replace_when_done

_SPECIFICATION = """
accuracy: dataset group seed step stimuli condition accuracy n
datasets: dataset classes chance train_images stimuli steps_per_epoch final_step
layers: dataset group architecture layer depth role units positions
conditions: stimuli condition order graded identity family
fig1_training: dataset group seed step epoch train_loss train_accuracy test_loss
    test_accuracy
fig1_stimuli: tile image stimuli condition
fig2_pairs: dataset group_x seed_x group_y seed_y step layer_x layer_y depth role
    metric center baseline score n_dead_x n_dead_y rows_per_unit
fig2: dataset group_x group_y step layer_x layer_y depth role metric center
    baseline mean low high n_networks n_pairs
fig3_pairs: dataset group seed_x seed_y step layer depth role metric learned rotated
    difference
fig3_null: dataset group step layer depth role metric draw score
fig3: dataset group step layer depth role metric learned learned_low learned_high rotated
    rotated_low rotated_high difference difference_low difference_high p p_adjusted n_draws
    n_networks n_pairs
fig4_pairs: dataset step source_group source_seed target_group target_seed
    source_layer target_layer source_depth target_depth source_role target_role metric score
fig4: dataset step source_group target_group source_layer target_layer
    source_depth target_depth source_role target_role metric mean low high n_networks n_pairs
    best
fig4_matches: dataset group step metric mean low high n_networks n_pairs n_layers
fig5_pairs: dataset group seed_x seed_y step epoch layer depth role metric score accuracy
fig5: dataset group step epoch metric layer depth role mean low high n_networks n_pairs
fig5_networks: dataset group seed step epoch accuracy
fig5_accuracy: dataset group step epoch mean low high n_networks n_pairs
fig6_pairs: dataset group seed_x seed_y stimuli condition family layer depth role metric
    id ood drop transfer shuffled accuracy_id accuracy accuracy_drop near_chance
fig6: dataset group metric layer depth role stimuli condition family drop drop_low
    drop_high transfer_drop shuffled n_networks n_pairs
fig6_conditions: dataset group metric stimuli condition family order graded early
    early_low early_high late late_low late_high accuracy accuracy_drop accuracy_drop_low
    accuracy_drop_high near_chance n_networks n_pairs
fig6_slopes: dataset group metric third slope slope_low slope_high intercept n_conditions
    n_families n_networks n_pairs
"""
_TEXT_COLUMNS = """
dataset group architecture group_x group_y source_group target_group layer
layer_x layer_y source_layer target_layer role source_role target_role stimuli condition metric
center baseline family identity third
"""


def _specified() -> dict[str, list[str]]:
    entries = _SPECIFICATION.replace("\n    ", " ").strip().splitlines()
    return {name: columns.split() for name, columns in (line.split(":") for line in entries)}


COLUMNS = _specified()
_TEXT = _TEXT_COLUMNS.split()


def read_table(folder: str | Path, name: str) -> pd.DataFrame:
    """Read `<folder>/<name>.csv`, checked against `COLUMNS`.

    Text columns are text whatever they hold (condition `5`, `inf`), with "" for empty.

    Raises
    ------
    ValueError
        If the file is missing or cannot be parsed, or lacks a column; it names both.
    """
    path = Path(folder) / f"{name}.csv"
    return read_csv(path, name)


def read_csv(path: str | Path, name: str) -> pd.DataFrame:
    """`read_table` for a table that lies elsewhere."""
    # In datasets.csv `stimuli` is how many there are.
    text = [column for column in _TEXT if (name, column) != ("datasets", "stimuli")]
    try:
        frame = pd.read_csv(
            path, dtype=dict.fromkeys(text, str), keep_default_na=False, na_values=[""]
        )
    except FileNotFoundError:
        raise ValueError(f"{path}: no such table; run the rule that writes it") from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError, ValueError) as e:
        raise ValueError(f"{path}: cannot be read as a table ({e}); delete it and rerun") from e
    missing = [column for column in COLUMNS[name] if column not in frame]
    if missing:
        raise ValueError(f"{path}: column {', '.join(missing)} is missing; delete it and rerun")
    text = [column for column in text if column in frame]
    if frame.empty:  # a table without rows does not tell numbers from text
        frame = frame.astype(float)
    frame[text] = frame[text].astype(object).fillna("")
    return frame


def write_table(frame: pd.DataFrame, folder: str | Path, name: str) -> None:
    """Write `<folder>/<name>.csv`: the columns of `COLUMNS`, eight significant digits."""
    with replace_when_done(Path(folder) / f"{name}.csv") as partial:
        frame.to_csv(partial, index=False, columns=COLUMNS[name], float_format="%.8g")
