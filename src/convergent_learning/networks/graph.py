"""Graph nodes of the built-in architectures: every name that config may give as a layer.

``python -m convergent_learning.networks.graph`` rewrites `graph_nodes.json`, which the DAG reads
instead of tracing; run it after adding an architecture.
"""

from __future__ import annotations

import json
from pathlib import Path

from torchvision.models.feature_extraction import get_graph_node_names

from convergent_learning.networks.architectures import ARCHITECTURES, build

NODES_FILE = Path(__file__).with_name("graph_nodes.json")


def graph_nodes(architecture: str) -> list[str]:
    """Names of the graph's nodes in evaluation mode, in the order they are computed."""
    return get_graph_node_names(build(architecture, classes=2, width=1 / 16))[1]


if __name__ == "__main__":
    nodes = {architecture: graph_nodes(architecture) for architecture in ARCHITECTURES}
    NODES_FILE.write_text(json.dumps(nodes, indent=1) + "\n")
