"""The config: every key with its type, default, limits and meaning.

`workflow/schemas/config.schema.json` and `docs/configuration.md` are made from it. Names that only
code knows and keys that depend on each other are looked at in `checks.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, Tag

from convergent_learning.alignment.calibration import fewest_draws
from convergent_learning.config.group import Group, Training
from convergent_learning.config.types import (
    Count,
    Given,
    Keys,
    Listed,
    ListedOnce,
    Name,
    NotNegative,
    Seed,
    Side,
    Text,
    TextOrNumber,
    TwoOrMore,
    WordOrList,
    described,
)
from convergent_learning.datasets.catalogue import DatasetInfo, Layout, dataset_info


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
    image_size: Given[Side] = Field(
        None, description="Side in pixels of the images of an `imagefolder`; 224 by default."
    )
    classes: TwoOrMore[str] | None = Field(
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
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_]{0,99}$",
        description="What tables and figures call the set; of `cifar-c`, the array's name.",
    )
    layout: Literal["imagefolder", "geirhos", "cifar-c"] = Field(
        description="One folder a class, class in the file name, or arrays with severities."
    )
    path: Text = Field(description="Folder with the images or arrays.")
    resize: Given[Side] = Field(
        None, description="Shorter side in pixels that images are brought to before the crop."
    )
    conditions: Given[ListedOnce[Annotated[str, Field(pattern=r"^[A-Za-z0-9.+-]{1,100}$")]]] = (
        Field(None, description="Conditions in the file names of `geirhos`, mild to strong.")
    )
    severities: Given[ListedOnce[Annotated[int, Field(ge=1, le=5)]]] = Field(
        None, description="Severities taken of `cifar-c`; all five by default."
    )


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
        described("`all`, `center`, `average`, `units` or a number of positions up to 10⁹"),
    ] = Field(description="Positions kept of a spatial layer; a number of them on a regular grid.")
    dtype: Literal["float16", "float32"] = Field(
        description="Type that activations are rounded to."
    )


class Alignment(Keys):
    """How representations are compared."""

    metrics: ListedOnce[str] = Field(description="Metrics that are scored and drawn.")
    folds: int = Field(ge=2, description="Folds over stimuli.")
    ridge: Annotated[Literal["cv"] | NotNegative, described("`cv` or a number, 0 or more")] = Field(
        description="Ridge penalty of `linear`: inner cross-validation or a number."
    )
    map_seeds: Annotated[int, Field(ge=2)] | None = Field(
        description="Layer × layer maps are made of all networks (null), or of the first so many"
        " seeds of each group."
    )
    partners: Annotated[int, Field(ge=2)] | None = Field(
        None,
        description="Networks of its group that each network is compared with; null compares all"
        " with all.",
    )
    networks_per_job: Count | None = Field(
        description="Networks that a job takes from each side of its pairs; null compares all pairs"
        " of a block in one job."
    )
    rotations: Annotated[int, Field(ge=1, le=10**6)] = Field(
        description="Random rotations behind each p value of the privileged basis."
    )
    shuffles: Annotated[int, Field(ge=1, le=10**6)] = Field(
        1,
        description="Permutations of the stimuli that own-layer scores at the last step and the"
        " best matches of C3 are judged against. With 1, nothing is calibrated; calibration needs"
        f" {fewest_draws()} or more.",
    )


class Recording(Keys):
    """An entry of `recordings`: a biological system's responses to images."""

    name: Name = Field(
        description="`objects92`, or any other name for your own recording, which then needs a"
        " `layout` and a `source`."
    )
    layout: Given[Literal["responses", "dissimilarities"]] = Field(
        None, description="What your own file holds of each image, or of each two images."
    )
    source: Text | None = Field(
        None,
        description="File (HDF5, NPZ or Zarr) of your own; of `objects92`, a folder or archive with"
        " a local copy, null downloads it.",
    )
    images: Given[Text] = Field(
        None, description="Folder with the images in file order, if the file does not hold them."
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
    training: Training
    gpu: int = Field(
        ge=0,
        le=1,
        description="GPUs that a job which trains or runs networks, or scores, asks a cluster for.",
    )
    stimuli: Stimuli
    activations: Activations
    recordings: Listed[Recording] = Field(
        (),
        description="Biological systems that every network is compared with, see"
        " docs/recordings.md.",
    )
    keep_activations: bool = Field(
        description="Whether activations are kept in files; if not, they are never on disk."
    )
    keep_moments: bool = Field(
        True,
        description="Whether fold moments are kept in files; if not, one job does all their work.",
    )
    alignment: Alignment
