"""Music of others with free licences, as stems: freedoom's songs (notes), sectoid's (recordings), CC0 drum loops.

    freedoom                   66 MIDI songs, BSD-3-Clause, in the game's .wad files; played on our instruments
    fretsonfire-songs-sectoid  4 recorded rock songs with the guitar apart, MIT
    sonic-pi-samples           6 drum loops that are not held out, CC0

All of it [main].
"""

import io
import random
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from scipy.signal import resample_poly

from engine.train.compose import Note
from engine.train.parts.arrange import instrument_of, word_for
from engine.train.parts.hits import read_sample
from engine.train.parts.stems import Stem, drums, finish, pitched
from engine.train.render import SAMPLE_RATE_HZ, SOUNDS, Audio, soundfonts

WADS = tuple(SOUNDS / f"games/doom/freedoom{n}.wad" for n in (1, 2))
SECTOID = SOUNDS / "games/fretsonfire/data/songs/sectoid"
LOOPS = (("loop_mehackit1", 4), ("loop_mehackit2", 4), ("loop_perc1", 4), ("loop_perc2", 4), ("loop_weirdo", 8),
         ("loop_3d_printer", 16))  # beats of each  # fmt: skip
ON_GRID = 0.8  # of a song's notes must lie on sixteenths, or its tempo is not believed
OUR_STEM = {"drums": "drums", "bass": "bass", "keys": "chords", "guitar": "chords", "strings": "pad", "pads": "pad",
            "winds": "melody", "lead": "melody"}  # fmt: skip


@dataclass(frozen=True)
class Song:
    """A written song: notes of each channel in beats, its first tempo, programs, whether the tempo is believed."""

    name: str
    bpm: float
    notes: dict[int, tuple[Note, ...]]
    programs: dict[int, int]
    on_grid: bool
    beats: float


def lumps_of(path: Path) -> Iterator[tuple[str, bytes]]:
    """Names and contents of a .wad file."""
    data = path.read_bytes()
    _, count, at = struct.unpack("<4sii", data[:12])
    for index in range(count):
        start, size, name = struct.unpack("<ii8s", data[at + 16 * index : at + 16 * index + 16])
        yield name.rstrip(b"\0").decode("latin1"), data[start : start + size]


@lru_cache(maxsize=1)
def freedoom_songs() -> tuple[Song, ...]:
    """All different songs of freedoom that have one tempo; none without the package.  [any]"""
    found: dict[bytes, str] = {}
    for wad in WADS:
        if wad.is_file():
            for name, data in lumps_of(wad):
                if name.startswith("D_") and data[:4] == b"MThd":
                    found.setdefault(data, f"{wad.stem} {name}")
    songs = [read_midi(data, name) for data, name in found.items()]
    return tuple(song for song in songs if song is not None)


def read_midi(data: bytes, name: str) -> Song | None:
    """A MIDI file's notes; None for one whose tempo changes on the way, or with hardly any notes."""
    import mido

    file = mido.MidiFile(file=io.BytesIO(data))
    tempos: list[tuple[float, int]] = []
    programs: dict[int, int] = {}
    begun: dict[tuple[int, int], tuple[float, int]] = {}
    notes: dict[int, list[Note]] = {}
    at = 0
    for message in mido.merge_tracks(file.tracks):
        at += message.time
        beat = at / file.ticks_per_beat
        if message.type == "set_tempo":
            tempos.append((beat, message.tempo))
        elif message.type == "program_change":
            programs.setdefault(message.channel, message.program)
        elif message.type in ("note_on", "note_off"):
            place = (message.channel, message.note)
            if place in begun:
                start, velocity = begun.pop(place)
                stem = "drums" if message.channel == 9 else "melody"
                length = max(0.05, min(8.0, beat - start))
                notes.setdefault(message.channel, []).append(Note(stem, start, length, message.note, velocity))
            if message.type == "note_on" and message.velocity:
                begun[place] = (beat, message.velocity)
    if (
        any(when > 0.5 and tempo != tempos[0][1] for when, tempo in tempos)
        or sum(len(each) for each in notes.values()) < 100
    ):
        return None
    bpm = 60e6 / (tempos[-1][1] if tempos else 500000)
    if bpm > 180.0:
        return None
    starts = np.array([note.start_beats for each in notes.values() for note in each])
    on_grid = float(np.mean(np.abs(starts * 4 - np.round(starts * 4)) < 0.12)) >= ON_GRID and bpm >= 60.0
    beats = float(max(note.start_beats + note.length_beats for each in notes.values() for note in each))
    return Song(name, bpm, {c: tuple(n) for c, n in notes.items()}, programs, on_grid, beats)


