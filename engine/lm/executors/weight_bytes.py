"""Memory of a model's weights, by its precision and the executor that will be chosen."""

from __future__ import annotations

from engine.lm import precision
from engine.lm.executors import select

WEIGHT_BYTES = {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0}
PACKED_BYTES = 2.0  # additional, for half precision on a CPU if PyTorch takes the steps: packed copies
CODE_BYTES = {"int8": (1.1, 2.1), "int4": (0.6, 1.2)}  # in native code; ONNX Runtime makes a second copy


def weight_bytes(kind: str, device: str, loaded: bool = False) -> float:
    """Most bytes that each weight of a model takes while it loads, or once it is `loaded`.

    Prefill of quantised models reads weights beside the codes: in float32, or in bfloat16 if the CPU is faster with it
    (`engine.checkpoints.build.executor_of`).  [any]
    """
    if kind in CODE_BYTES:
        native, by_onnx = CODE_BYTES[kind]
        codes = native if select.trusted(8 if kind == "int8" else 4) else by_onnx
        return codes + WEIGHT_BYTES["bfloat16" if loaded and precision.half_is_faster() else "float32"]
    packed = WEIGHT_BYTES[kind] < 4 and device.startswith("cpu") and not select.trusted(None)
    return WEIGHT_BYTES[kind] + (PACKED_BYTES if packed else 0.0)
