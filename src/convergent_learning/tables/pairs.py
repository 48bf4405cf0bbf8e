"""From score files to the tables that figures and claims read (columns: `tables.schema`)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from convergent_learning.tables.depth import nearest_depth
from convergent_learning.tables.drops import NEAR_CHANCE
from convergent_learning.tables.stages import TRAINED, UNTRAINED, with_epoch, with_stage
from convergent_learning.tables.storage import Tables

_PAIR = ["dataset", "group_x", "seed_x", "group_y", "seed_y"]
_SAME = ["dataset", "group", "seed_x", "seed_y"]
_ENDS = (UNTRAINED, TRAINED)


def depth_pairs(scores: pd.DataFrame, facts: Tables) -> Tables:
    """fig2_pairs: layers beside themselves, or beside their counterparts in another group."""
    plain = scores[scores.baseline != "rotated"]
    return {"fig2_pairs": _depth_pairs(plain, facts["layers"])}


def basis_pairs(scores: pd.DataFrame, facts: Tables) -> Tables:
    """fig3_pairs, and fig3_null: the draws of the rotation, means over pairs."""
    rotated = own_layers(scores[scores.baseline == "rotated"])
    pairs, null = _rotated(own_layers(learned(scores)), rotated)
    return {"fig3_pairs": pairs, "fig3_null": null}


def map_pairs(scores: pd.DataFrame, facts: Tables) -> Tables:
    """fig4_pairs: every source layer mapped onto every target layer."""
    return {"fig4_pairs": _maps(learned(scores))}


def training_pairs(scores: pd.DataFrame, facts: Tables) -> Tables:
    """fig5_pairs: own layers at every checkpoint, with accuracies."""
    own, accuracy = own_layers(learned(scores)), facts["accuracy"]
    id_accuracy = accuracy[accuracy.stimuli == "id"]
    table = _with_accuracy(own, id_accuracy, ["dataset", "group", "step"], "accuracy")
    return {"fig5_pairs": table.sort_values([*_SAME, "metric", "step", "depth"])}


def condition_pairs(scores: pd.DataFrame, facts: Tables) -> Tables:
    """fig6_pairs: own layers in distribution and on every condition, with accuracies."""
    plain = scores[scores.baseline != "rotated"]
    return {"fig6_pairs": _ood_pairs(plain, own_layers(learned(scores)), facts)}


def alike_pairs(scores: pd.DataFrame, facts: Tables) -> Tables:
    """fig7_pairs: the same layer of networks of one architecture, of one group or two.

    Networks that are given are left out: what they learned from what is unknown.
    """
    groups, rows = facts["groups"], learned(scores)
    given = groups.group[groups.objective == ""]
    known = rows[~(rows.group_x.isin(given) | rows.group_y.isin(given))]
    return {"fig7_pairs": _same_layers(known, facts["layers"])}


def depth_null(shuffled: pd.DataFrame, facts: Tables) -> Tables:
    """fig2_null: draws of permuted stimuli, means over pairs of a layer with itself."""
    order = ["dataset", "group", "metric", "step", "depth", "draw"]
    own = own_layers(shuffled).groupby([*order, "layer", "role"], as_index=False)
    return {"fig2_null": _as_null(own.score.mean(), order)}


def map_null(shuffled: pd.DataFrame, facts: Tables) -> Tables:
    """fig4_null: the highest score of any source block on a target block in each draw."""
    maps = _maps(shuffled)
    blocks = (maps.source_role == "block") & (maps.target_role == "block")
    maps = maps[blocks].rename(columns={"target_group": "group"})
    pair = ["dataset", "group", "source_seed", "target_seed", "step", "metric"]
    # Others may have own layers only.
    maps = maps.merge(maps[maps.source_layer != maps.target_layer][pair].drop_duplicates())
    order = [*pair, "target_depth", "draw"]
    # A source layer without a live unit has no score, and is nobody's match.
    highest = maps.groupby([*order, "target_layer"], as_index=False).score.max()
    return {"fig4_null": _as_null(highest, order)}


def _as_null(draws: pd.DataFrame, order: list[str]) -> pd.DataFrame:
    return draws.rename(columns={"score": "shuffled"}).sort_values(order)


def learned(scores: pd.DataFrame) -> pd.DataFrame:
    """Rows of the learned axes on the unaltered images, centred by position."""
    plain = (scores.stimuli == "id") & (scores.center == "position")
    return scores[plain & (scores.baseline == "learned")]


def with_facts(scores: pd.DataFrame, facts: Tables) -> pd.DataFrame:
    """Add the roles of both layers, number of stimuli and chance of the dataset, stages and epochs.

    Scores of the last step of all are of networks that each stand at their own. `facts` holds
    datasets, groups and layers.
    """
    datasets = facts["datasets"].rename(columns={"stimuli": "n_stimuli"})
    datasets = datasets[["dataset", "n_stimuli", "chance"]]
    scores = _with_roles(scores, facts["layers"]).merge(datasets, on="dataset", how="left")
    unknown = scores.loc[scores.n_stimuli.isna(), "dataset"]
    if len(unknown):
        raise ValueError(f"dataset {unknown.iloc[0]} of the scores is not in datasets.csv")
    return with_stage(with_epoch(scores, facts["groups"]), facts["groups"])


def _with_roles(scores: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    known = layers[["dataset", "group", "layer", "role"]]
    for side in "xy":
        names = {name: f"{name}_{side}" for name in ("group", "layer", "role")}
        keys = ["dataset", f"group_{side}", f"layer_{side}"]
        scores = scores.merge(known.rename(columns=names), on=keys, how="left")
        unknown = scores.loc[scores[f"role_{side}"].isna(), keys]
        if len(unknown):
            raise ValueError(
                f"layer {'/'.join(unknown.iloc[0])} of the scores is not in layers.csv"
            )
    return scores


def own_layers(scores: pd.DataFrame) -> pd.DataFrame:
    """Within-group rows of the same layer in both networks, averaged over directions."""
    same = (scores.group_x == scores.group_y) & (scores.layer_x == scores.layer_y)
    own = scores[same].rename(
        columns={f"{name}_x": name for name in ("group", "layer", "depth", "role")}
    )
    constant = ["depth", "role", "n_stimuli", "epoch", "stage", "chance"]
    keys = [*_SAME, "step", "stimuli", "condition", "layer", *constant]
    keys += ["metric", "center", "baseline", "draw"]
    return own.groupby(keys, as_index=False, sort=True).score.mean(skipna=False)


def _same_layers(learned: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    """The same layer of networks of one architecture, of one group or two, over both directions."""
    each = layers.groupby(["dataset", "group"])[["layer", "units"]]
    known = each.apply(lambda rows: tuple(rows.itertuples(index=False, name=None)))
    x, y = (
        known.reindex(pd.MultiIndex.from_frame(learned[["dataset", f"group_{side}"]])).to_numpy()
        for side in "xy"
    )
    same = learned[(x == y) & (learned.layer_x == learned.layer_y)]
    same = same.rename(columns={f"{name}_x": name for name in ("layer", "depth", "role")})
    keys = [*_PAIR, "step", "epoch", "layer", "depth", "role", "metric"]
    return same.groupby(keys, as_index=False, sort=True).score.mean(skipna=False)


def _depth_pairs(plain: pd.DataFrame, layers: pd.DataFrame) -> pd.DataFrame:
    ends = plain[(plain.stimuli == "id") & plain.stage.isin(_ENDS)]
    counterparts = _counterparts(ends)
    chosen = ends.merge(counterparts, on=["dataset", "group_x", "group_y", "layer_x", "layer_y"])
    chosen = chosen.rename(columns={"depth_x": "depth", "role_x": "role"})
    keys = [*_PAIR, "step", "layer_x", "layer_y", "depth", "role", "metric", "center", "baseline"]
    cells = chosen.groupby([*keys, "n_stimuli"], sort=True)
    table = cells[["n_dead_x", "n_dead_y", "n_folds"]].max()
    table["score"] = cells.score.mean(skipna=False)
    table = table.reset_index()
    sizes = layers[["dataset", "group", "layer", "units", "positions"]].rename(
        columns={"group": "group_x", "layer": "layer_x"}
    )
    table = table.merge(sizes, on=["dataset", "group_x", "layer_x"])
    training_stimuli = table.n_stimuli * (1 - 1 / table.n_folds)
    table["rows_per_unit"] = training_stimuli * table.positions / table.units
    return table.sort_values([*_PAIR, "step", "metric", "center", "baseline", "depth"])


def _counterparts(scores: pd.DataFrame) -> pd.DataFrame:
    """The layer of y beside each of x: itself, or of those with its role the nearest in depth."""
    keys = ["dataset", "group_x", "group_y"]
    rows = []
    for key, pair in scores.groupby(keys, sort=True):
        x = pair[["layer_x", "depth_x", "role_x"]].drop_duplicates()
        y = pair[["layer_y", "depth_y", "role_y"]].drop_duplicates()
        for role, mine in x.groupby("role_x"):
            theirs = y[y.role_y == role].sort_values("depth_y")
            if key[1] == key[2]:
                partner = mine.layer_x.to_numpy()
            elif len(theirs):
                nearest = nearest_depth(mine.depth_x, theirs.depth_y)
                partner = theirs.layer_y.to_numpy()[nearest]
            else:
                continue
            rows += [(*key, a, b) for a, b in zip(mine.layer_x, partner, strict=True)]
    return pd.DataFrame(rows, columns=[*keys, "layer_x", "layer_y"])


def _rotated(own: pd.DataFrame, rotated: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    cell = ["dataset", "group", "step", "layer", "depth", "role", "metric"]
    null = rotated.groupby([*cell, "draw"], as_index=False).score.mean(skipna=False)
    pair = [*cell, "seed_x", "seed_y"]
    mean = rotated.groupby(pair, as_index=False).score.mean(skipna=False)
    pairs = mean.rename(columns={"score": "rotated"}).merge(
        own[[*pair, "score"]].rename(columns={"score": "learned"}), on=pair
    )
    pairs["difference"] = pairs.learned - pairs.rotated
    order = ["dataset", "group", "step", "metric", "depth"]
    return (
        pairs.sort_values([*order, "seed_x", "seed_y"]),
        null.sort_values([*order, "draw"]),
    )


def _maps(learned: pd.DataFrame) -> pd.DataFrame:
    ends = learned[learned.stage.isin(_ENDS)]
    # A file of one layer pair a row is a map only where layers are crossed: own-layer rows of the
    # context metrics are in fig2.
    crossed = ends[ends.layer_x != ends.layer_y].metric.unique()
    ends = ends[ends.metric.isin(crossed)]
    # Across groups a pair may have own layers only.
    whole = ends[ends.layer_x != ends.layer_y][_PAIR].drop_duplicates()
    whole = ends[_PAIR].merge(whole, on=_PAIR, how="left", indicator=True)._merge == "both"
    ends = ends[whole.to_numpy() | (ends.group_x == ends.group_y)]
    sides = []
    for direction, source, target in (("x->y", "x", "y"), ("y->x", "y", "x")):
        names = {
            f"{name}_{side}": f"{end}_{name}"
            for name in ("group", "seed", "layer", "depth", "role")
            for end, side in (("source", source), ("target", target))
        }
        sides.append(ends[ends.direction == direction].rename(columns=names))
    maps = pd.concat(sides, ignore_index=True)
    order = "dataset step metric source_group source_seed target_group target_seed"
    return maps.sort_values([*order.split(), "source_depth", "target_depth"])


def _with_accuracy(
    table: pd.DataFrame, accuracy: pd.DataFrame, keys: list[str], name: str
) -> pd.DataFrame:
    """Add the mean accuracy of the pair's two networks as column `name`."""
    for side in "xy":
        mine = accuracy[[*keys, "seed", "accuracy"]].rename(
            columns={"seed": f"seed_{side}", "accuracy": f"_accuracy_{side}"}
        )
        table = table.merge(mine, on=[*keys, f"seed_{side}"], how="left")
    both = ["_accuracy_x", "_accuracy_y"]
    table[name] = table[both].mean(axis=1, skipna=False)
    return table.drop(columns=both)


