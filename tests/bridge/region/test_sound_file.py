"""Audio files with wrong headers, cut, damaged or of unsupported kinds: read, or refused with the reason."""

from __future__ import annotations

import io
import os
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.errors import RegionError, RegionNotAudio, RegionTooLong, RegionTooShort, RegionUnreadable
from bridge.region.region import make_region
from bridge.region.region_file import read_region
from bridge.region.sound_file import opened
from bridge.region.sound_repair import CUT_NOTE, ENDLESS_NOTE, UNPADDED_NOTE, Spliced

RATE = 16_000
MUSIC = (0.1 * np.random.default_rng(1).standard_normal((RATE, 2))).clip(-1, 1).astype(np.float32)
BIG, LITTLE = ">", "<"


def file_of(kind: str, subtype: str = "PCM_16") -> bytearray:
    memory = io.BytesIO()
    soundfile.write(memory, MUSIC, RATE, format=kind, subtype=None if kind in ("MP3", "OGG") else subtype)
    return bytearray(memory.getvalue())


def sized(kind: str, chunk: bytes, value: int, form: str) -> Callable[[], bytes]:
    """A file whose chunk has another size in its header."""

    def make() -> bytes:
        data = file_of(kind)
        at = data.index(chunk) + 4
        data[at : at + struct.calcsize(form)] = struct.pack(form, value)
        return bytes(data)

    return make


def died(value: int) -> Callable[[], bytes]:
    """A WAV file of a crashed recorder: neither size was written."""

    def make() -> bytes:
        data = bytearray(sized("WAV", b"data", value, "<I")())
        data[4:8] = struct.pack("<I", value)
        return bytes(data)

    return make


def flac_of_no_length() -> bytes:
    data = file_of("FLAC")
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    return bytes(data)


def sun_of_no_length() -> bytes:
    data = file_of("AU")
    data[8:12] = bytes(4)
    return bytes(data)


def rf64_of_no_length() -> bytes:
    data = file_of("RF64")
    at = data.index(b"ds64") + 8
    data[at : at + 24] = bytes(24)
    return bytes(data)


def unpadded(kind: str) -> Callable[[], bytes]:
    """A chunk of odd size without its padding byte, before the samples."""

    def make() -> bytes:
        data, order, chunk = file_of(kind), *((LITTLE, b"data") if kind == "WAV" else (BIG, b"SSND"))
        at = data.index(chunk)
        return bytes(data[:at] + b"note" + struct.pack(f"{order}I", 3) + b"abc" + data[at:])

    return make


LENGTHS = {
    "WAV, sizes 0": (died(0), ENDLESS_NOTE),
    "WAV, data 0": (sized("WAV", b"data", 0, "<I"), ENDLESS_NOTE),
    "WAV, sizes FFFFFFFF": (died(0xFFFFFFFF), ENDLESS_NOTE),
    "WAV, SoX to a pipe": (sized("WAV", b"data", 0x7FFFF000, "<I"), ENDLESS_NOTE),
    "RF64, sizes 0": (rf64_of_no_length, ENDLESS_NOTE),
    "AIFF, 0": (sized("AIFF", b"SSND", 0, ">I"), ENDLESS_NOTE),
    "AIFF, 8": (sized("AIFF", b"SSND", 8, ">I"), ENDLESS_NOTE),
    "AIFF, FFFFFFFF": (sized("AIFF", b"SSND", 0xFFFFFFFF, ">I"), ENDLESS_NOTE),
    "CAF, -1": (sized("CAF", b"data", -1, ">q"), ENDLESS_NOTE),
    "CAF, 0": (sized("CAF", b"data", 0, ">q"), ENDLESS_NOTE),
    "Sun, 0": (sun_of_no_length, ENDLESS_NOTE),
    "FLAC, 0": (flac_of_no_length, ENDLESS_NOTE),
    "WAV, unpadded": (unpadded("WAV"), UNPADDED_NOTE),
    "AIFF, unpadded": (unpadded("AIFF"), UNPADDED_NOTE),
    "WAV, more than is there": (sized("WAV", b"data", 1 << 20, "<I"), CUT_NOTE),
}  # fmt: skip


