"""An ONNX graph that grows node by node.

Weights are not part of it: it names them, and the session gets the tensors (`engine.ort.session`), so they are neither
copied nor subject to a graph's limit of 2 GB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.system.optional_library import needed

IR_VERSION, OPSET = 9, 17
CONTRIB = "com.microsoft"  # ONNX Runtime's operators beyond the standard

Dims = Sequence[int | str]  # a size, or a name for one known only at run time


@dataclass
class Graph:
    """Inputs and outputs by name, float32 unless `kinds` says otherwise; `weights` go to the session.  [any]"""

    inputs: dict[str, Dims] = field(default_factory=dict)
    outputs: dict[str, Dims] = field(default_factory=dict)
    kinds: dict[str, Any] = field(default_factory=dict)  # name -> numpy type
    weights: dict[str, NDArray[Any]] = field(default_factory=dict)
    constants: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    lent: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # weight of a quantised product -> its sizes
    _nodes: list[Any] = field(default_factory=list)

    def add(
        self,
        op: str,
        inputs: Sequence[str],
        n_outputs: int,
        domain: str = "",
        unused: Sequence[int] = (),
        **attributes: Any,
    ) -> list[str]:
        """Append a node; returns the names of its outputs, '' for those `unused`. An omitted input is ''.  [any]"""
        helper = _onnx().helper
        number = len(self._nodes)
        outputs = ["" if index in unused else f"{op.lower()}{number}_{index}" for index in range(n_outputs)]
        node = helper.make_node(op, list(inputs), outputs, name=f"{op}{number}", domain=domain, **attributes)
        self._nodes.append(node)
        return outputs

    def one(self, op: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        """`add` for a node of one output.  [any]"""
        return self.add(op, inputs, 1, domain, **attributes)[0]

    def input(self, name: str, dims: Dims, kind: Any = np.float32) -> str:
        """Declare an input; returns its name.  [any]"""
        self.inputs[name], self.kinds[name] = dims, kind
        return name

    def weight(self, name: str, values: NDArray[Any]) -> str:
        """Declare a tensor that is given to the session; returns its name.  [any]"""
        self.weights[name] = np.ascontiguousarray(values)
        return name

    def numbers(self, *values: int) -> str:
        """A constant row of integers, written once.  [any]"""
        name = "n_" + "_".join(str(value).replace("-", "m") for value in values)
        self.constants[name] = np.array(values, dtype=np.int64)
        return name

    def name_output(self, inner: str, name: str, dims: Dims) -> None:
        """Make a value an output of the graph under `name`.  [any]"""
        helper = _onnx().helper
        self._nodes.append(helper.make_node("Identity", [inner], [name]))
        self.outputs[name] = dims

    def give_in_place(self, inner: str, name: str, dims: Dims, kind: Any) -> None:
        """Make a value that its node writes into an input's memory an output of the graph.  [any]"""
        for node in self._nodes:
            node.output[:] = [name if output == inner else output for output in node.output]
        self.outputs[name], self.kinds[name] = dims, kind

    def to_bytes(self) -> bytes:
        """The model, without its weights.  [any]"""
        helper, numpy_helper = _onnx().helper, _onnx().numpy_helper
        held = [numpy_helper.from_array(values, name) for name, values in self.constants.items()]
        held += [_named(name, values) for name, values in self.weights.items()]
        graph = helper.make_graph(self._nodes, "segue", self._ends(self.inputs), self._ends(self.outputs), held)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(CONTRIB, 1)]
        return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString())

    def _ends(self, side: dict[str, Dims]) -> list[Any]:
        helper = _onnx().helper
        kind = {name: _kind(self.kinds.get(name, np.float32)) for name in side}
        return [helper.make_tensor_value_info(name, kind[name], dims) for name, dims in side.items()]


def _onnx() -> Any:
    """The package that writes graphs; UnsupportedError if it is not installed."""
    with needed("writing graphs for ONNX Runtime"):
        import onnx
    return onnx


def _kind(kind: Any) -> int:
    return int(_onnx().helper.np_dtype_to_tensor_dtype(np.dtype(kind)))


def _named(name: str, values: NDArray[Any]) -> Any:
    """A tensor that is only named; its 'location' is never opened, since the session gets the values."""
    proto = _onnx().TensorProto
    tensor = proto(name=name, data_type=_kind(values.dtype), dims=values.shape)
    tensor.data_location = proto.EXTERNAL
    tensor.external_data.add(key="location", value="in memory")
    return tensor
