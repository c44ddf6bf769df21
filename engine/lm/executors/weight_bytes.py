"""Memory that a model's weights take, by the precision and the executor that is going to be chosen for it."""

from __future__ import annotations

from engine.lm import precision
from engine.lm.executors import select

WEIGHT_BYTES = {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0}
PACKED_BYTES = 2.0  # more, of halves on a processor where PyTorch takes the steps: these have matrices of their own
CODE_BYTES = {"int8": (1.1, 2.1), "int4": (0.6, 1.2)}  # in native code; ONNX Runtime lays them out once more


def weight_bytes(kind: str, device: str, loaded: bool = False) -> float:
    """Memory that each weight of a model takes at most while it loads, or keeps once it is `loaded`.

    Prompts of quantised models are read from weights beside the codes: in float32, or in bfloat16 where the processor
    is faster in it (`engine.checkpoints.build.executor_of`).  [any]
    """
    if kind in CODE_BYTES:
        native, by_onnx = CODE_BYTES[kind]
        codes = native if select.trusted(8 if kind == "int8" else 4) else by_onnx
        return codes + WEIGHT_BYTES["bfloat16" if loaded and precision.half_is_faster() else "float32"]
    packed = WEIGHT_BYTES[kind] < 4 and device.startswith("cpu") and not select.trusted(None)
    return WEIGHT_BYTES[kind] + (PACKED_BYTES if packed else 0.0)
