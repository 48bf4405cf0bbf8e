"""Keys of `training` and of the entries of `networks`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, Tag

from convergent_learning.config.types import (
    BelowOne,
    Channels,
    Checkpoint,
    Count,
    Deviation,
    Given,
    Inside,
    Keys,
    Listed,
    ListedOnce,
    Mean,
    Name,
    NotNegative,
    Positive,
    Seed,
    Step,
    Text,
    TextOrNumber,
    UpToOne,
    Width,
    WordOrList,
    WordOrMapping,
    described,
)
from convergent_learning.networks.layers import LAYER_NAME, Layer, Layout, ReaderName, Role
from convergent_learning.training.plan import YOUNGER

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

Epochs = Annotated[Count, Field(description="Passes over the training images.")]
CropPadding = Annotated[
    int,
    Field(
        ge=0, le=4096, description="Zero padding in pixels before a random crop; 0 crops nothing."
    ),
]
Flip = Annotated[bool, Field(description="Whether half of the images are flipped horizontally.")]
Checkpoints = Annotated[
    Listed[Checkpoint],
    Field(
        description='Checkpoints in epochs (`"1/16"`, `"2"`) or steps (`"100 steps"`); the'
        " untrained network and the last step are always kept."
    ),
]
Labels = Annotated[
    Literal[True] | str,  # YAML reads `true` as a boolean
    described("`true` or the name of another way to label"),
    Field(description="What images are called: `true`, or `shuffled` over the images once."),
]


class FamilyLevel(Keys):
    """A family of stimuli at one level."""

    family: str = Field(description="Name of an OOD family.")
    level: TextOrNumber = Field(description="Its level.")


Images = Annotated[
    Annotated[str, Tag("word")] | Annotated[FamilyLevel, Tag("mapping")],
    WordOrMapping,
    described("`natural`, `noise` or a mapping with `family` and `level`"),
    Field(
        description="Training images: `natural`, `noise` (uniform pixels), or those of a family of"
        " stimuli at a level."
    ),
]
Objective = Annotated[
    str,
    Field(
        description="What networks learn: `supervised`, without labels `simclr` or `moco`, or"
        " `none`, which leaves them untrained."
    ),
]
Queue = Annotated[
    int, Field(ge=1, le=10**6, description="Keys that `moco` compares each image with.")
]


class Training(Keys):
    """How networks are trained."""

    epochs: Epochs
    batch_size: int = Field(ge=2, le=10**9, description="Images in an optimiser step.")
    optimizer: Optimizer
    learning_rate: LearningRate
    momentum: Momentum
    weight_decay: WeightDecay
    label_smoothing: LabelSmoothing
    schedule: Schedule
    warmup: Warmup
    milestones: Milestones
    decay: Decay
    crop_padding: CropPadding
    flip: Flip
    labels: Labels = YOUNGER["labels"]
    images: Images = YOUNGER["images"]
    objective: Objective = YOUNGER["objective"]
    queue: Queue = YOUNGER["queue"]
    precision: Literal["auto", "bfloat16", "float32", "portable"] = Field(
        description="How passes are computed. portable: float32 with AVX2 alone"
        " on a processor, the same weights on another x86-64 machine; bfloat16 (autocast) or"
        " float32; auto: whichever of the two the machine is faster with, chosen once for all"
        " networks of results/networks."
    )
    threads: Count = Field(
        description="Threads of one training; weights are reproducible for a fixed number."
    )
    trainings_per_gpu: Count = Field(
        description="Trainings of one group that run at once in one job and share a GPU."
    )
    checkpoints: Checkpoints

    @property
    def labels_name(self) -> str:
        """The name of `labels` among those that code knows."""
        return "true" if self.labels is True else self.labels


class Overrides(Keys):
    """What a group's training does differently from `training`."""

    epochs: Given[Epochs] = None
    optimizer: Given[Optimizer] = None
    learning_rate: Given[LearningRate] = None
    momentum: Given[Momentum] = None
    weight_decay: Given[WeightDecay] = None
    label_smoothing: Given[LabelSmoothing] = None
    schedule: Given[Schedule] = None
    warmup: Given[Warmup] = None
    milestones: Given[Milestones] = None
    decay: Given[Decay] = None
    crop_padding: Given[CropPadding] = None
    flip: Given[Flip] = None
    labels: Given[Labels] = None
    images: Given[Images] = None
    objective: Given[Objective] = None
    queue: Given[Queue] = None
    checkpoints: Given[Checkpoints] = None


