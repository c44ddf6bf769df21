"""How the engine as a whole is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.model import LoadedModel
    from engine.serve.studio import Studio

# by precision: beginnings are read in float32 where steps are quantised, and ONNX Runtime lays codes out once more
WEIGHT_BYTES = {"float32": 4.0, "float16": 2.0, "bfloat16": 2.0, "int8": 4 + 2.1, "int4": 4 + 1.2}
PACKED_BYTES = 2.0  # more, of halves on a processor: steps have matrices of their own
LOADING, READY, EMPTY, STOPPING, FAILED = "loading", "ready", "empty", "stopping", "failed"


def weight_bytes(precision: str, device: str) -> float:
    """Memory that each weight of a model takes.  [any]"""
    packed = precision in ("float16", "bfloat16") and device.startswith("cpu")
    return WEIGHT_BYTES[precision] + (PACKED_BYTES if packed else 0.0)


@dataclass(frozen=True)
class Wanted:
    """A model as somebody asks for it; `device` "auto" takes a GPU if there is one.  [any]"""

    name: str
    device: str = "cpu"
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
        """Of its precision.  [any]"""
        return weight_bytes(self.precision, self.device)

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
    studio: Studio | None = None
    hot: Hot | None = None
    started_seconds: float = field(default_factory=time.monotonic)
