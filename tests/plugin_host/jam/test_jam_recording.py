"""What a jam records: readable at any moment, equal lengths, and a full disk stops it in one sentence."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from recording_player import BLOCK, CHANNELS, RATE_HZ, blocks

from plugin_host.console.output import OutputError
from plugin_host.jam.recording.journal import journal_line, read_journal
from plugin_host.jam.recording.recorder import JOURNAL, WAVES, JamRecorder
from plugin_host.jam.recording.repair import free_folder, repair
from plugin_host.jam.recording.wave_file import HEADER_BYTES, Disk, WaveFile, WaveForm, to_pcm
from plugin_host.takes.unfinished import missing_end

PLAYER = Path(__file__).with_name("recording_player.py")
JAMS = 50


def read(path: Path) -> np.ndarray:
    """A file as soundfile and as Python's own reader see it."""
    audio, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    with wave.open(str(path)) as file:
        form = (file.getframerate(), file.getnchannels(), file.getnframes(), file.getsampwidth())
        assert len(file.readframes(len(audio))) == 3 * audio.size
    assert form == (rate_hz, audio.shape[1], len(audio), 3)
    return audio


def check_played(folder: Path) -> int:
    """All three files are what was played from sample 0 on; returns their length."""
    audios = [read(folder / name) for name in WAVES]
    n = len(audios[0])
    captured, played = blocks(0, n)
    for audio, wanted in zip(audios, (captured, played, captured + played), strict=True):
        np.testing.assert_array_equal(audio, wanted)
        assert len(audio) == n
    return n


def played_to(recorder: JamRecorder, n_blocks: int, begin: int = 0) -> None:
    for number in range(begin, begin + n_blocks):
        recorder.add(number * BLOCK, *blocks(number * BLOCK))


