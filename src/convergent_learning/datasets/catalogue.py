"""What datasets hold: read while the DAG is built, so it imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Layout = Literal["cifar10", "cifar100", "fashion_mnist", "imagefolder"]
LAYOUTS: tuple[str, ...] = get_args(Layout)
_IMAGE_SIZE = 224  # of `imagefolder`, unless its entry says otherwise
_SMALL_SIDE = 32  # of every other layout


@dataclass(frozen=True)
class DatasetInfo:
    """Facts of a dataset that the workflow needs before the data exist.

    `train` and `test` are numbers of images, `side` is the height and width in pixels. For data of
    the user's own, `train` is the number that training uses, and what only the files can tell is
    None: `class_names`, `test`.
    """

    name: str
    class_names: tuple[str, ...] | None
    train: int
    test: int | None
    side: int

    @property
    def classes(self) -> int | None:
        return None if self.class_names is None else len(self.class_names)


@dataclass(frozen=True, kw_only=True)
class OfficialDataset(DatasetInfo):
    """A dataset that can be fetched.

    `reader` is ``"module:function"``; the function returns the images and labels of both splits.
    `sha256` are the digests of the records of both splits, where they are known.
    """

    class_names: tuple[str, ...]
    test: int
    reader: str
    sha256: dict[str, str] = field(default_factory=dict)


def dataset_info(entry: Mapping[str, Any]) -> DatasetInfo:
    """What is known of the dataset of a config entry before its files are looked at.

    An entry without `layout` is an official dataset. Raises ValueError for a name or a layout that
    is none of the known ones.
    """
    name, layout = entry["name"], entry.get("layout")
    if layout is None:
        return official_dataset(name)
    if layout not in LAYOUTS:
        raise ValueError(
            f"dataset {name}: unknown layout {layout!r}; allowed: {', '.join(LAYOUTS)}"
        )
    side = image_size(entry) if layout == "imagefolder" else _SMALL_SIDE
    chosen = entry.get("classes")
    return DatasetInfo(
        name=name,
        class_names=None if chosen is None else tuple(sorted(chosen)),
        train=entry["train_images"],
        test=None,
        side=side,
    )


def official_dataset(name: str) -> OfficialDataset:
    """What is known of the official dataset `name`; ValueError listing all for another name."""
    if name not in DATASETS:
        raise ValueError(
            f"unknown dataset {name!r}; allowed: {', '.join(DATASETS)}, or any other name with"
            f" a `layout` ({', '.join(LAYOUTS)})"
        )
    return DATASETS[name]


def image_size(entry: Mapping[str, Any]) -> int:
    """Side in pixels of the images of an `imagefolder` entry."""
    return entry.get("image_size") or _IMAGE_SIZE


_CIFAR10_CLASSES = "airplane automobile bird cat deer dog frog horse ship truck"

_CIFAR100_CLASSES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""

_FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)

DATASETS = {
    info.name: info
    for info in (
        OfficialDataset(
            name="cifar10",
            class_names=tuple(_CIFAR10_CLASSES.split()),
            train=50_000,
            test=10_000,
            side=_SMALL_SIDE,
            reader="convergent_learning.datasets.cifar10:fetch",
            sha256={
                "train": "a0181da372c0d63a5920fdbea2ec3f83ecbc552d378218e1cb473cf634941a3b",
                "test": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
            },
        ),
        OfficialDataset(
            name="cifar100",
            class_names=tuple(_CIFAR100_CLASSES.split()),
            train=50_000,
            test=10_000,
            side=_SMALL_SIDE,
            reader="convergent_learning.datasets.cifar100:fetch",
        ),
        OfficialDataset(
            name="digits",
            class_names=tuple("0123456789"),
            train=1_297,
            test=500,
            side=_SMALL_SIDE,
            reader="convergent_learning.datasets.digits:fetch",
        ),
        OfficialDataset(
            name="fashion_mnist",
            class_names=_FASHION_CLASSES,
            train=60_000,
            test=10_000,
            side=_SMALL_SIDE,
            reader="convergent_learning.datasets.fashion_mnist:fetch",
        ),
    )
}
