"""The state of the engine as a whole."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bridge.control.status_text import STATE_LOADING, STATE_STOPPING

if TYPE_CHECKING:
    from engine.model import LoadedModel
    from engine.serve.lane.generate_loop import GenerateLoop

LOADING, READY, EMPTY, STOPPING, FAILED = STATE_LOADING, "ready", "empty", STATE_STOPPING, "failed"


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


@dataclass(frozen=True)
class EngineStatus:
    """The engine at one moment, as `status` answers it.  [any]"""

    name: str = LOADING
    text: str = ""
    device: str = ""
    hot: Hot | None = None  # the loaded model


class EngineState:
    """The engine's status, replaced as a whole under a lock: whoever reads `now` meets no half of a change.  [any]

    [main], [load] and [generate] change it, [control] and the others read it.
    """

    def __init__(self, name: str = LOADING, text: str = "", device: str = "") -> None:
        self._lock = threading.Lock()
        self._now = EngineStatus(name, text, device)
        self._generate_loop: GenerateLoop | None = None

    @property
    def now(self) -> EngineStatus:
        """The status of this moment; of two reads the second may be newer.  [any]"""
        return self._now

    @property
    def generate_loop(self) -> GenerateLoop | None:
        """The generate loop; None until `runs`, then always the same.  [any]"""
        return self._generate_loop

    def change(self, name: str, text: str) -> bool:
        """Set state and reason; False for an engine that has failed: it stays so until it ends.  [any]"""
        with self._lock:
            if self._now.name == FAILED:
                return False
            self._now = replace(self._now, name=name, text=text)
            return True

    def say(self, text: str) -> None:
        """Set the text on what is going on, unless the engine has failed.  [any]"""
        with self._lock:
            if self._now.name != FAILED:
                self._now = replace(self._now, text=text)

    def plays(self, hot: Hot | None) -> None:
        """Set the loaded model, None for none.  [load]"""
        with self._lock:
            self._now = replace(self._now, hot=hot, device=self._now.device if hot is None else hot.device)

    def runs(self, generate_loop: GenerateLoop) -> None:
        """Set the generate loop, once.  [generate]"""
        self._generate_loop = generate_loop