def read(path: Path, data: bytes | None = None):  # type: ignore[no-untyped-def]
    if data is not None:
        path.write_bytes(data)
    return read_region(str(path), "style", 120.0, 0.0)


@pytest.mark.parametrize("name", LENGTHS)
def test_wrong_lengths_are_read_to_the_end_and_said(tmp_path: Path, name: str) -> None:
    make, note = LENGTHS[name]
    region = read(tmp_path / "riff.wav", make())
    assert region.note == note
    np.testing.assert_allclose(region.audio, MUSIC, atol=1 / 32768)


@pytest.mark.parametrize("kind", ["WAV", "RF64", "AIFF", "CAF", "AU", "W64", "FLAC", "OGG", "MP3"])
def test_whole_files_have_no_note(tmp_path: Path, kind: str) -> None:
    assert read(tmp_path / "riff", bytes(file_of(kind))).note == ""


def test_a_riff_size_of_0_alone_is_no_fault(tmp_path: Path) -> None:
    data = file_of("WAV")
    data[4:8] = bytes(4)
    assert read(tmp_path / "riff.wav", bytes(data)).note == ""


def test_an_empty_file_with_chunks_behind_stays_empty(tmp_path: Path) -> None:
    data = file_of("WAV")
    at = data.index(b"data")
    empty = data[:at] + b"data" + bytes(4) + b"LIST" + struct.pack("<I", 4) + b"INFO"
    with pytest.raises(RegionTooShort, match="empty"):
        read(tmp_path / "riff.wav", bytes(empty))


