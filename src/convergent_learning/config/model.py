"""The config: every key with its type, default, limits and meaning.

`workflow/schemas/config.schema.json` and `docs/configuration.md` are made from it. Names that only
code knows and keys that depend on each other are looked at in `checks.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from convergent_learning.config.types import (
    BelowOne,
    Count,
    Given,
    Inside,
    Keys,
    Listed,
    ListedOnce,
    Name,
    NotNegative,
    Number,
    Positive,
    Seed,
    Text,
    TextOrNumber,
    UpToOne,
    Width,
    WordOrList,
    described,
)
from convergent_learning.datasets.registry import DatasetInfo, Layout, dataset_info


class Dataset(Keys):
    """An entry of `datasets`; every network is trained on each of them."""

    name: Name = Field(
        description="`cifar10`, `cifar100`, `fashion_mnist` or `digits`; any other name for your"
        " own files, which then need a `layout` and a `source`."
    )
    train_images: Count | None = Field(
        None, description="Images of a class-balanced training subset; null takes all."
    )
    source: Text | None = Field(
        None,
        description="Archive or folder with a local copy, used when no download gives the official"
        " bytes, or where your own files are.",
    )
    layout: Given[Layout] = Field(None, description="How your own files are laid out.")
    image_size: Given[Annotated[int, Field(ge=8)]] = Field(
        None, description="Side in pixels of the images of an `imagefolder`; 224 by default."
    )
    classes: Annotated[ListedOnce[str], Field(min_length=2)] | None = Field(
        None, description="Classes taken of an `imagefolder`; null takes all."
    )

    @property
    def info(self) -> DatasetInfo:
        """What is known of the dataset before its files are looked at."""
        return dataset_info(self.dump())

    @property
    def images(self) -> int:
        """Size of the training subset: all images unless the config says less."""
        return self.info.train if self.train_images is None else self.train_images


Optimizer = Annotated[
    Literal["sgd", "adamw"],
    Field(description="SGD with Nesterov momentum, or AdamW, which leaves `momentum` unused."),
]
LearningRate = Annotated[Positive, Field(description="Peak learning rate.")]
Momentum = Annotated[BelowOne, Field(description="Momentum of `sgd`.")]
WeightDecay = Annotated[NotNegative, Field(description="Weight decay.")]
LabelSmoothing = Annotated[
    BelowOne, Field(description="Share of the target that is spread over all classes.")
]
Schedule = Annotated[
    Literal["linear", "cosine", "step", "one_cycle", "constant"],
    Field(
        description="Learning rate after the warm-up: linear or cosine decay to zero, `step`,"
        " which multiplies by `decay` at each milestone, or constant; or one cycle."
    ),
]
Warmup = Annotated[
    BelowOne, Field(description="Share of the steps in which the learning rate rises.")
]
Milestones = Annotated[
    Listed[Inside], Field(description="Milestones of `step`, as shares of the steps.")
]
Decay = Annotated[
    UpToOne, Field(description="Factor of the learning rate at each milestone of `step`.")
]


class Training(Keys):
    """How networks are trained."""

    epochs: Count = Field(description="Passes over the training images.")
    batch_size: int = Field(ge=2, description="Images in an optimiser step.")
    optimizer: Optimizer
    learning_rate: LearningRate
    momentum: Momentum
    weight_decay: WeightDecay
    label_smoothing: LabelSmoothing
    schedule: Schedule
    warmup: Warmup
    milestones: Milestones
    decay: Decay
    crop_padding: int = Field(
        ge=0, description="Zero padding in pixels before a random crop; 0 crops nothing."
    )
    flip: bool = Field(description="Whether half of the images are flipped horizontally.")
    precision: Literal["auto", "bfloat16", "float32"] = Field(
        description="Type of the forward pass; `auto` takes whichever this machine is faster with."
    )
    threads: Count = Field(
        description="Threads of one training; weights are reproducible for a fixed number."
    )
    trainings_per_gpu: Count = Field(
        description="Trainings of one group that run at once in one job and share a GPU."
    )
    checkpoints: Listed[TextOrNumber] = Field(
        description='Checkpoints in epochs (`"1/16"`, `"2"`) or steps (`"100 steps"`); the'
        " untrained network and the last step are always kept."
    )


class Overrides(Keys):
    """What a group's training does differently from `training`."""

    optimizer: Given[Optimizer] = None
    learning_rate: Given[LearningRate] = None
    momentum: Given[Momentum] = None
    weight_decay: Given[WeightDecay] = None
    label_smoothing: Given[LabelSmoothing] = None
    schedule: Given[Schedule] = None
    warmup: Given[Warmup] = None
    milestones: Given[Milestones] = None
    decay: Given[Decay] = None


