"""The state of the engine as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.model import LoadedModel
    from engine.serve.lane.generate_loop import GenerateLoop

LOADING, READY, EMPTY, STOPPING, FAILED = "loading", "ready", "empty", "stopping", "failed"


@dataclass(frozen=True)
class Wanted:
    """A model as requested; `device` "auto": see `device_choice`.  [any]"""

    name: str
    device: str = "auto"
    precision: str = "auto"


@dataclass(frozen=True)
class Hot:
    """A model that is loaded and warmed up: the request and the result.  [any]"""

    wanted: Wanted
    model: LoadedModel
    device: str
    precision: str
    context_frames: int  # of old music that a lane takes along when it changes to this model
    change_seconds: float  # measured time of one lane's change
    realtime_ratio: float  # real-time factor of one lane alone
    notes: tuple[str, ...] = ()
    license: str = ""

    @property
    def bytes_per_weight(self) -> float:
        """Bytes per weight in memory.  [any]"""
        from engine.lm.executors.weight_bytes import weight_bytes

        return weight_bytes(self.precision, self.device, loaded=True)

    @property
    def notes_text(self) -> str:
        """The notes as one text.  [any]"""
        return " ".join(f"{note.removesuffix('.')}." for note in self.notes)


@dataclass
class EngineState:
    """The engine's state; [main], [load] and [generate] change it, [control] answers with it."""

    name: str = LOADING
    text: str = ""
    device: str = ""
    generate_loop: GenerateLoop | None = None
    hot: Hot | None = None

    def change(self, name: str, text: str) -> None:
        """Set the state and the reason.  [any]"""
        self.name, self.text = name, text

    def say(self, text: str) -> None:
        """Set the text on what is going on.  [any]"""
        self.text = text

    def plays(self, hot: Hot | None) -> None:
        """Set the loaded model, None for none.  [load]"""
        self.hot = hot
        if hot is not None:
            self.device = hot.device

    def runs(self, generate_loop: GenerateLoop) -> None:
        """Set the generate loop.  [generate]"""
        self.generate_loop = generate_loop