LayerName = Annotated[
    str,
    Field(pattern=LAYER_NAME),
    described(
        "the name of a layer: that of a graph node or module, then `#key` for one of its outputs,"
        " `:class_token` or `:4`, `:1-4`, `:5-` for tokens"
    ),
]


class LayerEntry(Keys):
    """A layer with what cannot be read off its output."""

    name: LayerName = Field(
        description="Graph node or module; `#key` after it picks one of several outputs,"
        " `:class_token`, `:4`, `:1-4` or `:5-` tokens by index."
    )
    role: Given[Role] = Field(
        None,
        description="What the layer counts as; `logits` by default if the network returns it, else"
        " `block`.",
    )
    layout: Given[Layout] = Field(
        None, description="Axes of an output that is not (n, c), (n, c, h, w) or (n, t, c)."
    )


Layers = Annotated[
    Annotated[Literal["default"], Tag("word")]
    | Annotated[
        ListedOnce[
            Annotated[
                Annotated[LayerName, Tag("word")] | Annotated[LayerEntry, Tag("mapping")],
                WordOrMapping,
            ]
        ],
        Tag("list"),
    ],
    WordOrList,
    described("`default` or a list of layers"),
]


class Group(Keys):
    """An entry of `networks`: networks that differ in nothing but their seeds."""

    architecture: str = Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$",
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
        description="One network for each seed, which sets initialisation, data order and"
        " augmentation.",
    )
    layers: Layers = Field(
        "default",
        description="Scored layers: `default` (stem, each block, pooled features, logits) or a"
        " list of layers in depth order, each by its name or with `role` or `layout`.",
    )
    reader: ReaderName = Field(
        "auto",
        description="How layers of a network that is not trained here are read: as nodes of the"
        " graph that torch.fx traces, by forward hooks on modules, or by hooks where there is no"
        " graph with these layers.",
    )
    training: Overrides = Field(
        default_factory=Overrides, description="What differs from `training` for this group."
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
    activations: Given[Text] = Field(
        None,
        description="Files with the activations of a network that comes as nothing else, see"
        " docs/own_networks.md. `{seed}`, `{step}` and `{condition}` in the path become the seed,"
        " the training step and the stimulus set.",
    )
    steps: Given[ListedOnce[Step]] = Field(
        None,
        description="Training steps that `weights` of a factory, or `activations`, are of (`{step}`"
        " in the path becomes the step); 0 is the untrained network.",
    )
    steps_per_epoch: Given[Count] = Field(
        None, description="Training steps of an epoch, with `steps`: claims about epochs need it."
    )
    mean: Given[Channels[Mean]] = Field(
        None, description="Mean of each channel that a network not trained here expects."
    )
    std: Given[Channels[Deviation]] = Field(
        None, description="Standard deviation of each channel, with `mean`."
    )

    @property
    def is_pretrained(self) -> bool:
        """Whether its networks come trained."""
        return self.factory is not None or self.weights is not None

    @property
    def is_trained(self) -> bool:
        """Whether its networks are trained here."""
        return not self.is_pretrained and self.activations is None

    @property
    def chosen_layers(self) -> tuple[Layer, ...] | None:
        """The layers that the config lists; None for the default ones."""
        if isinstance(self.layers, str):
            return None
        return tuple(
            Layer(entry) if isinstance(entry, str) else Layer(entry.name, entry.role, entry.layout)
            for entry in self.layers
        )

    def own_training(self, training: Training) -> Training:
        """How its networks are trained: by `training`, but for what is its own."""
        own = {key: getattr(self.training, key) for key in self.training.model_fields_set}
        return training.model_copy(update=own)
