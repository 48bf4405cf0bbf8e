"""Networks that are not trained here, built and given their weights."""

from __future__ import annotations

import importlib
import json
from collections.abc import Collection, Sequence
from pathlib import Path

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from convergent_learning.files import damaged_file_named, replace_when_done, sha256_of
from convergent_learning.networks.checkpoints import Checkpoint, weights_digest
from convergent_learning.networks.layers import Layer
from convergent_learning.networks.outputs import LayerOutputs
from convergent_learning.networks.pretrained import Pretrained, import_from_working_directory
from convergent_learning.randomness import derived_seed

_WRAPPERS = ("state_dict", "model")  # keys that state dicts are saved under
_PREFIXES = ("module.", "_orig_mod.")  # of parallel and of compiled modules
_SHOWN_KEYS = 6

TORCHVISION_NAMES = {name: f"{name}_bn" for name in ("vgg11", "vgg16", "vgg19")}
"""What torchvision, and its published weights, call an architecture, where the name differs."""


def load_pretrained(
    pretrained: Pretrained,
    dataset: str,
    normalisation: tuple[list[float], list[float]],
    device: torch.device,
) -> Checkpoint:
    """The network on `device`, in evaluation mode, as if it were a checkpoint of its step.

    `normalisation` is the dataset's mean and std, for a network that has none of its own.
    Raises ValueError naming the config key when the factory, the weights' name or the weights' file
    do not give a network.
    """
    network, published = _build(pretrained)
    network.eval().to(device)
    if not pretrained.is_own:
        network.to(memory_format=torch.channels_last)
    mean, std = published or normalisation
    return Checkpoint(
        network=network,
        architecture=pretrained.architecture,
        dataset=dataset,
        seed=pretrained.seed,
        step=pretrained.step,
        mean=pretrained.mean or mean,
        std=pretrained.std or std,
        weights_digest=weights_digest(network.state_dict()),
    )


def describe_pretrained(
    followed: Sequence[Pretrained], layers: tuple[Layer, ...], image_size: int, out: Path
) -> None:
    """Build a network, show it an image, see that it has `layers`, and write what it is as JSON.

    followed : the network at each step that there are weights of.

    Run before anything is trained, so that a mistake shows at once. Raises ValueError as
    `load_pretrained` and `LayerOutputs` do, and for layers that are not in depth order.
    """
    digests = {}
    for pretrained in followed:
        network, _ = _build(pretrained)
        digests[pretrained.step] = weights_digest(network.state_dict())
    outputs = LayerOutputs(network.eval(), layers, pretrained.architecture, pretrained.reader)
    outputs.require_depth_order(image_size)
    activations = outputs.of_one_image(image_size)
    about = {
        "architecture": pretrained.architecture,
        "seed": pretrained.seed,
        "weights_digest": digests,
        "packages": list(pretrained.packages),
        "files": {file: sha256_of(Path(file)) for each in followed for file in each.files},
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "layers": {name: list(output.shape[1:]) for name, output in activations.items()},
        "roles": {layer.name: outputs.role(layer) for layer in layers},
    }
    with replace_when_done(out) as partial:
        partial.write_text(json.dumps(about, indent=1) + "\n")


def untrained(pretrained: Pretrained) -> nn.Module:
    """The network before weights are loaded into it: what its size depends on.

    A factory may load its own. Raises ValueError naming the config key for a factory that gives no
    network and an architecture that torchvision lacks.
    """
    if pretrained.factory is None:
        return torchvision.models.get_model(_torchvision_name(pretrained))
    import_from_working_directory()
    module, function = pretrained.factory.split(":")
    key = f"config key `networks[].factory`: {pretrained.factory}"
    try:
        factory = getattr(importlib.import_module(module), function)
    except AttributeError:
        raise ValueError(f"{key}: module {module} has no {function!r}") from None
    try:
        network = factory(**pretrained.arguments)
    except (Exception, SystemExit) as error:  # of the user's own code, or of a package's
        raise ValueError(
            f"{key} fails with `arguments: {pretrained.arguments}`"
            f" ({type(error).__name__}: {error})"
        ) from error
    if not isinstance(network, nn.Module):
        raise ValueError(f"{key} returned {type(network).__name__}, not a torch.nn.Module")
    return network


def _build(pretrained: Pretrained) -> tuple[nn.Module, tuple[list[float], list[float]] | None]:
    """The network, and the normalisation that came with published weights."""
    if pretrained.factory is None:
        return _published(pretrained)
    torch.manual_seed(derived_seed("initialisation", pretrained.experiment_seed, pretrained.seed))
    network = untrained(pretrained)
    if pretrained.weights is not None:
        _load_weights(network, Path(pretrained.weights), pretrained.architecture)
    return network, None


def _published(pretrained: Pretrained) -> tuple[nn.Module, tuple[list[float], list[float]]]:
    name = _torchvision_name(pretrained)
    choices = torchvision.models.get_model_weights(name)
    if pretrained.weights not in choices.__members__:
        raise ValueError(
            f"config key `networks[].weights`: {name} has no weights {pretrained.weights!r};"
            f" allowed: {', '.join(choices.__members__)}"
        )
    weights = choices[pretrained.weights]
    preset = weights.transforms()
    return torchvision.models.get_model(name, weights=weights), (preset.mean, preset.std)


def _torchvision_name(pretrained: Pretrained) -> str:
    name = TORCHVISION_NAMES.get(pretrained.architecture, pretrained.architecture)
    if name.lower() not in torchvision.models.list_models():
        raise ValueError(
            f"config key `networks[].architecture`: torchvision has no model {name!r}; for your own"
            " network give `factory`"
        )
    return name


def _load_weights(network: nn.Module, path: Path, architecture: str) -> None:
    """Load a state dict from safetensors or a torch file, without unpickling code."""
    state = _without_prefixes(_read_state_dict(path), network.state_dict().keys())
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(
            f"config key `networks[].weights`: {path} does not fit {architecture}:"
            f" {' '.join(str(error).split())}"
        ) from error


def _read_state_dict(path: Path) -> dict[str, Tensor]:
    if path.suffix == ".safetensors":
        with damaged_file_named(path, SafetensorError):
            return load_file(path)
    key = f"config key `networks[].weights`: {path}"
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a torn zip and a refused global raise several types
        raise ValueError(
            f"{key} is not a state dict that loads without running code ({error}); save"
            " `network.state_dict()`, best as safetensors"
        ) from error
    if not isinstance(saved, dict):
        raise ValueError(
            f"{key} holds a {type(saved).__name__}, not a state dict; save `network.state_dict()`,"
            " best as safetensors"
        )
    # Trainers often nest it beside optimiser and epoch.
    for candidate in (saved, *(saved.get(wrapper) for wrapper in _WRAPPERS)):
        if isinstance(candidate, dict) and all(isinstance(v, Tensor) for v in candidate.values()):
            return candidate
    raise ValueError(
        f"{key} holds {', '.join(map(str, list(saved)[:_SHOWN_KEYS]))}, and a state dict neither"
        f" itself nor under {' or '.join(map(repr, _WRAPPERS))}; save `network.state_dict()`, best"
        " as safetensors"
    )


def _without_prefixes(state: dict[str, Tensor], known: Collection[str]) -> dict[str, Tensor]:
    """Names without what wrappers put before all of them, unless the network has it too."""
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) and name not in known for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state
