"""Weights that ONNX Runtime packs when a session opens: ours are freed then, so that they do not exist twice."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from engine.ort.graph import Graph
from engine.ort.quantised import product
from engine.ort.session import Session


def let_go(session: Session, graph: Graph) -> None:
    """Free the weights of a graph's quantised products that its session, on the CPU, does not read.  [generate]"""
    session.let_go([name for name, sizes in graph.lent.items() if is_taken(*sizes)])


@lru_cache(maxsize=256)
def is_taken(rows: int, width: int, bits: int) -> bool:
    """Whether such a product is unchanged after the weights that it was opened with are overwritten.

    Tested, because what a session keeps is not documented, and depends on CPU and version.  [any]
    """
    graph = Graph(inputs={"x": ["rows", width]})
    weight = torch.linspace(-1.0, 1.0, rows * width).view(rows, width)
    graph.name_output(product(graph, "x", weight, "tried", bits), "y", ["rows", rows])
    session, x, y = Session(graph, what="a product"), torch.ones(2, width), torch.zeros(2, rows)
    binding = session.binding()
    session.bind_input(binding, "x", x)
    session.bind_output(binding, "y", y)
    session.run(binding)
    before = y.clone()
    for name in graph.lent:
        graph.weights[name][...] = np.array(3, graph.weights[name].dtype)
    session.run(binding)
    return torch.equal(y, before)
