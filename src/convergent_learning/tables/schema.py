"""The schema of every table: what a row is, and each column's role, type and meaning, once each.

Tables live in `results/<experiment>/tables/`. `python -m convergent_learning.figures` prints this
schema as Markdown, `docs/tables.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from convergent_learning.activations.accuracy import ACCURACY_COLUMNS
from convergent_learning.alignment.calibration import ALPHA
from convergent_learning.tables.drops import NEAR_CHANCE_IN_WORDS


class Role(Enum):
    """What a column is to a comparison of two experiments."""

    KEY = "key"  # with the other keys of its table it names a row
    EXACT = "exact"  # counts, digests, and what no training changes
    MEASURED = "measured"  # decided by training, so that another machine moves it
    SHARED = "measured, shared noise"  # … by much the same for all metrics of the same networks
    END = "interval end"  # … and has the heavy tails of an interval from few networks
    FLAG = "flag"  # yes or no, or which, decided by measured numbers


class Column(NamedTuple):
    """A column; `type` is str, int, float or bool."""

    role: Role
    type: type
    meaning: str

    @property
    def measured(self) -> bool:
        """Whether training decides it."""
        return self.role in (Role.MEASURED, Role.SHARED, Role.END)


class Table(NamedTuple):
    """A table: what its rows are, its columns in order, and those that no other table has."""

    row: str
    columns: list[str]
    new: Mapping[str, Column] = MappingProxyType({})


_MEANINGS: dict[tuple[Role, type], dict[str, str]] = {
    (Role.KEY, str): {
        "dataset": "data set",
        "group": "networks that differ in their seed alone: an entry of `networks`, by its name",
        "group_x": "group of the first network",
        "group_y": "group of the second network",
        "source_group": "group of the network that is mapped",
        "target_group": "group of the network that is mapped onto",
        "reference": "the supervised group that a group is compared with",
        "layer": "layer, by its node in the network's graph; in fig5 also a mean over layers",
        "layer_x": "layer of the first network",
        "layer_y": "layer of the second network",
        "source_layer": "layer that is mapped",
        "target_layer": "layer that is mapped onto",
        "metric": "metric",
        "center": "`position` or `unit`: what was subtracted before fitting",
        "baseline": "`learned`, or `shuffled` stimuli",
        "stimuli": "`id`, a family or a set of the user's; `all`: mean over conditions",
        "condition": "level of the family",
        "duplicate_of": "condition that has the same images",
        "third": "`early` or `late`: first or last third of the blocks; in fig7_shares also `all`",
        "recording": "recording, by its name in the config",
        "system": "biological system of the recording",
        "direction": "`to`: layers are mapped onto the recording; `from`: the recording onto"
        " layers; none for `rsa`, which maps nothing",
        "subject": "subject of the recording; `mean` over all of them",
        "course": "what rises: `recording` (score with it) or `networks` (with each other)",
    },
    (Role.KEY, int): {
        "seed": "seed of the network",
        "seed_x": "seed of the first network",
        "seed_y": "seed of the second network",
        "source_seed": "seed of the network that is mapped",
        "target_seed": "seed of the network that is mapped onto",
        "step": "training step of the checkpoint",
        "draw": "draw of the rotation, or of permuted stimuli",
        "tile": "place in fig1_stimuli.png",
    },
    (Role.EXACT, str): {
        "architecture": "architecture of the group",
        "role": "`block`, `pooled` (features averaged over positions), `logits`; none for a mean",
        "source_role": "role of the source layer",
        "target_role": "role of the target layer",
        "identity": "level that changes nothing",
        "family": "what counts as one family in the statistics",
        "sha256_train": "digest of the raw training records",
        "sha256_test": "digest of the raw test records",
        "sha256_recording": "digest of the recording's images and systems",
        "labels": "what training images were called: `true`, `shuffled` …",
        "images": "what images were trained on: `natural`, `noise`, or a family and level",
        "objective": "what the networks learn: `supervised`, `simclr`, `moco`, `none` …",
        "kind": "what was recorded: `responses`, or `dissimilarities` of images",
    },
    (Role.EXACT, int): {
        "classes": "number of classes",
        "train_images": "images of the training subset",
        "steps_per_epoch": "training steps of an epoch; 0 where that is not known",
        "final_step": "last training step of the group; 0 of one that is given as it is",
        "units": "units of the layer",
        "positions": "kept positions of the layer",
        "height": "rows of the kept grid",
        "width": "columns of the kept grid",
        "order": "place of the condition in its family, from mild to strong",
        "image": "index of the test image",
        "n": "images",
        "n_draws": "draws of the rotation, or of permuted stimuli",
        "n_layers": "layers that are matched",
        "n_networks": "networks behind the row",
        "n_pairs": "pairs of networks behind the row",
        "n_subjects": "subjects of the recording",
        "n_repeats": "repeats of each image",
        "n_units": "recorded units that are scored",
        "n_unreliable": "recorded units left out: reliability below 0.1",
        "n_constant": "recorded units left out: the same response to every image",
        "n_missing": "trials of recorded units without a response",
    },
    (Role.EXACT, float): {
        "chance": "accuracy of a guess",
        "depth": "rank of the layer among the scored ones, 0 to 1",
        "source_depth": "depth of the source layer",
        "target_depth": "depth of the target layer",
        "epoch": "epochs trained; steps where `steps_per_epoch` is 0",
        "rows_per_unit": "training rows (stimuli × positions of a training split) per unit",
        "largest_difference": "largest mean difference of the images, pixels from 0 to 1",
        "ceiling_low": "lower noise ceiling of `rsa`: each subject with the mean of the others",
        "ceiling_high": "upper noise ceiling of `rsa`: each subject with the mean of all",
        "unit_ceiling": "highest correlation that noise allows with a unit that is scored: the root"
        " of its split-half reliability, mean",
    },
    (Role.EXACT, bool): {"graded": "whether the levels of the family are ordered"},
    (Role.MEASURED, float): {
        "accuracy": "share of images classified rightly; of a pair, mean of its networks",
        "accuracy_id": "accuracy in distribution",
        "accuracy_drop": "accuracy_id − accuracy",
        "train_loss": "loss on the training subset",
        "train_accuracy": "accuracy on the training subset",
        "test_loss": "loss on the test images",
        "test_accuracy": "accuracy on the test images",
        "p": "rank of the score among draws of chance, as a p-value",
        "p_adjusted": "p, Benjamini–Hochberg over the layers of all groups of a kind",
        "p_highest": "rank of the score among the highest of any layer in each draw (maxT), as a"
        " p-value that holds for all layers at once",
        "intercept": "of the regression line",
    },
    (Role.MEASURED, int): {
        "n_dead_x": "dead units of the first network's layer",
        "n_dead_y": "dead units of the second network's layer",
        "n_conditions": "conditions behind the row",
        "n_families": "families of conditions behind the row",
    },
    (Role.SHARED, float): {
        "score": "alignment score, mean over folds (and directions)",
        "mean": "mean over pairs of networks; over networks where each has a value of its own",
        "learned": "score with the learned axes",
        "rotated": "score with rotated axes, mean over draws",
        "difference": "learned − rotated",
        "id": "score in distribution",
        "ood": "score on the condition",
        "drop": "id − ood",
        "transfer": "score on the condition of maps fitted in distribution",
        "transfer_drop": "id − transfer",
        "shuffled": "score with shuffled stimuli",
        "threshold": "τ: the lowest of the score and its draws that at most "
        f"{ALPHA:.0%} of them exceed",
        "calibrated": f"max((score − τ)/(1 − τ), 0): above 0 only where p ≤ {ALPHA}",
        "slope": "of the alignment drop on accuracy_drop, over conditions",
        "early": "drop, mean over the first third of the blocks",
        "late": "drop, mean over the last third of the blocks",
        "share": "mean over pairs across the groups, as a share of that within `reference`",
        "normalised": "score divided by `unit_ceiling` of the system",
        "gain": "mean minus that at step 0, of the same networks",
        "gain_share": "rise since step 0, as a share of the rise to the last step",
    },
    (Role.FLAG, str): {
        "best_layer": "source block that best matches the target block",
    },
    (Role.FLAG, bool): {
        "best": "whether the source block is the one that best matches the target block",
        "near_chance": f"whether the group's mean accuracy is {NEAR_CHANCE_IN_WORDS}",
    },
}
_WITH_INTERVAL = ["learned", "difference", "drop", "slope", "early", "late", "accuracy_drop"]
_WITH_INTERVAL += ["share", "gain", "gain_share"]


def _columns() -> dict[str, Column]:
    declared = {
        name: Column(role, kind, meaning)
        for (role, kind), names in _MEANINGS.items()
        for name, meaning in names.items()
    }
    ends = {"low": "the interval of `mean`", "high": "the interval of `mean`"}
    for end in ("low", "high"):
        ends |= {f"{name}_{end}": f"the interval of `{name}`" for name in _WITH_INTERVAL}
        ends[f"rotated_{end}"] = "the middle 95% of the draws"
        ends[f"stimuli_{end}"] = "the interval of `mean` over images and subjects (bootstrap)"
        ends[f"stimuli_gain_{end}"] = "the interval of `gain` over images and subjects (bootstrap)"
    for name, what in ends.items():
        which = "lower" if name.endswith("low") else "upper"
        declared[name] = Column(Role.END, float, f"{which} end of {what}")
    return declared


_COLUMN = _columns()
_STIMULI = Column(Role.EXACT, int, "number of stimuli that networks are shown")


def column(table: str, name: str) -> Column:
    """The schema of a column; a name means the same in all tables but one."""
    # In datasets.csv `stimuli` is how many there are.
    return _STIMULI if (table, name) == ("datasets", "stimuli") else _COLUMN[name]


def _table(row: str, columns: str) -> Table:
    return Table(row, columns.split())


TABLES = {
    "accuracy": Table(
        "A network, step and condition; accuracy is empty where its decisions have none",
        list(ACCURACY_COLUMNS),
    ),
    "datasets": _table(
        "A data set",
        "dataset classes chance train_images stimuli sha256_train sha256_test",
    ),
    "groups": _table(
        "A group of networks, what they learn from what (nothing is said of those that come"
        " trained), and for how long",
        "dataset group labels images objective steps_per_epoch final_step",
    ),
    "layers": _table(
        "A scored layer of a group",
        "dataset group architecture layer depth role units positions height width",
    ),
    "conditions": _table(
        "An out-of-distribution condition", "stimuli condition order graded identity family"
    ),
    "duplicate_conditions": _table(
        "Two conditions, as `family-level`, whose images are within 1/255 of each other",
        "condition duplicate_of largest_difference",
    ),
    "fig1_training": _table(
        "A network and epoch",
        "dataset group seed step epoch train_loss train_accuracy test_loss test_accuracy",
    ),
    "fig1_stimuli": _table("A tile of fig1_stimuli.png", "tile image stimuli condition"),
    "fig2_pairs": _table(
        "A pair of networks, a step (0 or the last) and a layer: the same layer twice within a"
        " group; across groups a layer of x and its counterpart in y, the layer of the same role"
        " nearest in depth. `depth` and `role` are layer_x's",
        """dataset group_x seed_x group_y seed_y step layer_x layer_y depth role metric center
        baseline score n_dead_x n_dead_y rows_per_unit""",
    ),
    "fig2": _table(
        "The mean over pairs of fig2_pairs",
        """dataset group_x group_y step layer_x layer_y depth role metric center baseline mean low
        high n_networks n_pairs""",
    ),
    "fig2_null": _table(
        "A draw of permuted stimuli: the mean over pairs of a layer with itself, at the last step",
        "dataset group step layer depth role metric draw shuffled",
    ),
    "fig2_calibrated": _table(
        "A layer at the last step: the mean over pairs of fig2_pairs, judged against fig2_null",
        """dataset group step layer depth role metric mean p p_highest threshold calibrated n_draws
        n_networks n_pairs""",
    ),
    "fig3_pairs": _table(
        "A pair, step and layer",
        """dataset group seed_x seed_y step layer depth role metric learned rotated difference""",
    ),
    "fig3_null": _table(
        "A draw of the rotation: the mean over pairs",
        "dataset group step layer depth role metric draw score",
    ),
    "fig3": _table(
        "The mean over pairs. No test counts the logits",
        """dataset group step layer depth role metric learned learned_low learned_high rotated
        rotated_low rotated_high difference difference_low difference_high p p_adjusted n_draws
        n_networks n_pairs""",
    ),
    "fig4_pairs": _table(
        "A directed pair and a source and target layer, at step 0 and the last",
        """dataset step source_group source_seed target_group target_seed source_layer target_layer
        source_depth target_depth source_role target_role metric score""",
    ),
    "fig4": _table(
        "The mean over directed pairs",
        """dataset step source_group target_group source_layer target_layer source_depth
        target_depth source_role target_role metric mean low high n_networks n_pairs best""",
    ),
    "fig4_matches": _table(
        "Share of target blocks whose best match is within one layer, mean over pairs",
        "dataset group step metric mean low high n_networks n_pairs n_layers",
    ),
    "fig4_null": _table(
        "A draw of permuted stimuli: the highest score of any source block on a target block in a"
        " directed pair, at the last step",
        """dataset group source_seed target_seed step metric target_layer target_depth draw
        shuffled""",
    ),
    "fig4_calibrated": _table(
        "The best match of a target block in a directed pair at the last step, judged against"
        " fig4_null: p is maxT over source blocks",
        """dataset group source_seed target_seed step metric target_layer target_depth best_layer
        score p threshold calibrated n_draws""",
    ),
    "fig5_pairs": _table(
        "A pair, step and layer",
        "dataset group seed_x seed_y step epoch layer depth role metric score accuracy",
    ),
    "fig5": _table(
        "The mean over pairs; layer `all` is the mean over layers without logits, `early` and"
        " `late` the first and last third of the blocks",
        "dataset group step epoch metric layer depth role mean low high n_networks n_pairs",
    ),
    "fig5_networks": _table(
        "Accuracy of a network at a step, in distribution",
        "dataset group seed step epoch accuracy",
    ),
    "fig5_accuracy": _table(
        "The mean of fig5_networks over networks",
        "dataset group step epoch mean low high n_networks n_pairs",
    ),
    "fig6_pairs": _table(
        "A pair, condition and layer",
        """dataset group seed_x seed_y stimuli condition family layer depth role metric id ood drop
        transfer shuffled accuracy_id accuracy accuracy_drop near_chance""",
    ),
    "fig6": _table(
        "The mean over pairs; intervals over all conditions (stimuli `all`) have the"
        " leave-one-family-out part",
        """dataset group metric layer depth role stimuli condition family drop drop_low drop_high
        transfer_drop shuffled n_networks n_pairs""",
    ),
    "fig6_conditions": _table(
        "A condition: mean drops of thirds of the blocks, accuracy and its drop",
        """dataset group metric stimuli condition family order graded early early_low early_high
        late late_low late_high accuracy accuracy_drop accuracy_drop_low accuracy_drop_high
        near_chance n_networks n_pairs""",
    ),
    "fig6_slopes": _table(
        "Slope of the alignment drop on the accuracy drop over conditions, near chance left out",
        """dataset group metric third slope slope_low slope_high intercept n_conditions n_families
        n_networks n_pairs""",
    ),
    "fig7_pairs": _table(
        "A pair of networks of one architecture, within or across groups, a step and a layer",
        """dataset group_x seed_x group_y seed_y step epoch layer depth role metric score""",
    ),
    "fig7": _table(
        "The mean over pairs of fig7_pairs; layer `all`, `early` and `late` as in fig5",
        """dataset group_x group_y step epoch metric layer depth role mean low high n_networks
        n_pairs""",
    ),
    "fig7_shares": _table(
        "How well a group aligns with the supervised one, as a share of how that aligns within"
        " itself: mean over layers, after training",
        "dataset reference group metric third share share_low share_high n_networks n_pairs",
    ),
    "recordings": _table(
        "A system of a recording",
        """recording system kind n n_subjects n_repeats n_units n_unreliable n_constant n_missing
        ceiling_low ceiling_high unit_ceiling sha256_recording""",
    ),
    "fig8_networks": _table(
        "A network, step and layer beside a system of a recording",
        """dataset recording system group seed step epoch layer depth role metric direction subject
        score normalised""",
    ),
    "fig8": _table(
        "The mean over networks of fig8_networks; layer `late` is the last third of the blocks."
        " Intervals over images and subjects are of `rsa`, at step 0 and the last",
        """dataset recording system group step epoch metric direction layer depth role mean low high
        stimuli_low stimuli_high gain gain_low gain_high stimuli_gain_low stimuli_gain_high
        n_networks""",
    ),
    "fig8_course": _table(
        "When a group comes to resemble a system, and its own networks each other (Procrustes):"
        " mean over the last third of the blocks",
        """dataset recording system group metric course step epoch mean low high gain_share
        gain_share_low gain_share_high n_networks""",
    ),
    "fig8_best": _table(
        "The layer with the highest mean score at the last step",
        "dataset recording system group metric direction layer depth role score p n_draws"
        " n_networks",
    ),
}
# Of experiments with calibrated scores, groups of one architecture, or recordings only.
OPTIONAL = {
    *("fig2_null", "fig2_calibrated", "fig4_null", "fig4_calibrated"),
    *("fig7_pairs", "fig7", "fig7_shares"),
    *("recordings", "fig8_networks", "fig8", "fig8_course", "fig8_best"),
}
COLUMNS = {name: table.columns for name, table in TABLES.items()}
DECLARED: set[str] = set()
"""Tables of figures that a user has added: references may be older."""


def named(*names: str) -> dict[str, Table]:
    """Tables of the schema by their names."""
    return {name: TABLES[name] for name in names}


def declare(tables: Mapping[str, Table]) -> None:
    """Add to the schema those of `tables` that are not in it; of these, any may be absent.

    Raises
    ------
    ValueError
        If a table has the name of another, or a column whose meaning nobody gives, or that means
        something else in other tables.
    """
    for name, table in tables.items():
        if TABLES.get(name) == table:
            continue
        if name in TABLES:
            raise ValueError(f"there is a table {name} already: call yours otherwise")
        other = [each for each, about in table.new.items() if _COLUMN.get(each, about) != about]
        if other:
            known = "; ".join(f"{each} is {_COLUMN[each].meaning!r}" for each in other)
            raise ValueError(
                f"table {name}: a column means the same in all tables, and {known}: leave it out of"
                " `new` if it is that in yours, or give it another name"
            )
        unknown = [each for each in table.columns if each not in {**_COLUMN, **table.new}]
        if unknown:
            raise ValueError(
                f"column {', '.join(unknown)} of table {name} has no meaning: give it in `new`"
            )
        _COLUMN.update(table.new)
        TABLES[name], COLUMNS[name] = table, table.columns
        OPTIONAL.add(name)
        DECLARED.add(name)


def with_role(table: str, *roles: Role) -> list[str]:
    """Columns of `table` that have one of `roles`, in order."""
    return [name for name in COLUMNS[table] if column(table, name).role in roles]