@pytest.mark.parametrize("kind", ["CAF", "AU", "OGG"])
def test_cut_files_say_so(tmp_path: Path, kind: str) -> None:
    data = bytes(file_of(kind))
    region = read(tmp_path / "riff", data[: len(data) * 3 // 4])
    assert CUT_NOTE in region.note
    assert RATE / 2 < len(region.audio) < RATE


def test_a_stream_that_breaks_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    region = read(tmp_path / "riff.flac", flac_of_no_length()[:-1000])
    assert region.note == ENDLESS_NOTE
    assert 0.7 * RATE < len(region.audio) < RATE


def test_a_stream_without_a_length_may_not_be_endless(tmp_path: Path) -> None:
    memory = io.BytesIO()
    soundfile.write(memory, np.zeros(601 * 8000, np.int16), 8000, format="FLAC")
    data = bytearray(memory.getvalue())
    data[21] &= 0xF0
    data[22:26] = bytes(4)
    with pytest.raises(RegionTooLong, match="10:00 min"):
        read(tmp_path / "riff.flac", bytes(data))


def mp3_in_wav(tag: int = 0x55) -> bytes:
    stream = bytes(file_of("MP3"))
    form = struct.pack("<HHIIHHHHIHHH", tag, 2, RATE, 8000, 1, 0, 12, 1, 2, 288, 1, 1393)
    fact = b"fact" + struct.pack("<II", 4, RATE + 140)  # more than there are: MPEG padding
    body = b"WAVE" + b"fmt " + struct.pack("<I", len(form)) + form + fact
    body += b"data" + struct.pack("<I", len(stream)) + stream
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_mp3_inside_wav_is_the_mp3(tmp_path: Path) -> None:
    plain = read(tmp_path / "riff.mp3", bytes(file_of("MP3")))
    np.testing.assert_array_equal(read(tmp_path / "riff.wav", mp3_in_wav()).audio, plain.audio)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (mp3_in_wav(0x161), "a WAV file that holds WMA; WAV, FLAC, AIFF, OGG or MP3 can be read"),
        (mp3_in_wav(0x7777), "audio of format 0x7777"),
        (b"\0\0\0\x20ftypM4A " + bytes(400), "an MP4 or M4A file"),
        (b"\x1aE\xdf\xa3" + bytes(400), "Matroska"),
        (b"MThd" + bytes(400), "a MIDI file"),
        (b"RIFF\x90\x01\0\0AVI " + bytes(400), "a video file"),
    ],
)
def test_what_is_not_read_is_named(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(RegionNotAudio, match=words):
        read(tmp_path / "riff.wav", data)


def damaged_mp3(rng: random.Random) -> bytes:
    memory = io.BytesIO()
    soundfile.write(memory, np.tile(MUSIC, (8, 1)), RATE, format="MP3")
    data = bytearray(memory.getvalue())
    for _ in range(len(data) // 20):
        data[rng.randrange(200, len(data))] = rng.randrange(256)
    return bytes(data)


def test_damaged_mp3_prints_nothing_and_is_reported(tmp_path: Path) -> None:
    """The decoder prints a line on standard error for every frame; Segue reports it once, in the error or the note."""
    rng, output = random.Random(1), ""
    for number in range(3):
        (tmp_path / f"{number}.mp3").write_bytes(damaged_mp3(rng))
        code = (
            "import sys\nfrom bridge.errors import RegionError\nfrom bridge.region.region_file import read_region\n"
            "try: print(read_region(sys.argv[1], 'style', 120.0, 0.0).note)\n"
            "except RegionError as fault: print(fault)\n"
            "print('still there', file=sys.stderr)"
        )
        command = [sys.executable, "-c", code, str(tmp_path / f"{number}.mp3")]
        child = subprocess.run(command, cwd=Path(__file__).parents[3], capture_output=True, text=True, check=True)
        assert child.stderr == "still there\n"
        output += child.stdout
    assert "the file is damaged: its decoder complained" in output


def test_damage_leaves_standard_error_and_descriptors_alone(tmp_path: Path) -> None:
    folder = Path("/proc/self/fd")
    if not folder.exists():
        pytest.skip("needs /proc")
    path, rng = tmp_path / "riff.mp3", random.Random(2)
    before, error = len(os.listdir(folder)), os.fstat(2)
    for _ in range(5):
        with pytest.raises(RegionError):
            read(path, damaged_mp3(rng))
    assert len(os.listdir(folder)) == before
    assert os.fstat(2)[:3] == error[:3]


def test_changed_headers_are_read_or_refused(tmp_path: Path) -> None:
    """Files of every kind with changed header bytes: a region or a RegionError, nothing else; no file stays open."""
    rng, path, read_again = random.Random(7), tmp_path / "riff", 0
    for kind in ("WAV", "RF64", "AIFF", "CAF", "AU", "FLAC", "OGG"):
        whole = bytes(file_of(kind))
        for _ in range(60):
            data = bytearray(whole[: rng.randrange(1, len(whole))] if rng.random() < 0.3 else whole)
            for _ in range(rng.randrange(1, 4)):
                data[rng.randrange(min(len(data), 110))] = rng.choice([0, 255, rng.randrange(256)])
            try:
                read_again += bool(len(read(path, bytes(data)).audio))
            except RegionError:
                continue
    assert read_again > 50


def test_a_splice_reads_as_its_parts_do() -> None:
    inner = io.BytesIO(bytes(range(100)))
    file, want, rng = Spliced(b"head", inner, 20, 60), b"head" + bytes(range(20, 60)), random.Random(3)
    assert file.read() == want
    for _ in range(50):
        at, count = rng.randrange(60), rng.randrange(60)
        file.seek(at)
        assert file.read(count) == want[at : at + count]
    assert file.seek(-4, os.SEEK_END) == 40
    assert file.read() == want[-4:]


def test_a_file_object_without_a_descriptor_is_read() -> None:
    with opened(io.BytesIO(bytes(file_of("WAV")))) as sound:
        assert (sound.channels, sound.rate_hz, sound.n_samples) == (2, RATE, RATE)
        sound.skip(100)
        np.testing.assert_allclose(sound.read(50), MUSIC[100:150], atol=1 / 32768)
        assert len(sound.read()) == RATE - 150


def test_the_reader_and_the_checks_agree(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "riff.wav", MUSIC, RATE, subtype="FLOAT")
    np.testing.assert_array_equal(
        read(tmp_path / "riff.wav").audio, make_region(MUSIC, RATE, "style", 120.0, 0.0).audio
    )
    data = bytes(file_of("MP3"))
    with pytest.raises(RegionUnreadable, match="cut short"):
        read(tmp_path / "riff.mp3", data[: len(data) * 3 // 4])
