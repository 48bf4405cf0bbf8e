"""What the built-in datasets hold: read while the DAG is built, so it imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DatasetInfo:
    """Facts of a dataset that the workflow needs before the data exist.

    `train` and `test` are numbers of images, `side` is the height and width in pixels.
    `reader` is ``"module:function"``; the function returns the images and labels of both splits.
    `sha256` are the digests of the records of both splits, where the dataset has official ones.
    """

    name: str
    class_names: tuple[str, ...]
    train: int
    test: int
    side: int
    reader: str
    sha256: dict[str, str] | None = None

    @property
    def classes(self) -> int:
        return len(self.class_names)


_CIFAR10_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"

DATASETS = {
    info.name: info
    for info in (
        DatasetInfo(
            name="cifar10",
            class_names=tuple(_CIFAR10_CLASSES.split()),
            train=50_000,
            test=10_000,
            side=32,
            reader="convergent_learning.datasets.cifar10:fetch",
            sha256={
                "train": "a0181da372c0d63a5920fdbea2ec3f83ecbc552d378218e1cb473cf634941a3b",
                "test": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
            },
        ),
        DatasetInfo(
            name="digits",
            class_names=tuple("0123456789"),
            train=1_297,
            test=500,
            side=32,
            reader="convergent_learning.datasets.digits:fetch",
        ),
    )
}
