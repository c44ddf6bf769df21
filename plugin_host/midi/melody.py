"""Notes to a melody: the audio of a region of whole bars, at one tempo, for the role `melody`.

    .mid file, or notes played --> notes in beats --> clean tones at a tempo --> region

A melody is heard as chroma, the loudest pitch class of each moment. So each note is a tone with few harmonics, and of
notes that sound together the highest one is the loudest. Drums (channel 10) are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bridge.ring.form import Audio
from bridge.time.units import Signature
from plugin_host.midi.errors import MelodyError

RATE_HZ = 32_000
USUAL_BPM = 120.0
BYTES_MAX, NOTES_MAX, SECONDS_MAX = 10_000_000, 50_000, 600.0
PEAK = 0.5
_DRUMS = 9
_HARMONICS = (1.0, 0.3, 0.1)
_ATTACK_SECONDS, _RELEASE_SECONDS = 0.008, 0.05
_TOP = 2.0  # the highest of notes that sound together, relative to the others


@dataclass(frozen=True)
class Note:
    """A note from a beat on, so many beats long; pitch and velocity as MIDI has them."""

    beat: float
    beats: float
    pitch: int
    velocity: int = 100

    @property
    def end(self) -> float:
        """The beat on which it ends.  [any]"""
        return self.beat + self.beats


@dataclass(frozen=True)
class Melody:
    """Notes, the tempo they were written or played at, and the time signature at their begin."""

    notes: tuple[Note, ...]
    bpm: float = USUAL_BPM
    signature: Signature = Signature(4, 4)  # noqa: RUF009 - frozen

    @property
    def bars(self) -> int:
        """Whole bars up to the end of the last note, at least one.  [any]"""
        end = max((note.end for note in self.notes), default=0.0)
        return max(1, math.ceil(round(end / float(self.signature.beats_per_bar), 3)))


def read_melody(path: Path) -> Melody:
    """The notes of a .mid file, of all its tracks; MelodyError says why it is none.  [main]"""
    import mido

    try:
        if path.stat().st_size > BYTES_MAX:
            raise MelodyError(f"{path} is larger than {BYTES_MAX} bytes: it is no melody")
        file = mido.MidiFile(path, clip=True)
    except MelodyError:
        raise
    except OSError as fault:
        if fault.errno is None:  # mido's own
            raise MelodyError(f"{path} is no MIDI file: {fault}") from None
        raise MelodyError(f"{path} cannot be read: {fault.strerror or fault}") from None
    except Exception as fault:  # mido raises EOFError, ValueError, KeyError, IndexError and its own for damaged files
        raise MelodyError(f"{path} is no MIDI file that can be read: {fault or type(fault).__name__}") from None
    if file.ticks_per_beat <= 0 or file.ticks_per_beat >= 0x8000:
        raise MelodyError(f"{path} counts film frames, not beats; save it with ticks per beat")
    tracks = file.tracks if file.type < 2 else file.tracks[:1]
    notes, bpm, meter = _read(mido.merge_tracks(tracks), file.ticks_per_beat)
    if not notes:
        raise MelodyError(f"{path} has no notes but drums")
    return Melody(tuple(notes), bpm, meter)


def _read(track: Any, ticks_per_beat: int) -> tuple[list[Note], float, Signature]:
    import mido

    bpm, meter, ticks = 0.0, Signature(4, 4), 0
    held: dict[tuple[int, int], tuple[float, int]] = {}
    notes: list[Note] = []
    for message in track:
        ticks += message.time
        beat = ticks / ticks_per_beat
        if message.type == "set_tempo" and not bpm and message.tempo > 0:
            bpm = mido.tempo2bpm(message.tempo)
        elif message.type == "time_signature" and not notes and not held:
            with suppress(ValueError):  # one that nobody plays
                meter = Signature(message.numerator, message.denominator)
        elif message.type in ("note_on", "note_off") and message.channel != _DRUMS:
            key = (message.channel, message.note)
            if key in held:
                begun, velocity = held.pop(key)
                notes.append(Note(begun, beat - begun, message.note, velocity))
            if message.type == "note_on" and message.velocity > 0:
                held[key] = (beat, message.velocity)
        if len(notes) > NOTES_MAX:
            raise MelodyError(f"it has more than {NOTES_MAX} notes: it is no melody")
    end = ticks / ticks_per_beat
    notes += [Note(begun, max(0.0, end - begun), pitch, velocity) for (_, pitch), (begun, velocity) in held.items()]
    return sorted((each for each in notes if each.beats > 0), key=lambda each: each.beat), bpm or USUAL_BPM, meter


def render(melody: Melody, bpm: float = 0.0) -> Audio:
    """The melody as audio [n, 1] of whole bars at RATE_HZ and `bpm`, 0: its own tempo; MelodyError if too long.

    [main]
    """
    seconds_per_beat = 60 / (bpm or melody.bpm)
    seconds = melody.bars * float(melody.signature.beats_per_bar) * seconds_per_beat
    if seconds > SECONDS_MAX:
        raise MelodyError(f"the melody is {seconds / 60:.1f} minutes long, may be {SECONDS_MAX / 60:g}")
    audio = np.zeros(round(seconds * RATE_HZ), np.float64)
    for note, loud in _weighted(melody.notes):
        begin = round(note.beat * seconds_per_beat * RATE_HZ)
        tone = _tone(note, seconds_per_beat)[: max(0, len(audio) - begin)]
        audio[begin : begin + len(tone)] += loud * tone
    peak = float(np.max(np.abs(audio), initial=0.0))
    return np.asarray(audio * (PEAK / peak if peak > 0 else 0.0), np.float32)[:, np.newaxis]


def _weighted(notes: Sequence[Note]) -> Iterator[tuple[Note, float]]:
    """Each note and its level: the highest of those that sound when it begins is the loudest."""
    sounding: list[Note] = []
    for note in sorted(notes, key=lambda each: (each.beat, -each.pitch)):
        sounding = [each for each in sounding if each.end > note.beat + 1e-6]
        top = all(each.pitch < note.pitch for each in sounding)
        sounding.append(note)
        yield note, (0.3 + 0.7 * note.velocity / 127) * (_TOP if top else 1.0)


def _tone(note: Note, seconds_per_beat: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    held = max(1, round(note.beats * seconds_per_beat * RATE_HZ))
    count = held + round(_RELEASE_SECONDS * RATE_HZ)
    hz = 440.0 * 2 ** ((note.pitch - 69) / 12)
    at = np.arange(count) / RATE_HZ
    tone = np.zeros(count)
    for number, level in enumerate(_HARMONICS, 1):
        if hz * number < 0.45 * RATE_HZ:
            tone += level * np.sin(2 * np.pi * hz * number * at)
    rise = np.minimum(1.0, np.arange(count) / (_ATTACK_SECONDS * RATE_HZ))
    fall = np.clip((count - np.arange(count)) / (_RELEASE_SECONDS * RATE_HZ), 0.0, 1.0)
    return np.asarray(tone * rise * fall)