def test_killed_at_any_moment_it_is_readable(tmp_path: Path) -> None:
    """50 jams, killed at random moments of their first second."""
    command = [sys.executable, str(PLAYER), str(tmp_path), str(JAMS), "19"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    killed = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(killed) == JAMS
    assert sum(jam["recorded"] > 0 for jam in killed) > JAMS // 2
    for jam in killed:
        folder = tmp_path / str(jam["jam"])
        if not (folder / JOURNAL).exists():
            assert jam["recorded"] == 0  # killed before there was a recording
            continue
        for name in WAVES:  # before any repair
            assert len(read(folder / name)) >= jam["recorded"]
            assert missing_end(folder / name) == "" or not jam["recorded"]
        said = repair(folder)
        assert str(folder) in said
        assert check_played(folder) >= jam["recorded"]
        lines = read_journal(folder / JOURNAL)
        assert (folder / JOURNAL).read_bytes().endswith(b"\n")
        assert lines[0]["kind"] == "recording"
        assert [line["sample"] for line in lines[1:-1]] == [4800 * n for n in range(len(lines) - 2)]
        assert lines[-1] == {"sample": len(read(folder / WAVES[0])), "beat": 0.0, "kind": "repaired",
                             "samples": len(read(folder / WAVES[0]))}  # fmt: skip
        assert repair(folder) == ""


def test_closed_recording_is_complete(tmp_path: Path) -> None:
    recorder = JamRecorder(tmp_path / "jam", RATE_HZ, CHANNELS)
    recorder.note("press", 96_000, np.float64(4.0), level=float("-inf"), bars=np.int64(4), what={"a": (1, object)})
    played_to(recorder, 101)
    found = recorder.close()
    assert (found.samples, found.lost_samples, found.fault) == (101 * BLOCK, 0, "")
    assert check_played(tmp_path / "jam") == 101 * BLOCK
    lines = read_journal(tmp_path / "jam" / JOURNAL)
    assert [line["kind"] for line in lines] == ["recording", "press", "closed"]
    assert lines[1] == {"sample": 96_000, "beat": 4.0, "kind": "press", "level": None, "bars": 4,
                        "what": {"a": [1, "<class 'object'>"]}}  # fmt: skip
    assert repair(tmp_path / "jam") == ""
    assert recorder.close() == found


@pytest.mark.parametrize("first_sample", [0, -960])
def test_gaps_and_repeats_keep_the_place(tmp_path: Path, first_sample: int) -> None:
    """What was left out is silent, what comes twice is kept once: sample n is session sample n."""
    recorder = JamRecorder(tmp_path, RATE_HZ, CHANNELS, first_sample=first_sample)
    for sample in (960, 960, 1200, 4800):
        recorder.add(sample, *blocks(sample))
    assert recorder.close().samples == 4800 + BLOCK - first_sample
    wanted = np.zeros((4800 + BLOCK - first_sample, CHANNELS), np.float32)
    for begin, end in ((960, 1680), (4800, 4800 + BLOCK)):
        wanted[begin - first_sample : end - first_sample] = blocks(begin, end - begin)[0]
    np.testing.assert_array_equal(read(tmp_path / "input.wav"), wanted)
    np.testing.assert_array_equal(read(tmp_path / "mix.wav"), -wanted)


class Stuck(Disk):
    """A disk that takes nothing for a while."""

    def __init__(self, wait: Callable[[], None]) -> None:
        self.wait = wait

    def write(self, handle: int, data: memoryview, at: int) -> int:
        self.wait()
        return super().write(handle, data, at)


def test_a_slow_disk_does_not_stop_the_music(tmp_path: Path) -> None:
    """More than the ring holds: its samples are silent, the ones after it lie in their place."""
    import threading

    free = threading.Event()
    recorder = JamRecorder(tmp_path, RATE_HZ, CHANNELS, disk=Stuck(lambda: free.wait(60) and None))
    held = 10 * RATE_HZ // BLOCK
    played_to(recorder, held + 7)
    assert recorder.lost_samples == 7 * BLOCK
    free.set()
    while recorder.recorded_samples < held * BLOCK:
        free.wait(0.01)
    played_to(recorder, 3, begin=held + 7)
    assert recorder.close().samples == (held + 10) * BLOCK
    audio = read(tmp_path / "input.wav")
    wanted = blocks(0, len(audio))[0]
    wanted[held * BLOCK : (held + 7) * BLOCK] = 0
    np.testing.assert_array_equal(audio, wanted)


def test_faster_than_real_time_nothing_is_lost(tmp_path: Path) -> None:
    recorder = JamRecorder(tmp_path, 8000, 1, waits=True)
    for number in range(60):  # a second each: six times what the ring holds
        recorder.add(8000 * number, *(each[:, :1] for each in blocks(8000 * number, 8000)))
    assert recorder.close().samples == 60 * 8000
    np.testing.assert_array_equal(read(tmp_path / "segue.wav")[:, 0], blocks(0, 60 * 8000)[1][:, 0])


# -- the disk is full ---------------------------------------------------------------------------------


class Full(Disk):
    """Fails at call number `at` of those that write, and from then on (`once`: only then)."""

    def __init__(self, at: int, once: bool, short: bool) -> None:
        self.at, self.once, self.short = at, once, short
        self.calls = 0

    def _count(self) -> bool:
        self.calls += 1
        return self.calls == self.at or (self.calls > self.at and not self.once)

    def _check(self) -> None:
        if self._count():
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def create(self, path: Path, data: bytes) -> None:
        self._check()
        super().create(path, data)

    def write(self, handle: int, data: memoryview, at: int) -> int:
        if self.short and self.calls == self.at - 2 and len(data) > 1:  # as much as there is room for, then an error
            self.calls += 1
            return super().write(handle, data[: len(data) // 2], at)
        self._check()
        return super().write(handle, data, at)

    def cut(self, handle: int, size: int) -> None:
        self._check()
        super().cut(handle, size)

    def sync(self, handle: int) -> None:
        self._check()
        super().sync(handle)


@pytest.mark.parametrize(("once", "short"), [(True, False), (False, False), (True, True)])
def test_an_error_at_every_call_in_turn(tmp_path: Path, once: bool, short: bool) -> None:
    """Each failing call stops the recording in one sentence; the music is not touched and the files stay readable."""
    for at in range(1, 200):
        folder, disk, said = tmp_path / str(at), Full(at, once, short), []
        try:
            recorder = JamRecorder(folder, RATE_HZ, CHANNELS, said.append, disk=disk)
        except OutputError as fault:
            refused = str(fault)
        else:
            refused = ""
        if refused:
            assert "No space left on device" in refused
            assert not list(folder.iterdir())
            continue
        played_to(recorder, 3)
        recorder.note("played", 0, 0.0)
        found = recorder.close()
        played_to(recorder, 3)  # goes on, and does not raise
        assert said == ([found.fault] if found.fault else [])
        if found.fault:
            assert "No space left on device" in found.fault
            assert "The music goes on" in found.fault
            if not once:
                repair(folder)
        n = check_played(folder)
        assert n in (0, 3 * BLOCK)
        for line in read_journal(folder / JOURNAL):
            assert line["kind"] in ("recording", "played", "stopped", "closed", "repaired")
        if disk.calls < at:
            return
    pytest.fail("it never stopped calling")


LIMITED = """
import resource, sys
from pathlib import Path
from recording_player import BLOCK, CHANNELS, RATE_HZ, blocks
from plugin_host.jam.recording.recorder import JamRecorder
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
recorder = JamRecorder(Path(sys.argv[1]), RATE_HZ, CHANNELS, print)
for number in range(1000):
    recorder.add(number * BLOCK, *blocks(number * BLOCK))
print(recorder.close().samples)
"""


def test_a_real_limit_of_the_system(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PLAYER.parent), *sys.path])}
    done = subprocess.run([sys.executable, "-c", LIMITED, str(tmp_path)], env=environment, capture_output=True,
                          text=True, check=True)  # fmt: skip
    said, samples = done.stdout.splitlines()
    assert "File too large" in said
    assert check_played(tmp_path) == int(samples)
    assert read_journal(tmp_path / JOURNAL)[-1]["kind"] == "stopped"


