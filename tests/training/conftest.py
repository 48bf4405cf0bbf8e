import pytest

from convergent_learning.datasets.canonical import prepare
from convergent_learning.training.plan import TrainingPlan


@pytest.fixture(scope="session")
def digits(tmp_path_factory):
    path = tmp_path_factory.mktemp("datasets") / "digits.h5"
    prepare({"name": "digits"}, path)
    return path


@pytest.fixture
def plan():
    return TrainingPlan(
        dataset="digits",
        architecture="vgg11",
        width=1 / 16,
        seed=1,
        experiment_seed=0,
        train_images=320,
        epochs=2,
        batch_size=64,
        learning_rate=0.1,
        momentum=0.9,
        weight_decay=5e-4,
        warmup=0.25,
        crop_padding=2,
        flip=True,
        precision="bfloat16",
        checkpoints=("1/5", "1"),
        optimizer="sgd",
        label_smoothing=0.0,
        schedule="linear",
        milestones=(),
        decay=0.1,
    )
