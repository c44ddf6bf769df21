"""Regions: what is accepted, what is refused and with which message; from files and from chunks."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.control.clients import Client
from bridge.control.messages import CHUNK_BYTES, CHUNKS_MAX, ROLES
from bridge.errors import (
    Busy,
    RegionError,
    RegionFormat,
    RegionMissing,
    RegionNotAudio,
    RegionNotFinite,
    RegionSilent,
    RegionTooLong,
    RegionTooShort,
    RegionTransfer,
    RegionUnreadable,
)
from bridge.region.region import level_dbfs, make_region, mix_down
from bridge.region.region_file import FILE_BYTES_MAX, read_region
from bridge.region.transfer import (
    IDLE_SECONDS,
    TRANSFERS_PER_CLIENT,
    Form,
    Transfers,
    bytes_of,
    checksum,
    chunks_of,
    format_numbers,
    parse_numbers,
)
from bridge.time.units import Signature

CLIENT = Client("127.0.0.1", 5000)
Audio = np.ndarray


def music(seconds: float = 1.0, channels: int = 2, rate_hz: int = 48000) -> Audio:
    """Quiet noise [n, channels]."""
    noise = np.random.default_rng(1).standard_normal((int(seconds * rate_hz), channels))
    return (0.1 * noise).clip(-1, 1).astype(np.float32)


def read(path: Path | str) -> object:
    return read_region(str(path), "style", 120.0, 8.0)


# -- checks -------------------------------------------------------------------------------------------


def test_a_region_knows_its_place() -> None:
    region = make_region(music(2.0), 48000, "continue", 120.0, 8.0)
    assert (region.seconds, region.beats, region.end_beats, region.note) == (2.0, 4, 12, "")
    assert region.understood(Signature(7, 8)) == (2.0, 2, 48000, pytest.approx(8 / 7), "")
    assert make_region(music(1.0), 48000, "style", 120.1, 0.0).beats == Fraction(1201, 600)


@pytest.mark.parametrize("channels", range(1, 9))
@pytest.mark.parametrize("rate_hz", [8000, 44100, 192000])
def test_channels_and_rates_that_are_taken(channels: int, rate_hz: int) -> None:
    region = make_region(music(0.5, channels, rate_hz), rate_hz, "melody", 120.0, 0.0)
    assert region.audio.shape == (rate_hz // 2, min(channels, 2))
    assert (f"{channels} channels mixed to stereo" in region.note) == (channels > 2)


def test_mixing_down_averages_odd_and_even_channels() -> None:
    audio = np.array([[0.1, 0.2, 0.3, 0.4, 0.5]], np.float32)
    mixed, note = mix_down(audio)
    np.testing.assert_allclose(mixed, [[0.3, 0.3]], rtol=1e-6)
    assert note == "5 channels mixed to stereo: 1+3+5 left, 2+4 right"


@pytest.mark.parametrize(
    ("n_samples", "channels", "rate_hz", "kind", "words"),
    [
        (0, 2, 48000, RegionTooShort, "empty"),
        (23_999, 2, 48000, RegionTooShort, "0.5 s"),
        (48000, 9, 48000, RegionFormat, "9 channels"),
        (48000, 0, 48000, RegionFormat, "0 channels"),
        (48000, 2, 7999, RegionFormat, "7999 Hz"),
        (384_001, 2, 192_001, RegionFormat, "192001 Hz"),
        (1800 * 8000, 1, 8000, RegionTooLong, "30:00 min, may last 10:00 min"),
        (301 * 96_000, 2, 96_000, RegionTooLong, "5:01 min, may last 5:00 min"),
    ],
)
def test_shapes_that_are_refused(n_samples: int, channels: int, rate_hz: int, kind: type, words: str) -> None:
    flat = np.broadcast_to(np.float32(0.1), (n_samples, channels))
    with pytest.raises(kind, match=words):
        make_region(flat, rate_hz, "style", 120.0, 0.0)


@pytest.mark.parametrize(("value", "word"), [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity")])
def test_the_first_value_that_is_not_finite_is_named(value: float, word: str) -> None:
    audio = music()
    audio[24_000, 1] = audio[30_000, 0] = value
    with pytest.raises(RegionNotFinite, match=f"{word} at 0.500 s .sample 24000, channel 2., 2 such"):
        make_region(audio, 48000, "style", 120.0, 0.0)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("level", "shown"), [(0.0, "-inf"), (1e-4, "-80"), (10 ** (-70.1 / 20), "-70")])
def test_silence_is_refused_with_its_level(role: str, level: float, shown: str) -> None:
    audio = np.full((48000, 2), level, np.float32)
    with pytest.raises(RegionSilent, match=f"{shown} dBFS"):
        make_region(audio, 48000, role, 120.0, 0.0)


def test_quiet_music_is_not_silence() -> None:
    assert level_dbfs(music() * 10 ** (-45 / 20)) == pytest.approx(-65, abs=0.2)
    make_region(music() * np.float32(10 ** (-45 / 20)), 48000, "style", 120.0, 0.0)


@pytest.mark.parametrize("factor", [32768.0, 1e38])
def test_numbers_on_the_wrong_scale_are_scaled_and_said(factor: float) -> None:
    region = make_region(music() * np.float32(factor), 48000, "style", 120.0, 0.0)
    assert np.abs(region.audio).max() == pytest.approx(1.0)
    assert "scaled down" in region.note


# -- files --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["wav", "flac", "aiff", "ogg", "mp3"])
def test_files_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    soundfile.write(path, music(), 48000)
    region = read_region(str(path), "melody", 120.0, 8.0)
    assert (region.audio.shape, region.rate_hz, region.role, region.start_beats) == (
        (48000, 2),
        48000,
        "melody",
        8.0,
    )
    if kind in ("wav", "flac", "aiff"):
        np.testing.assert_allclose(region.audio, music(), atol=2 / 32768)


def test_float_files_come_through_exactly(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", music(), 48000, subtype="FLOAT")
    np.testing.assert_array_equal(read_region(str(tmp_path / "a.wav"), "style", 120.0, 0.0).audio, music())


def test_what_is_not_a_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(str(tmp_path / "socket"))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refusals = {
        tmp_path / "pipe": "a pipe",
        tmp_path: "a folder",
        tmp_path / "socket": "a socket",
        "/dev/zero": "a device",
        tmp_path / "nothing.wav": "No such file",
        tmp_path / "loop": "cannot be opened",
        "riff.wav": "not an absolute path",
        "/" + "x" * 5000: "cannot be opened",
        "/a\0b": "cannot be opened",
        "": "not an absolute path",
    }
    for path, words in refusals.items():
        with pytest.raises(RegionMissing, match=words):
            read(path)
    bound.close()


def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may read everything")
    soundfile.write(tmp_path / "a.wav", music(), 48000)
    (tmp_path / "a.wav").chmod(0)
    with pytest.raises(RegionUnreadable, match="permission"):
        read(tmp_path / "a.wav")


def test_empty_files_and_files_that_are_no_audio(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(RegionTooShort, match="empty"):
        read(tmp_path / "empty.wav")
    soundfile.write(tmp_path / "header.wav", music()[:0], 48000)
    with pytest.raises(RegionTooShort, match="empty"):
        read(tmp_path / "header.wav")
    for name, data in (("a.wav", b"hello" * 1000), ("a.raw", os.urandom(4000)), ("a.mp3", b"\xff\xfb" * 99)):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(RegionNotAudio, match=name):
            read(tmp_path / name)


def test_a_huge_file_is_refused_by_its_size(tmp_path: Path) -> None:
    with open(tmp_path / "a.wav", "wb") as file:
        file.truncate(FILE_BYTES_MAX + 1)  # sparse
    with pytest.raises(RegionTooLong, match="GB"):
        read(tmp_path / "a.wav")


def test_half_an_hour_is_refused_before_it_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros(1800 * 8000, np.int16), 8000)
    with pytest.raises(RegionTooLong, match="30:00 min"):
        read(tmp_path / "a.flac")


def test_a_file_cut_short_says_so(tmp_path: Path) -> None:
    for kind in ("wav", "aiff", "flac"):
        path = tmp_path / f"a.{kind}"
        soundfile.write(path, music(2.0), 48000)
        path.write_bytes(path.read_bytes()[: path.stat().st_size * 3 // 4])
        if kind == "flac":
            with pytest.raises(RegionUnreadable):
                read(path)
        else:
            assert "cut short" in read_region(str(path), "style", 120.0, 0.0).note


def test_damaged_files_are_refused_or_read_and_leave_nothing_open(tmp_path: Path) -> None:
    rng = random.Random(3)
    path = tmp_path / "a.wav"
    soundfile.write(path, music(0.6, rate_hz=16000), 16000)
    whole = path.read_bytes()
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    for _ in range(400):
        damaged = bytearray(whole[: rng.randrange(1, len(whole))] if rng.random() < 0.3 else whole)
        for _ in range(rng.randrange(1, 5)):
            damaged[rng.randrange(min(len(damaged), 60))] = rng.randrange(256)
        path.write_bytes(damaged)
        with contextlib.suppress(RegionError):  # anything else fails the test
            read(path)
    if before:
        assert len(os.listdir("/proc/self/fd")) == before


# -- chunks -------------------------------------------------------------------------------------------


def form_of(audio: Audio, encoding: str = "s16", rate_hz: int = 48000) -> Form:
    return Form(0, "style", len(audio), audio.shape[1], rate_hz, encoding, 120.0, 0.0)


@pytest.mark.parametrize("encoding", ["s16", "f32"])
@pytest.mark.parametrize("channels", [1, 2, 7])
def test_chunks_in_any_order_doubled_and_dropped(encoding: str, channels: int) -> None:
    rng = random.Random(channels)
    audio = music(0.53, channels, 16000)
    data = bytes_of(audio, encoding)
    chunks = chunks_of(data)
    transfers = Transfers()
    form = form_of(audio, encoding, 16000)
    assert transfers.begin(CLIENT, 7, form, 0.0).form.chunks == len(chunks)
    wanted = list(range(len(chunks)))
    rounds = 0
    while wanted:
        rng.shuffle(wanted)
        for chunk in wanted:
            for _ in range(rng.choice([0, 1, 1, 2])):
                transfers.chunk(CLIENT, 7, chunk, chunks[chunk], 1.0)
        wanted = transfers.finish(CLIENT, 7, checksum(data)).missing() if len(wanted) else []
        rounds += 1
        if not wanted:
            break
    assert rounds > 1
    with pytest.raises(RegionTransfer, match="not begun"):
        transfers.get(CLIENT, 7)


@pytest.mark.parametrize(("encoding", "tolerance"), [("s16", 0.6 / 32768), ("f32", 0.0)])
def test_the_region_that_comes_out_is_the_one_that_went_in(encoding: str, tolerance: float) -> None:
    audio = music(0.7, 2, 44100)
    transfers = Transfers()
    data = bytes_of(audio, encoding)
    transfers.begin(CLIENT, 1, form_of(audio, encoding, 44100), 0.0)
    for number, chunk in enumerate(chunks_of(data)):
        transfers.chunk(CLIENT, 1, number, chunk, 0.0)
    region = transfers.finish(CLIENT, 1, checksum(data).upper()).region()
    assert region.rate_hz == 44100
    assert region.role == "style"
    assert np.abs(region.audio - audio).max() <= tolerance


def test_full_scale_is_clipped_and_not_wrapped() -> None:
    data = bytes_of(np.array([[1.0], [-1.0], [2.0], [-2.0]], np.float32), "s16")
    assert np.frombuffer(data, "<i2").tolist() == [32767, -32768, 32767, -32768]


def test_chunks_that_do_not_fit() -> None:
    audio = music(0.53, 1, 16000)
    chunks = chunks_of(bytes_of(audio, "s16"))
    transfers = Transfers()
    with pytest.raises(RegionTransfer, match="not begun"):
        transfers.chunk(CLIENT, 1, 0, chunks[0], 0.0)
    transfers.begin(CLIENT, 1, form_of(audio, rate_hz=16000), 0.0)
    for chunk, text in (
        (len(chunks), chunks[0]),
        (0, chunks[0][:-4]),
        (0, ""),
        (0, "!" * len(chunks[0])),
        (0, chunks[0][:-1]),
        (0, "ü" * len(chunks[0])),
        (len(chunks) - 1, chunks[0]),
    ):
        with pytest.raises(RegionTransfer):
            transfers.chunk(CLIENT, 1, chunk, text, 0.0)
    with pytest.raises(RegionTransfer):
        transfers.chunk(Client("127.0.0.1", 5001), 1, 0, chunks[0], 0.0)  # another client's
    assert len(transfers.get(CLIENT, 1).missing()) == len(chunks)


def test_a_wrong_checksum_asks_for_everything_again() -> None:
    audio = music(0.53, 1, 16000)
    data = bytes_of(audio, "s16")
    transfers = Transfers()
    transfers.begin(CLIENT, 1, form_of(audio, rate_hz=16000), 0.0)
    for attempt in range(2):
        for number, chunk in enumerate(chunks_of(data)):
            transfers.chunk(CLIENT, 1, number, chunk, 0.0)
        if attempt == 0:
            with pytest.raises(RegionTransfer, match="checksum"):
                transfers.finish(CLIENT, 1, "00000000")
            assert len(transfers.get(CLIENT, 1).missing()) == len(chunks_of(data))
    transfers.finish(CLIENT, 1, checksum(data))


def test_a_transfer_is_begun_once_and_begun_anew_with_another_form() -> None:
    audio = music(0.53, 1, 16000)
    transfers = Transfers()
    first = transfers.begin(CLIENT, 1, form_of(audio, rate_hz=16000), 0.0)
    transfers.chunk(CLIENT, 1, 0, chunks_of(bytes_of(audio, "s16"))[0], 0.0)
    assert transfers.begin(CLIENT, 1, form_of(audio, rate_hz=16000), 1.0) is first
    assert transfers.begin(CLIENT, 1, form_of(audio, "f32", 16000), 1.0) is not first


def test_transfers_are_limited_and_forgotten() -> None:
    form = Form(0, "style", 48000, 2, 48000, "s16", 120.0, 0.0)
    transfers = Transfers()
    for number in range(TRANSFERS_PER_CLIENT):
        transfers.begin(CLIENT, number, form, 0.0)
    with pytest.raises(Busy):
        transfers.begin(CLIENT, 99, form, 1.0)
    transfers.begin(CLIENT, 99, form, IDLE_SECONDS + 0.1)
    transfers.forget(CLIENT)
    with pytest.raises(RegionTransfer):
        transfers.get(CLIENT, 99)
    large = Form(0, "style", 14_000_000, 2, 48000, "s16", 120.0, 0.0)
    transfers.begin(CLIENT, 1, large, 0.0)
    transfers.begin(CLIENT, 2, large, 0.0)
    with pytest.raises(Busy, match="MB"):
        transfers.begin(CLIENT, 3, large, 0.0)


def test_shapes_are_refused_before_anything_is_sent() -> None:
    transfers = Transfers()
    with pytest.raises(RegionTooShort):
        transfers.begin(CLIENT, 1, Form(0, "style", 100, 2, 48000, "s16", 120.0, 0.0), 0.0)
    with pytest.raises(RegionTooLong, match="go in chunks"):
        transfers.begin(CLIENT, 1, Form(0, "style", 16_000_000, 2, 48000, "s16", 120.0, 0.0), 0.0)
    with pytest.raises(RegionFormat):
        transfers.begin(CLIENT, 1, Form(0, "style", 48000, 2, 48000, "s24", 120.0, 0.0), 0.0)


@given(st.sets(st.integers(0, CHUNKS_MAX - 1), max_size=60))
def test_lists_of_numbers_there_and_back(numbers: set[int]) -> None:
    assert parse_numbers(format_numbers(sorted(numbers))) == sorted(numbers)


@settings(max_examples=15)
@given(st.sets(st.integers(0, CHUNKS_MAX - 1), min_size=300, max_size=400))
def test_long_lists_are_cut_between_numbers(numbers: set[int]) -> None:
    text = format_numbers(sorted(numbers))
    assert len(text) <= 800
    some = parse_numbers(text)
    assert some
    assert some == sorted(numbers)[: len(some)]


@pytest.mark.parametrize("text", ["x", "5-3", "-3", "1-99999", "1--2", "1,2", "70000"])
def test_texts_that_are_no_lists(text: str) -> None:
    with pytest.raises(ValueError):
        parse_numbers(text)


def test_a_chunk_is_full_but_for_the_last() -> None:
    chunks = chunks_of(bytes(2 * CHUNK_BYTES + 5))
    assert [len(chunk) for chunk in chunks] == [1280, 1280, 8]


def test_the_checks_of_long_music_take_no_memory_to_speak_of() -> None:
    audio = np.tile(music(1.0), (120, 1))
    tracemalloc.start()
    make_region(audio, 48000, "style", 120.0, 0.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < audio.nbytes / 4
    audio[-1] = np.nan
    with pytest.raises(RegionNotFinite, match=r"120\.000 s .sample 5759999"):
        make_region(audio, 48000, "style", 120.0, 0.0)