def test_a_recording_is_never_overwritten(tmp_path: Path) -> None:
    recorder = JamRecorder(tmp_path / "jam", RATE_HZ, CHANNELS)
    with pytest.raises(OutputError, match=r"already holds a recording \(input.wav\)"):
        JamRecorder(tmp_path / "jam", RATE_HZ, CHANNELS)
    assert free_folder(tmp_path / "jam") == (tmp_path / "jam-2", [])  # and what is being recorded is not repaired
    recorder.close()
    assert free_folder(tmp_path / "new") == (tmp_path / "new", [])


def test_the_next_jam_repairs_the_last(tmp_path: Path) -> None:
    folder = tmp_path / "jam"
    recorder = JamRecorder(folder, RATE_HZ, CHANNELS)
    played_to(recorder, 10)
    recorder.close()
    os.truncate(folder / "segue.wav", HEADER_BYTES + 6 * 7 * BLOCK + 5)
    lines = (folder / JOURNAL).read_bytes()
    (folder / JOURNAL).write_bytes(lines[: lines.rindex(b'"closed"')])
    assert free_folder(folder) == (
        tmp_path / "jam-2", [f"{folder}: the recording was cut off; 0:00.1 of it are kept"]
    )  # fmt: skip
    assert check_played(folder) == 7 * BLOCK
    assert [line["kind"] for line in read_journal(folder / JOURNAL)] == ["recording", "repaired"]


# -- the file -----------------------------------------------------------------------------------------


def test_above_4_gb(tmp_path: Path) -> None:
    """The header becomes RF64 with the write that passes 4 GB; the silence before it takes no room on the disk."""
    form = WaveForm(192_000, 2)
    file = WaveFile.create(tmp_path / "long.wav", form, Disk())
    pcm, _ = to_pcm(blocks(0)[0])
    file.append_silence(2**32 // form.frame_bytes - BLOCK - 20)
    file.append(pcm)
    file.count()
    assert soundfile.info(tmp_path / "long.wav").format == "WAV"
    read_size = soundfile.info(tmp_path / "long.wav").frames
    file.append(pcm)
    file.count()
    file.close()
    info = soundfile.info(tmp_path / "long.wav")
    assert (info.format, info.frames) == ("RF64", read_size + BLOCK)
    assert info.frames == 2**32 // 6 + BLOCK - 20
    audio, _ = soundfile.read(tmp_path / "long.wav", start=info.frames - 2 * BLOCK, dtype="float32")
    np.testing.assert_array_equal(audio, np.concatenate([blocks(0)[0]] * 2))
    assert missing_end(tmp_path / "long.wav") == ""
    again = WaveFile.reopen(tmp_path / "long.wav", Disk())
    assert (again.frames, again.written) == (info.frames, info.frames)
    again.close()


@pytest.mark.parametrize("frames", [0, 1, 2, 7])
@pytest.mark.parametrize("limit", [2**32 - 1, 10])
def test_odd_lengths_of_one_channel(tmp_path: Path, frames: int, limit: int) -> None:
    """A chunk of an odd number of bytes has one more."""
    path = tmp_path / "odd.wav"
    file = WaveFile.create(path, WaveForm(8000, 1, limit), Disk())
    values = blocks(1, frames + 3)[0][:, :1]
    file.append(to_pcm(values)[0])
    file.keep(frames)
    file.close()
    assert missing_end(path) == ""
    assert path.stat().st_size == HEADER_BYTES + 3 * frames + frames % 2
    audio, _ = soundfile.read(path, dtype="float32", always_2d=True)
    np.testing.assert_array_equal(audio, values[:frames])


def test_values_beyond_full_scale_are_counted() -> None:
    pcm, clipped = to_pcm(np.array([[1.0, -1.0], [1.5, -2.0], [np.nan, np.inf], [0.0, 2**-23]], np.float32))
    values = [int.from_bytes(pcm[at : at + 3], "little", signed=True) for at in range(0, len(pcm), 3)]
    top = 2**23
    assert values == [top - 1, -top, top - 1, -top, 0, top - 1, 0, 1]
    assert clipped == 3


def test_a_line_of_the_journal_is_one_line() -> None:
    line = journal_line("press", 1, 2.0, {"text": 'a\nb"\u2028\ud800', "sample": 7})
    assert line.count(b"\n") == 1
    assert json.loads(line) == {"sample": 7, "beat": 2.0, "kind": "press", "text": 'a\nb"\u2028\ud800'}