def song_stems(song: Song, rng: random.Random, seconds: float) -> tuple[list[Stem], float, int]:
    """A stretch of a song from a bar line on, played on instruments of ours: stems, tempo, semitones it was moved."""
    bpm = song.bpm * rng.uniform(0.88, 1.12)
    shift, length = rng.randint(-5, 6), seconds * bpm / 60.0
    start = 4.0 * rng.randrange(max(1, int((song.beats - length) // 4) + 1))
    n, font, stems = int(seconds * SAMPLE_RATE_HZ), rng.choice(soundfonts()), []
    for channel, notes in song.notes.items():
        drum = channel == 9
        inside = [note for note in notes if start - 1e-3 <= note.start_beats < start + length]
        moved = 0 if drum else shift
        part = [replace(note, start_beats=note.start_beats - start, key=note.key + moved) for note in inside]
        part = [note for note in part if 20 <= note.key <= 108]
        if len(part) < 8:
            continue
        program = song.programs.get(channel, 0)
        low = np.median([note.key for note in part]) < 46
        kind = "drums" if drum else instrument_of("bass" if low else "", program)
        ours, synthesised = OUR_STEM[kind], False
        if drum:
            audio = drums(rng, part, bpm, font, n)
        else:
            audio, synthesised = pitched(rng, ours, part, bpm, program, n)
        onsets = np.array(sorted(note.start_beats for note in part)) * (60.0 / bpm)
        word = {"lead": "synth"}.get(kind, kind) if synthesised or drum else word_for(program)
        stems.append(Stem(ours, kind, word, finish(rng, ours, audio, bpm), onsets))
    return stems, bpm, shift


@lru_cache(maxsize=8)
def _recording(path: Path) -> Audio:
    import soundfile

    audio, rate = soundfile.read(path, dtype="float32", always_2d=True)
    return resample_poly(audio.mean(axis=1), SAMPLE_RATE_HZ, rate).astype(np.float32)


def sectoid_songs() -> list[Path]:
    """Folders of the recorded songs; none without the package.  [any]"""
    return sorted(path.parent for path in SECTOID.glob("*/guitar.ogg"))


def recorded_stems(folder: Path, rng: random.Random, seconds: float) -> list[Stem]:
    """A stretch of a recorded song: its guitar, and the band without it (which counts as drums and bass)."""
    guitar, band = _recording(folder / "guitar.ogg"), _recording(folder / "song.ogg")
    n = int(seconds * SAMPLE_RATE_HZ)
    start = rng.randrange(max(1, min(len(guitar), len(band)) - n))
    return [Stem("melody", "guitar", "electric guitar", guitar[start : start + n]),
            Stem("drums", "drums", "band", band[start : start + n])]  # fmt: skip


def loop_stem(rng: random.Random, bpm: float, n_samples: int) -> Stem:
    """A CC0 drum loop at a tempo (its pitch goes with it), some of its eighths in another order.  [any]"""
    name, beats = rng.choice(LOOPS)
    loop = read_sample(name)
    count = int(beats * 60.0 / bpm * SAMPLE_RATE_HZ)
    while count > 1.5 * len(loop):
        count //= 2
    while count < 0.67 * len(loop):
        count *= 2
    loop = np.interp(np.linspace(0, len(loop) - 1, count), np.arange(len(loop)), loop).astype(np.float32)
    slices = np.array_split(loop, beats * 2)
    out: list[Audio] = []
    cut = rng.random() < 0.5
    while sum(map(len, out)) < n_samples:
        order = list(range(len(slices)))
        if cut and rng.random() < 0.7:
            order[rng.randrange(len(order))] = rng.randrange(len(order))
        out += [slices[index] for index in order]
    return Stem("drums", "drums", "drum loop", finish(rng, "drums", np.concatenate(out)[:n_samples], bpm))
