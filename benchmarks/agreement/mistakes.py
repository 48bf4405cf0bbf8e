"""Mistakes that `verify` must show: each is a piece of code and what it is replaced by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mistake:
    """`code`, which stands once in `module` of the package, is replaced by `mistaken`.

    `tables` are those that show it. `trains` is the pattern of the folders of those networks that
    have to be trained with it; `shows` says that it changes what networks are shown, or the moments
    of their responses.
    """

    module: str
    code: str
    mistaken: str
    tables: tuple[str, ...] = ("fig2_pairs", "fig2")
    trains: str = ""
    shows: bool = False

    def make(self, checkout: Path) -> None:
        """Put it into the code of a checkout; ValueError if the code is not there, or twice."""
        path = checkout / "src/convergent_learning" / self.module
        right = path.read_text(encoding="utf-8")
        if right.count(self.code) != 1:
            raise ValueError(f"{path}: {self.code!r} stands there {right.count(self.code)} times")
        path.write_text(right.replace(self.code, self.mistaken), encoding="utf-8")


_EXCHANGED = '{"linear": "procrustes", "procrustes": "linear"}'
OF_SCORES = {
    "held-out folds used in the fit": Mistake(
        "alignment/moments.py",
        "tuple(k for k in range(n_folds) if k != fold)",
        "tuple(k for k in range(n_folds))",
    ),
    "one mean a unit in place of one a position": Mistake(
        "alignment/moments.py",
        'if center == "unit":  # one mean',
        "if True:  # one mean",
        shows=True,
    ),
    "another ridge": Mistake("alignment/ridge.py", "best[outer])", "min(best[outer] + 3, 8))"),
    "linear and Procrustes exchanged": Mistake(
        "alignment/comparisons.py",
        "yield Compared(*where, metric.name, center, baseline, 0, scores)",
        f"name = {_EXCHANGED}.get(metric.name, metric.name)\n"
        "                yield Compared(*where, name, center, baseline, 0, scores)",
    ),
    "directions swapped": Mistake(
        "alignment/fold_scores.py",
        'FORWARD: Direction = "x->y"\nBACKWARD: Direction = "y->x"',
        'FORWARD: Direction = "y->x"\nBACKWARD: Direction = "x->y"',
    ),
    "one layer's scores .05 higher": Mistake(
        "alignment/score_tables.py",
        "entry.fold, entry.score,",
        'entry.fold, entry.score + 0.05 * (layer_x.name == "features.2"),',
    ),
    "contrast two points off its level": Mistake(
        "stimuli/transformations/contrast.py",
        "level / 100)",
        "(level + 2) / 100)",
        tables=("fig6_pairs", "fig6"),
        shows=True,
    ),
    "pixels not normalised": Mistake(
        "activations/loaded.py",
        "(pixels - self._mean) / self._std",
        "pixels / 255",
        shows=True,
    ),
}
_TRAINED = ("fig1_training", "fig2_pairs", "fig2")
OF_TRAINING = {
    "one of six networks untrained": Mistake(
        "training/loop.py",
        "rate = learning_rate(step, self.plan)",
        "rate = learning_rate(step, self.plan) * 1e-9",
        _TRAINED,
        trains="vgg11*_seed{first}_*",
    ),
    "VGG-11 at half of its width": Mistake(
        "networks/architectures/vgg.py",
        "round(entry * width)",
        "round(entry * width / 2)",
        _TRAINED,
        trains="vgg11*",
    ),
    "20% of the labels wrong": Mistake(
        "training/data.py",
        "return self._gather(chosen, offsets[0], offsets[1], flips)",
        "images, labels = self._gather(chosen, offsets[0], offsets[1], flips)\n"
        "        return images, torch.where(chosen % 5 == 0, (labels + 1) % 10, labels)",
        _TRAINED,
        trains="*",
    ),
    "half of the epochs": Mistake(
        "training/loop.py",
        "        self.optimizer.step()",
        "        if step < self.plan.steps // 2:\n            self.optimizer.step()",
        ("fig1_training", "accuracy"),
        trains="*",
    ),
}