Layers = Annotated[
    Annotated[Literal["default"], Tag("word")]
    | Annotated[ListedOnce[str], Field(min_length=1), Tag("list")],
    WordOrList,
    described("`default` or a list of graph nodes"),
]


class Group(Keys):
    """An entry of `networks`: networks that differ in nothing but their seeds."""

    architecture: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$",
        description="A built-in architecture, a torchvision model if `weights` are published ones,"
        " or any name for a network of your own.",
    )
    name: Name = Field(
        default_factory=lambda known: known["architecture"],
        description="What tables and figures call the group; its architecture by default. Two"
        " groups of one architecture need names.",
    )
    width: Given[Width] = Field(
        None, description="Multiplier of every channel count; 1 is the published width."
    )
    seeds: ListedOnce[Seed] = Field(
        min_length=1,
        description="One network for each seed, which sets initialisation, data order and"
        " augmentation.",
    )
    layers: Layers = Field(
        "default",
        description="Scored layers: `default` (stem, each block, pooled features, logits) or a"
        " list of graph nodes in depth order.",
    )
    training: Overrides = Field(
        Overrides(), description="What differs from `training` for this group."
    )
    factory: Given[
        Annotated[
            str,
            Field(
                pattern=r"^[A-Za-z_][A-Za-z0-9_]*([.][A-Za-z_][A-Za-z0-9_]*)*:"
                r"[A-Za-z_][A-Za-z0-9_]*$"
            ),
        ]
    ] = Field(
        None,
        description="`package.module:function` that returns a `torch.nn.Module` which is not"
        " trained here.",
    )
    arguments: dict[str, Any] = Field({}, description="Keyword arguments of the factory.")
    weights: Text | None = Field(
        None,
        description="File with a state dict for the factory (`{seed}` becomes the seed), or,"
        " without a factory, the name of torchvision's published weights.",
    )
    mean: Given[Annotated[Listed[Number], Field(min_length=3, max_length=3)]] = Field(
        None, description="Mean of each channel that a network not trained here expects."
    )
    std: Given[Annotated[Listed[Positive], Field(min_length=3, max_length=3)]] = Field(
        None, description="Standard deviation of each channel, with `mean`."
    )

    @property
    def is_pretrained(self) -> bool:
        """Whether its networks come trained."""
        return self.factory is not None or self.weights is not None

    def training_in(self, config: Config) -> Training:
        """How its networks are trained: as all are, but for its own `training`."""
        own = {key: getattr(self.training, key) for key in self.training.model_fields_set}
        return config.training.model_copy(update=own)


class FamilyLevels(Keys):
    """An entry of `stimuli.families`."""

    family: str = Field(description="Name of an OOD family.")
    levels: Annotated[
        Annotated[Literal["default", "all"], Tag("word")]
        | Annotated[Listed[TextOrNumber], Field(min_length=1), Tag("list")],
        WordOrList,
        described("`default`, `all` or a list of levels"),
    ] = Field(description="Its levels: `default`, `all` (those published) or a list.")


