"""Graph nodes of the built-in architectures: every name that config may give as a layer.

``python -m convergent_learning.networks.graph`` makes `architectures.json`, which the DAG reads
instead of tracing (`networks.listed`); `make pages` runs it.
"""

from __future__ import annotations

import json

import torch
from torch import Tensor
from torchvision.models.feature_extraction import create_feature_extractor, get_graph_node_names

from convergent_learning.networks import architectures
from convergent_learning.networks.architectures import build
from convergent_learning.networks.layers import ANY, CLASS_TOKEN, Layer, stem
from convergent_learning.networks.listed import FILE, Listed
from convergent_learning.networks.outputs import as_activations

IMAGE_SIZES = (32, 224)  # one for each stem
_IMAGES = 2


def traced(architecture: str, image_size: int) -> list[str]:
    """Names of the layers that the graph in evaluation mode has, in the order they are computed.

    A node whose tokens include a class token is followed by that of the class token. Nodes that
    compute no activations (shapes, parameters, assertions, a class token that has not seen the
    image yet) are left out.
    """
    torch.manual_seed(0)
    network = build(architecture, classes=3, width=1 / 16, image_size=image_size).eval()
    _, nodes = get_graph_node_names(network)
    images = torch.randn(_IMAGES, 3, image_size, image_size)
    with torch.inference_mode():
        outputs = create_feature_extractor(network, nodes)(images)
    return [
        name
        for node in nodes
        for name in (node, node + CLASS_TOKEN)
        if _is_layer(name, outputs[node])
    ]


def _is_layer(name: str, output: object) -> bool:
    if not isinstance(output, Tensor) or output.ndim == 0 or len(output) != _IMAGES:
        return False
    try:
        first, second = as_activations(output, Layer(name), "")
    except ValueError:
        return False
    # Images here are square, and so are grids of patches: a row has channels for tokens.
    is_row = first.ndim == 3 and first.shape[1] != first.shape[2]
    return not is_row and not torch.equal(first, second)


def traced_architectures() -> dict[str, Listed]:
    """Every architecture as `networks.listed` is to have it.

    Raises ValueError naming an architecture that two files define.
    """
    found: dict[str, Listed] = {}
    for module in architectures.modules():
        for name in module.ARCHITECTURES:
            if name in found:
                both = f"{found[name].module} and {module.__name__}"
                raise ValueError(f"architecture {name!r}: both {both} define it; rename one")
            found[name] = Listed(
                module.__name__,
                getattr(module, "SIDES", ANY),
                module.LAYERS[name],
                {stem(image_size): traced(name, image_size) for image_size in IMAGE_SIZES},
            )
    return found


if __name__ == "__main__":
    # A line for each architecture.
    lines = (
        f"{json.dumps(name)}: {json.dumps(one.dump())}"
        for name, one in traced_architectures().items()
    )
    FILE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
