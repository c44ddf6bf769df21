"""The pickle reader's known names as plain data, never a call.

OrderedDict, dict, defaultdict  ->  dict          tensors  ->  TensorEntry (name of a storage, shape, strides)
list                            ->  list          OmegaConf's nodes  ->  Node (class name and state)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from engine.errors import CheckpointError

STORAGES = {
    "HalfStorage": "F16",
    "BFloat16Storage": "BF16",
    "FloatStorage": "F32",
    "DoubleStorage": "F64",
    "LongStorage": "I64",
    "IntStorage": "I32",
    "ShortStorage": "I16",
    "CharStorage": "I8",
    "ByteStorage": "U8",
    "BoolStorage": "BOOL",
}
ITEM_BYTES = {
    "F16": 2,
    "BF16": 2,
    "F32": 4,
    "F64": 8,
    "I64": 8,
    "I32": 4,
    "I16": 2,
    "I8": 1,
    "U8": 1,
    "BOOL": 1,
}

_PLAIN = {
    ("collections", "OrderedDict"),
    ("collections", "defaultdict"),
    ("typing", "Any"),
    *((module, name) for module in ("builtins", "__builtin__") for name in ("dict", "list", "tuple", "int")),
    *((module, name) for module in ("builtins", "__builtin__") for name in ("str", "float", "bool", "long")),
}
_OMEGACONF = {
    ("omegaconf.dictconfig", "DictConfig"),
    ("omegaconf.listconfig", "ListConfig"),
    ("omegaconf.base", "ContainerMetadata"),
    ("omegaconf.base", "Metadata"),
    *(
        ("omegaconf.nodes", name)
        for name in (
            "AnyNode",
            "StringNode",
            "IntegerNode",
            "FloatNode",
            "BooleanNode",
            "PathNode",
            "BytesNode",
        )
    ),
}
_TENSOR = {
    ("torch._utils", "_rebuild_tensor_v2"),
    ("torch._utils", "_rebuild_parameter"),
    *(("torch", name) for name in STORAGES),
}
NAMES = frozenset(_PLAIN | _OMEGACONF | _TENSOR)
MAX_DIMENSIONS = 8
MAX_VALUES = 100_000


@dataclass(frozen=True)
class Name:
    """A listed name from the pickle; a label only, nothing is imported.  [any]"""

    module: str
    name: str

    @staticmethod
    def known(module: Any, name: Any) -> Name:
        """The name; CheckpointError if it is not on the list.  [any]"""
        if not isinstance(module, str) or not isinstance(name, str) or (module, name) not in NAMES:
            raise CheckpointError(
                f"the file asks for '{module}.{name}', which is not on the list of harmless names: it may "
                f"hold hidden code and was not run"
            )
        return Name(module, name)


@dataclass(frozen=True)
class StorageEntry:
    """A storage in the archive: element type, key of its file, expected number of elements.  [any]"""

    dtype: str
    key: str
    count: int


@dataclass(frozen=True)
class TensorEntry:
    """A tensor as a view of a storage, checked against it; everything in elements.  [any]"""

    storage: StorageEntry
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass
class Node:
    """The data of an OmegaConf object.  [any]"""

    kind: str
    state: dict[str, Any] = field(default_factory=dict)


def tensor_storage(ident: Any) -> StorageEntry:
    """The storage that a persistent id `('storage', type, key, device, count)` names.  [any]"""
    if not isinstance(ident, tuple) or len(ident) != 5 or ident[0] != "storage" or not isinstance(ident[1], Name):
        raise CheckpointError("pickle refers to something that is not a tensor storage")
    kind, key, count = ident[1].name, ident[2], ident[4]
    if kind not in STORAGES or not isinstance(key, str) or not key.isascii() or not key.isdigit():
        raise CheckpointError(f"pickle refers to a storage '{key}' of type '{kind}'")
    if type(count) is not int or count < 0:
        raise CheckpointError(f"storage {key} claims {count} elements")
    return StorageEntry(STORAGES[kind], key, count)


def reduce(callee: Any, arguments: Any) -> Any:
    """The replacement of `callee(*arguments)`: a tensor entry or an empty container.  [any]"""
    if not isinstance(callee, Name) or not isinstance(arguments, tuple):
        raise CheckpointError(f"pickle calls a {type(callee).__name__}")
    if callee.name == "_rebuild_tensor_v2":
        return _tensor(arguments)
    if callee.name == "_rebuild_parameter" and arguments and isinstance(arguments[0], TensorEntry):
        return arguments[0]
    if callee.name == "defaultdict":
        return {}
    if callee.name in ("OrderedDict", "dict") and arguments in ((), ([],)):
        return {}
    if callee.name == "list" and not arguments:
        return []
    raise CheckpointError(f"pickle calls '{callee.module}.{callee.name}' with arguments that are not allowed")


def _tensor(arguments: tuple[Any, ...]) -> TensorEntry:
    if len(arguments) < 4 or not isinstance(arguments[0], StorageEntry):
        raise CheckpointError("pickle describes a tensor without a storage")
    storage, offset, shape, strides = arguments[:4]
    sizes = (offset, *shape, *strides) if isinstance(shape, tuple) and isinstance(strides, tuple) else (None,)
    if any(type(number) is not int or not 0 <= number < 1 << 40 for number in sizes):
        raise CheckpointError(f"tensor in storage {storage.key} has impossible sizes")
    if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        raise CheckpointError(f"tensor in storage {storage.key} has {len(shape)} sizes and {len(strides)} strides")
    if 0 not in shape:
        last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
        if last >= storage.count:
            raise CheckpointError(f"tensor reaches beyond the end of storage {storage.key}")
    elements = 1
    for size in shape:
        elements *= size
    if elements > storage.count:
        raise CheckpointError(f"tensor in storage {storage.key} repeats elements of its storage")
    return TensorEntry(storage, offset, shape, strides)


def new(kind: Any, arguments: Any) -> Any:
    """The replacement of `kind.__new__(kind, *arguments)`: an empty node of OmegaConf.  [any]"""
    if not isinstance(kind, Name) or (kind.module, kind.name) not in _OMEGACONF or arguments != ():
        raise CheckpointError(f"pickle makes an object of {getattr(kind, 'name', type(kind).__name__)}")
    return Node(kind.name)


def build(target: Any, state: Any) -> Any:
    """`target` with its state; of a state dict's attributes only torch's `_metadata` occurs, and is dropped.  [any]"""
    if isinstance(target, Node) and isinstance(state, dict):
        target.state.update(state)
        return target
    if isinstance(target, dict) and isinstance(state, dict) and set(state) <= {"_metadata"}:
        return target
    raise CheckpointError(f"pickle sets the state of a {type(target).__name__}")


def plain(value: Any) -> Any:
    """OmegaConf nodes as dicts, lists and scalars; `${...}` references stay text.

    Raises CheckpointError for tensors, for nesting beyond 64 levels and for more than 100,000 values (a
    small file can describe a huge or endless one).  [any]
    """
    budget = [MAX_VALUES]
    return _plain(value, 64, budget)


def _plain(value: Any, depth: int, budget: list[int]) -> Any:
    budget[0] -= 1
    if depth == 0 or budget[0] < 0:
        raise CheckpointError(f"the configuration is deeper than 64 levels or has more than {MAX_VALUES} values")
    if isinstance(value, Node):
        state = value.state
        return _plain(state["_val"] if "_val" in state else state.get("_content"), depth - 1, budget)
    if isinstance(value, dict):
        return {str(key): _plain(item, depth - 1, budget) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth - 1, budget) for item in value]
    if value is None or isinstance(value, (str, int, float, bool)):
        return value
    raise CheckpointError(f"the configuration holds a {type(value).__name__}")
