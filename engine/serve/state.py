"""How the engine as a whole is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.model import LoadedModel
    from engine.serve.lane.generate_loop import GenerateLoop

WEIGHT_BYTES = {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0}
PACKED_BYTES = 2.0  # more, of halves on a processor where PyTorch takes the steps: these have matrices of their own
CODE_BYTES = {"int8": (1.1, 2.1), "int4": (0.6, 1.2)}  # in native code; ONNX Runtime lays them out once more
LOADING, READY, EMPTY, STOPPING, FAILED = "loading", "ready", "empty", "stopping", "failed"


def weight_bytes(precision: str, device: str, loaded: bool = False) -> float:
    """Memory that each weight of a model takes at most while it loads, or keeps once it is `loaded`.

    Prompts of quantised models are read from weights beside the codes: in float32, or in bfloat16 where the processor
    is faster in it (`engine.models.load.quantise_steps`).  [any]
    """
    from engine.lm.executors.select import trusted
    from engine.lm.precision import half_is_faster

    if precision in CODE_BYTES:
        native, by_onnx = CODE_BYTES[precision]
        codes = native if trusted(8 if precision == "int8" else 4) else by_onnx
        return codes + WEIGHT_BYTES["bfloat16" if loaded and half_is_faster() else "float32"]
    packed = WEIGHT_BYTES[precision] < 4 and device.startswith("cpu") and not trusted(None)
    return WEIGHT_BYTES[precision] + (PACKED_BYTES if packed else 0.0)


@dataclass(frozen=True)
class Wanted:
    """A model as somebody asks for it; `device` "auto": see `device_choice`.  [any]"""

    name: str
    device: str = "auto"
    precision: str = "auto"


@dataclass(frozen=True)
class Hot:
    """A model that is loaded and warmed up: what was asked for, what came of it.  [any]"""

    wanted: Wanted
    model: LoadedModel
    device: str
    precision: str
    context_frames: int  # of what was heard that a lane takes along when it changes to this model
    change_seconds: float  # that one lane's change takes, measured
    realtime_ratio: float  # of one lane, measured alone
    notes: tuple[str, ...] = ()
    license: str = ""

    @property
    def bytes_per_weight(self) -> float:
        """That it keeps.  [any]"""
        return weight_bytes(self.precision, self.device, loaded=True)

    @property
    def notes_text(self) -> str:
        """The notes as one text.  [any]"""
        return " ".join(note if note.endswith(".") else f"{note}." for note in self.notes)


@dataclass
class EngineState:
    """How the engine is; [main], [load] and [generate] change it, [control] answers with it."""

    name: str = LOADING
    text: str = ""
    device: str = ""
    generate_loop: GenerateLoop | None = None
    hot: Hot | None = None