def _ood_pairs(plain: pd.DataFrame, own: pd.DataFrame, facts: Tables) -> pd.DataFrame:
    accuracy, conditions = facts["accuracy"], facts["conditions"]
    cell = [*_SAME, "layer", "depth", "role", "metric"]
    ood = own_layers(plain[(plain.stimuli != "id") & (plain.center == "position")])
    condition = ["stimuli", "condition", "step", "chance"]
    wide = ood.set_index([*cell, *condition, "baseline"]).score.unstack("baseline").reset_index()
    for baseline in ("learned", "transfer", "shuffled"):
        if baseline not in wide:
            wide[baseline] = np.nan
    wide = wide.rename(columns={"learned": "ood"}).merge(
        own[own.stage == TRAINED][[*cell, "score"]].rename(columns={"score": "id"}), on=cell
    )
    wide["drop"] = wide.id - wide.ood
    wide = wide.merge(conditions[["stimuli", "condition", "family", "order"]], how="left")
    wide["family"] = wide.family.fillna(wide.stimuli)
    keys = ["dataset", "group", "step"]
    wide = _with_accuracy(wide, accuracy[accuracy.stimuli == "id"], keys, "accuracy_id")
    wide = _with_accuracy(wide, accuracy, [*keys, "stimuli", "condition"], "accuracy")
    wide["accuracy_drop"] = wide.accuracy_id - wide.accuracy
    mean = wide.groupby(["dataset", "group", "stimuli", "condition"]).accuracy.transform("mean")
    wide["near_chance"] = mean <= wide.chance + NEAR_CHANCE
    return wide.sort_values([*_SAME, "metric", "family", "stimuli", "order", "depth"])
