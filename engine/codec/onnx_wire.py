"""ONNX models written byte by byte: just enough of the format to hand a graph to ONNX Runtime.

The format is protobuf: a message is a row of fields, each a key (number << 3 | kind) and a value. So no exporter and
no `onnx` package is needed where Segue runs. Source: onnx.proto of the ONNX project (IR version 8, opset 17).
Weights are not written: the model names them, and the session is given the tensors themselves (`Graph.weights`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

IR_VERSION, OPSET = 8, 17
FLOAT, INT64 = 1, 7
EXTERNAL = 1
_VARINT, _BYTES, _FIXED32 = 0, 2, 5
_ELEMENT = {np.dtype(np.float32): FLOAT, np.dtype(np.int64): INT64}

Attribute = int | float | str | Sequence[int]
Dims = Sequence[int | str]


def varint(value: int) -> bytes:
    """An integer in groups of seven bits, low ones first; negative ones as 64-bit two's complement.  [any]"""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def whole(number: int, value: int) -> bytes:
    """Field `number` with an integer.  [any]"""
    return varint(number << 3 | _VARINT) + varint(value)


def part(number: int, data: bytes | str) -> bytes:
    """Field `number` with text, bytes or a message inside.  [any]"""
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | _BYTES) + varint(len(data)) + data


def attribute(name: str, value: Attribute) -> bytes:
    """AttributeProto of an integer, a float, a text or a row of integers.  [any]"""
    if isinstance(value, str):
        return part(1, name) + part(4, value) + whole(20, 3)
    if isinstance(value, float):
        return part(1, name) + varint(2 << 3 | _FIXED32) + np.float32(value).tobytes() + whole(20, 1)
    if isinstance(value, int):
        return part(1, name) + whole(3, value) + whole(20, 2)
    return part(1, name) + b"".join(whole(8, item) for item in value) + whole(20, 7)


def value_info(name: str, dims: Dims) -> bytes:
    """ValueInfoProto of a float tensor; a dim is a size, or a name for one known only when it runs.  [any]"""
    sizes = b"".join(part(1, part(2, dim) if isinstance(dim, str) else whole(1, dim)) for dim in dims)
    return part(1, name) + part(2, part(1, whole(1, FLOAT) + part(2, sizes)))


@dataclass
class Graph:
    """A graph that grows node by node; `weights` are given to the session, `constants` are written inside.  [any]"""

    inputs: dict[str, Dims] = field(default_factory=dict)
    outputs: dict[str, Dims] = field(default_factory=dict)
    weights: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    constants: dict[str, NDArray[np.int64]] = field(default_factory=dict)
    _nodes: list[bytes] = field(default_factory=list)

    def add(self, op: str, inputs: Sequence[str], n_outputs: int, **attributes: Attribute) -> list[str]:
        """Append a node; the names of its outputs. An input left out is ''.  [any]"""
        number = len(self._nodes)
        outputs = [f"{op.lower()}{number}_{index}" for index in range(n_outputs)]
        written = [part(1, name) for name in inputs] + [part(2, name) for name in outputs]
        written += [part(3, f"{op}{number}"), part(4, op)]
        written += [part(5, attribute(name, value)) for name, value in attributes.items()]
        self._nodes.append(b"".join(written))
        return outputs

    def one(self, op: str, *inputs: str, **attributes: Attribute) -> str:
        """`add` for a node of one output.  [any]"""
        return self.add(op, inputs, 1, **attributes)[0]

    def weight(self, name: str, values: NDArray[np.float32]) -> str:
        """A tensor that the session gets from us.  [any]"""
        self.weights[name] = np.ascontiguousarray(values, dtype=np.float32)
        return name

    def numbers(self, *values: int) -> str:
        """A constant row of integers, written once.  [any]"""
        name = "n_" + "_".join(str(value).replace("-", "m") for value in values)
        self.constants[name] = np.array(values, dtype=np.int64)
        return name

    def name_output(self, inner: str, name: str, dims: Dims) -> None:
        """Give a value out of the graph under `name`.  [any]"""
        self._nodes.append(part(1, inner) + part(2, name) + part(4, "Identity"))
        self.outputs[name] = dims

    def to_bytes(self) -> bytes:
        """ModelProto.  [any]"""
        graph = b"".join(part(1, node) for node in self._nodes) + part(2, "segue")
        graph += b"".join(part(5, _stored_outside(name, values)) for name, values in self.weights.items())
        graph += b"".join(part(5, _tensor(name, values) + part(9, values.tobytes()))
                          for name, values in self.constants.items())  # fmt: skip
        graph += b"".join(part(11, value_info(name, dims)) for name, dims in self.inputs.items())
        graph += b"".join(part(12, value_info(name, dims)) for name, dims in self.outputs.items())
        return whole(1, IR_VERSION) + part(2, "segue") + part(7, graph) + part(8, whole(2, OPSET))


def _tensor(name: str, values: NDArray[np.generic]) -> bytes:
    sizes = b"".join(whole(1, size) for size in values.shape)
    return sizes + whole(2, _ELEMENT[values.dtype]) + part(8, name)


def _stored_outside(name: str, values: NDArray[np.generic]) -> bytes:
    """A tensor that is only named; the 'location' is never opened, since the session is given the values."""
    where: Mapping[str, str] = {"location": name, "offset": "0", "length": str(values.nbytes)}
    entries = b"".join(part(13, part(1, key) + part(2, value)) for key, value in where.items())
    return _tensor(name, values) + entries + whole(14, EXTERNAL)
