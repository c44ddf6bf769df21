"""How the engine as a whole is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.model import LoadedModel
    from engine.serve.lane.generate_loop import GenerateLoop

LOADING, READY, EMPTY, STOPPING, FAILED = "loading", "ready", "empty", "stopping", "failed"


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
        from engine.lm.executors.weight_bytes import weight_bytes

        return weight_bytes(self.precision, self.device, loaded=True)

    @property
    def notes_text(self) -> str:
        """The notes as one text.  [any]"""
        return " ".join(f"{note.removesuffix('.')}." for note in self.notes)


@dataclass
class EngineState:
    """How the engine is; [main], [load] and [generate] change it, [control] answers with it."""

    name: str = LOADING
    text: str = ""
    device: str = ""
    generate_loop: GenerateLoop | None = None
    hot: Hot | None = None

    def change(self, name: str, text: str) -> None:
        """It is something else now, and why.  [any]"""
        self.name, self.text = name, text

    def say(self, text: str) -> None:
        """What is going on.  [any]"""
        self.text = text

    def plays(self, hot: Hot | None) -> None:
        """This model is loaded, None: no one.  [load]"""
        self.hot = hot
        if hot is not None:
            self.device = hot.device

    def runs(self, generate_loop: GenerateLoop) -> None:
        """The generate loop is there.  [generate]"""
        self.generate_loop = generate_loop
