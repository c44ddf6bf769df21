"""Notes to melodies: .mid files as they are found, what is played, and the tones that they become."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path

import mido
import numpy as np
import pytest

from bridge.time.units import Signature
from plugin_host.jam.listening.features import chroma
from plugin_host.midi.errors import MelodyError
from plugin_host.midi.melody import RATE_HZ, Melody, Note, read_melody, render
from plugin_host.midi.recording import NoteRecorder

SCALE = (60, 62, 64, 65, 67, 69, 71, 72)


def write(path: Path, *tracks: list[mido.Message], ticks: int = 480, kind: int = 1) -> Path:
    file = mido.MidiFile(ticks_per_beat=ticks, type=kind)
    file.tracks.extend(mido.MidiTrack(track) for track in tracks)
    file.save(path)
    return path


def tune(channel: int = 0, ticks: int = 480) -> list[mido.Message]:
    return [
        mido.Message(kind, note=pitch, velocity=velocity, time=time, channel=channel)
        for pitch in SCALE for kind, velocity, time in (("note_on", 90, 0), ("note_on", 0, ticks))
    ]  # fmt: skip


def test_a_file_is_its_notes_tempo_and_signature(tmp_path: Path) -> None:
    head = [mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(90)),
            mido.MetaMessage("time_signature", numerator=3, denominator=4)]  # fmt: skip
    drums = [mido.Message("note_on", note=36, channel=9), mido.Message("note_off", note=36, channel=9, time=99)]
    found = read_melody(write(tmp_path / "a.mid", head, tune(), drums))
    assert (round(found.bpm), found.signature, found.bars) == (90, Signature(3, 4), 3)
    assert [(note.beat, note.beats, note.pitch) for note in found.notes] == [(n, 1, p) for n, p in enumerate(SCALE)]


def test_what_is_held_ends_with_the_file_and_what_is_struck_again_ends_there(tmp_path: Path) -> None:
    struck = [mido.Message("note_on", note=60), mido.Message("note_on", note=60, time=480),
              mido.MetaMessage("end_of_track", time=960)]  # fmt: skip
    notes = read_melody(write(tmp_path / "a.mid", struck)).notes
    assert [(note.beat, note.beats) for note in notes] == [(0, 1), (1, 2)]


def test_files_that_are_no_melody_say_why(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole.mid", tune()).read_bytes()
    frames = bytearray(whole)
    frames[12:14] = b"\xe7\x28"  # 25 frames of 40
    cases = {
        "empty": (b"", "no MIDI file"), "text": (b"hello world, this is text", "no MIDI file"),
        "half": (whole[:40], "no MIDI file"), "frames": (bytes(frames), "film frames"),
    }  # fmt: skip
    for name, (data, said) in cases.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(MelodyError, match=said):
            read_melody(tmp_path / name)
    with pytest.raises(MelodyError, match="no notes but drums"):
        read_melody(write(tmp_path / "drums.mid", tune(channel=9)))
    with pytest.raises(MelodyError, match="cannot be read"):
        read_melody(tmp_path / "none.mid")


def test_damaged_files_raise_no_other_error(tmp_path: Path) -> None:
    whole, rng = write(tmp_path / "whole.mid", tune()).read_bytes(), random.Random(5)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(3):
            data[rng.randrange(len(data))] = rng.randrange(256)
        (tmp_path / "bad.mid").write_bytes(data)
        with contextlib.suppress(MelodyError):
            melody = read_melody(tmp_path / "bad.mid")
            if melody.bars < 8 or melody.bars > 10_000:  # long ones take long, and are no other case
                render(melody)


def test_the_tones_are_the_notes_at_any_tempo() -> None:
    melody = Melody(tuple(Note(n, 1.0, pitch) for n, pitch in enumerate(SCALE)), 120.0)
    for bpm in (0.0, 75.0):
        audio = render(melody, bpm)
        seconds = 60 / (bpm or 120.0)
        assert audio.shape == (round(8 * seconds * RATE_HZ), 1)
        assert float(np.abs(audio).max()) == pytest.approx(0.5)
        for n, pitch in enumerate(SCALE):
            middle = audio[round((n + 0.1) * seconds * RATE_HZ) : round((n + 0.9) * seconds * RATE_HZ)]
            assert int(np.argmax(chroma(middle, RATE_HZ).sum(axis=0))) == (pitch - 69) % 12  # from A on


def test_of_a_chord_the_highest_note_is_the_loudest() -> None:
    chord = Melody(tuple(Note(0.0, 4.0, pitch) for pitch in (48, 52, 55, 69)))
    assert int(np.argmax(chroma(render(chord), RATE_HZ).sum(axis=0))) == 0  # A


def test_a_melody_that_is_too_long_is_refused() -> None:
    with pytest.raises(MelodyError, match="minutes long, may be 10"):
        render(Melody((Note(0.0, 1e9, 60),)))


def test_played_notes_begin_with_the_first_one_and_end_with_the_bars() -> None:
    recorder = NoteRecorder(120.0, Signature(4, 4))
    recorder.begin(1, 3)
    on, off = mido.Message("note_on", note=60, velocity=70), mido.Message("note_off", note=60)
    recorder.take(off, 5.0)  # of a note before
    assert recorder.finish(100.0) is None
    recorder.take(on, 100.0)
    recorder.take(off, 100.5)
    recorder.take(mido.Message("note_on", note=64), 101.0)
    recorder.take(mido.Message("control_change"), 101.1)
    assert recorder.finish(101.9) is None
    found = recorder.finish(102.0)
    assert found is not None
    melody, lane = found
    assert (lane, melody.bars, recorder.on) == (3, 1, False)
    assert [(note.beat, note.beats, note.pitch) for note in melody.notes] == [(0.0, 1.0, 60), (2.0, 2.0, 64)]
