"""Notes that are played, as a melody of some bars: the first note is on the first beat."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from bridge.time.units import SECONDS_PER_MINUTE, Signature
from plugin_host.midi.melody import Melody, Note


@dataclass
class _Take:
    bars: int
    lane: int
    begun_at: float | None = None
    held: dict[tuple[int, int], tuple[float, int]] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)


class NoteRecorder:
    """Records at one tempo. Thread-safe."""

    def __init__(self, bpm: float, signature: Signature) -> None:
        self._bpm, self._signature = bpm, signature
        self._lock = threading.Lock()
        self._take: _Take | None = None

    @property
    def on(self) -> bool:
        """Whether notes are recorded, or the first one is awaited.  [any]"""
        return self._take is not None

    def begin(self, bars: int, lane: int) -> None:
        """Record from the next note on.  [any]"""
        with self._lock:
            self._take = _Take(bars, lane)

    def cancel(self) -> bool:
        """Record nothing; whether something was recorded.  [any]"""
        with self._lock:
            was, self._take = self._take is not None, None
            return was

    def take(self, message: Any, seconds: float) -> None:
        """A mido message that came at a monotonic second.  [any]"""
        with self._lock:
            if self._take is None or message.type not in ("note_on", "note_off"):
                return
            take, key = self._take, (message.channel, message.note)
            on = message.type == "note_on" and message.velocity > 0
            if take.begun_at is None:
                if not on:
                    return
                take.begun_at = seconds
            beat = self._beat(take, seconds)
            if key in take.held:
                begun, velocity = take.held.pop(key)
                take.notes.append(Note(begun, beat - begun, message.note, velocity))
            if on:
                take.held[key] = (beat, message.velocity)

    def finish(self, seconds: float, now: bool = False) -> tuple[Melody, int] | None:
        """The melody and its lane when its bars are over, or `now`; else None.  [any]"""
        with self._lock:
            take = self._take
            if take is None or take.begun_at is None:
                return None
            length = take.bars * float(self._signature.beats_per_bar)
            if self._beat(take, seconds) < length and not now:
                return None
            self._take = None
            end = min(length, self._beat(take, seconds))
            rest = [Note(begun, end - begun, key[1], velocity) for key, (begun, velocity) in take.held.items()]
            played = [*take.notes, *rest]
            notes = [Note(n.beat, min(n.end, length) - n.beat, n.pitch, n.velocity) for n in played if n.beat < length]
            whole = sorted((note for note in notes if note.beats > 0), key=lambda note: note.beat)
            return Melody(tuple(whole), self._bpm, self._signature), take.lane

    def _beat(self, take: _Take, seconds: float) -> float:
        assert take.begun_at is not None
        return (seconds - take.begun_at) * self._bpm / SECONDS_PER_MINUTE
