"""After an edit a dry run lists exactly the jobs that depend on it."""

import pytest

pytestmark = pytest.mark.slow

TRAININGS = {f"train_digits_{name}-seed{s}": 1 for name in ("resnet18", "vgg11") for s in (1, 2, 3)}
PAGE = {"report": 1, "research_object": 1}
SUMMARIES = {
    **{f"fig{number}{part}": 1 for number in range(2, 7) for part in ("_tables", "")},
    "claims_file": 1,
    **PAGE,
}
# Blocks: final, untrained, training, pixel values and spectra.
SCORES = {"scores": 5, **SUMMARIES}
MOMENTS = {"moments": 5, "accuracy_table": 1, "fig1": 1, "layers_table": 1, **SCORES}
# Two contrasts: their sets, the block of pixel values, and what shows them.
CONTRAST = {
    "condition_stimuli": 2,
    "moments": 1,
    "scores": 1,
    "stimulus_tiles": 1,
    "accuracy_table": 1,
    "fig1": 1,
    "fig6_tables": 1,
    "fig6": 1,
    "claims_file": 1,
    **PAGE,
}
EDITS = {
    "a metric": ("alignment/factors.py", "RANK = 1e-6", "RANK = 1e-5", SCORES),
    "the ridge grid": (
        "alignment/ridge.py",
        "np.logspace(-6, 2, 9)",
        "np.logspace(-6, 2, 10)",
        SCORES,
    ),
    "both matchings": (
        "alignment/unit_matching.py",
        "linear_sum_assignment(correlation, maximize=True)",
        "linear_sum_assignment(-correlation)",
        SCORES,
    ),
    "moments": ("alignment/passes.py", "ROWS = 16384", "ROWS = 8192", MOMENTS),
    "a stimulus family": (
        "stimuli/transformations/contrast.py",
        "(1 - c) / 2",
        "(1 - c) / 3",
        CONTRAST,
    ),
    "the training loop": (
        "training/loop.py",
        "_EVALUATION_BATCH = 125",
        "_EVALUATION_BATCH = 100",
        {**TRAININGS, "training_table": 1, **MOMENTS},
    ),
    "an architecture": (
        "networks/architectures/vgg.py",
        'mode="fan_out"',
        'mode="fan_in"',
        {
            **{rule: 1 for rule in TRAININGS if "vgg11" in rule},
            "training_table": 1,
            **MOMENTS,
        },
    ),
    "a property of what jobs are given": (
        "networks/layers.py",
        'return self.name.partition(":")[0]',
        'return self.name.split(":")[0]',
        {**MOMENTS, **PAGE},
    ),
    "the colour of a metric": (
        "alignment/maps.py",
        "#0072B2",
        "#0072B3",
        {**{f"fig{number}": 1 for number in range(1, 7)}, **PAGE},
    ),
    "a figure": ("figures/fig3.py", "linewidth=0.5", "linewidth=0.6", {"fig3": 1, **PAGE}),
    "a claim": (
        "claims/contrasts.py",
        "LINEAR_SHARE = 0.8",
        "LINEAR_SHARE = 0.7",
        {"claims_file": 1, **PAGE},
    ),
    "the page": ("report/page.css", "{", "{ ", PAGE),
    "a docstring": (
        "alignment/maps.py",
        '"""Rotation/reflection that best maps x onto y.\n',
        '"""The orthogonal map.\n',
        {},
    ),
}


@pytest.fixture(scope="module")
def edited(finished, tmp_path_factory):
    """A copy of the finished experiment: its modules are edited one after the other."""
    return finished.copy(tmp_path_factory.mktemp("edits") / "checkout")


@pytest.mark.parametrize(("module", "old", "new", "jobs"), EDITS.values(), ids=EDITS.keys())
def test_an_edit_reruns_what_it_touches(edited, module, old, new, jobs):
    path = edited.folder / "src/convergent_learning" / module
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    try:
        assert edited.planned() == jobs
    finally:
        path.write_text(text)


def test_results_are_kept_on_purpose(edited):
    path = edited.folder / "src/convergent_learning/alignment/factors.py"
    text = path.read_text()
    path.write_text(text.replace("RANK = 1e-6", "RANK = 1e-5"))
    try:
        assert edited.planned("--rerun-triggers", "mtime") == {}
    finally:
        path.write_text(text)