class StimulusSet(Keys):
    """An entry of `stimuli.sets`: your own images."""

    name: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_]*$",
        description="What tables and figures call the set; of `cifar-c`, the array's name.",
    )
    layout: Literal["imagefolder", "geirhos", "cifar-c"] = Field(
        description="One folder a class, class in the file name, or arrays with severities."
    )
    path: Text = Field(description="Folder with the images or arrays.")
    resize: Given[Annotated[int, Field(ge=8)]] = Field(
        None, description="Shorter side in pixels that images are brought to before the crop."
    )
    conditions: Given[
        Annotated[
            ListedOnce[Annotated[str, Field(pattern=r"^[A-Za-z0-9.+-]+$")]], Field(min_length=1)
        ]
    ] = Field(None, description="Conditions in the file names of `geirhos`, mild to strong.")
    severities: Given[
        Annotated[ListedOnce[Annotated[int, Field(ge=1, le=5)]], Field(min_length=1)]
    ] = Field(None, description="Severities taken of `cifar-c`; all five by default.")


class Stimuli(Keys):
    """Images that networks are shown."""

    images: Count = Field(
        description="Test images in the in-distribution set; every condition shows these same"
        " images."
    )
    families: Annotated[
        Annotated[Literal["default", "all"], Tag("word")]
        | Annotated[Listed[FamilyLevels], Tag("list")],
        WordOrList,
        described("`default`, `all` or a list of {family, levels}"),
    ] = Field(
        description="OOD families: `default` or `all` (every family at its default or published"
        " levels), or a list."
    )
    sets: Listed[StimulusSet] = Field((), description="Your own images, see docs/stimuli.md.")


class Activations(Keys):
    """What is kept of the responses of a layer."""

    positions: Annotated[
        Literal["all", "center", "average", "units"] | Count,
        described("`all`, `center`, `average`, `units` or a number of positions"),
    ] = Field(description="Positions kept of a spatial layer; a number of them on a regular grid.")
    dtype: Literal["float16", "float32"] = Field(description="Type in the HDF5 files.")


class Alignment(Keys):
    """How representations are compared."""

    metrics: ListedOnce[str] = Field(
        min_length=1, description="Metrics compared in the figures and claims."
    )
    folds: int = Field(ge=2, description="Folds over stimuli.")
    ridge: Annotated[Literal["cv"] | NotNegative, described("`cv` or a number, 0 or more")] = Field(
        description="Ridge penalty of `linear`: inner cross-validation or a number."
    )
    map_seeds: Annotated[int, Field(ge=2)] | None = Field(
        description="Layer × layer maps are made of all networks (null), or of the first so many"
        " seeds of each group."
    )
    networks_per_job: Count | None = Field(
        description="Networks that a scoring job takes from each side of its pairs; null scores all"
        " pairs of a block and metric in one job."
    )
    rotations: Count = Field(
        description="Random rotations behind each p value of the privileged basis."
    )


class Config(Keys):
    """An experiment."""

    experiment: Name = Field(
        description="Name of the experiment: the stem of its overlay, and its folder in results/."
    )
    seed: Seed = Field(
        description="Seed of everything that is not a network's own: subsets, folds, stimuli,"
        " rotations."
    )
    datasets: Listed[Dataset] = Field(min_length=1, description="Datasets, see docs/datasets.md.")
    networks: Listed[Group] = Field(min_length=1, description="Groups, see docs/extending.md.")
    training: Training = Field(description="How networks are trained.")
    gpu: int = Field(
        ge=0, le=1, description="GPUs that a job which runs networks asks a cluster for."
    )
    stimuli: Stimuli = Field(description="Images that networks are shown.")
    activations: Activations = Field(description="What is kept of the responses of a layer.")
    keep_activations: bool = Field(
        description="Whether activation files are kept once their fold moments are made."
    )
    alignment: Alignment = Field(description="How representations are compared.")
