"""The rules of a region's tempo: names, files, lengths and detection, and which of them counts."""

from __future__ import annotations

import os
import random
import struct
from pathlib import Path

import pytest

from bridge.region.file_tempo import TempoSource, said_in
from bridge.region.tempo import counted_bpm, own_tempo, simple_ratio, speed_to, with_detected

FOUR = 4.0


def seconds(beats: float, bpm: float) -> float:
    return beats * 60 / bpm


# -- names --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "bpm"),
    [
        ("128bpm", 128), ("house-124bpm", 124), ("My Riff 97.5 BPM", 97.5), ("BPM128", 128), ("04_BPM128_3bars", 128),
        ("bpm_128 loop", 128), ("92,5bpm", 92.5), ("riff.92bpm", 92), ("Drums_128_Am", 128), ("Bass F# min 174", 174),
        ("loop 90 BPM 4 bars", 90), ("tempo=90", 90), ("20 BPM 128", 128), ("Riff (128 bpm) v2", 128),
        ("song128bpmmix", 128),
        ("\uff22\uff30\uff2d\uff11\uff12\uff18", 128),  # full-width digits, as on Japanese systems
    ],
)  # fmt: skip
def test_tempo_in_a_name(name: str, bpm: float) -> None:
    found = own_tempo(f"/x/{name}.wav", 7.77, FOUR)
    assert (found.bpm, found.how, found.open) == (bpm, "by its name", False)


@pytest.mark.parametrize(
    "name",
    ["riff", "song_2024", "5bpm", "take 12", "Bounce 101", "1.128bpm", "Part B 101", "Am", "v1.2", "90 or 120 Am"],
)
def test_names_that_say_no_tempo(name: str) -> None:
    assert own_tempo(f"/x/{name}.wav", 7.77, FOUR).open


def test_a_number_alone_is_a_tempo_where_the_file_is_bars_of_it() -> None:
    assert own_tempo("/x/Drums_120.wav", 8.0, FOUR).bpm == 120
    assert own_tempo("/x/Drums_120.wav", 8.0, FOUR).how == "by its name"
    assert own_tempo("/x/Drums_120.wav", 8.6, FOUR).open


# -- files --------------------------------------------------------------------------------------------


def chunk(name: bytes, body: bytes, order: str = "<", pad: bool = True) -> bytes:
    return name + struct.pack(order + "I", len(body)) + body + b"\0" * (len(body) % 2 * pad)


def wav(*chunks: bytes) -> bytes:
    return b"RIFF" + struct.pack("<I", 4 + sum(map(len, chunks))) + b"WAVE" + b"".join(chunks)


def acid(bpm: float, beats: int, flags: int = 0, denominator: int = 4) -> bytes:
    return chunk(b"acid", struct.pack("<IHHfIHHf", flags, 60, 0x8000, 0.0, beats, denominator, 4, bpm))


def comments(*texts: str) -> bytes:
    parts = [struct.pack("<I", len(text.encode())) + text.encode() for text in ("maker", *texts)]
    return parts[0] + struct.pack("<I", len(texts)) + b"".join(parts[1:])


def id3(version: int, name: bytes, text: bytes) -> bytes:
    body = b"\0" + text
    size = bytes((0, 0, 0, len(body))) if version > 2 else bytes((0, 0, len(body)))
    frame = name + size + (b"\0\0" if version > 2 else b"") + body
    return b"ID3" + bytes((version, 0, 0, 0, 0, 0, len(frame) + 10)) + frame + bytes(10)


DATA = chunk(b"data", bytes(64))
BEXT = b"a loop at 93.5 BPM".ljust(602, b"\0")
LOOP = struct.pack(">II", 1, 12) + bytes(76)
FLAC = b"fLaC" + bytes((0, 0, 0, 34)) + bytes(34) + bytes((0x84, 0, 0, 40)) + comments("title=x", "bpm=93.5")
CAF = b"caff" + struct.pack(">HH", 1, 0)
INFO = struct.pack(">I", 2) + b"artist\0x\0tempo\x0093.5\0"
BEATS = bytes.fromhex("29819273b5bf4aefb78d62d1ef90bb2c") + struct.pack(">I", 1) + b"beat count\x0012\0"


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("wav", wav(acid(93.5, 12), DATA)),
        ("wav", wav(DATA, acid(93.5, 0))),
        ("wav", wav(chunk(b"odd ", b"x", pad=False), DATA, acid(93.5, 12))),
        ("wav", wav(chunk(b"bext", BEXT), DATA)),
        ("wav", wav(DATA, chunk(b"iXML", b"<BWFXML><BPM> 93,5 </BPM></BWFXML>"))),
        ("wav", wav(DATA, chunk(b"id3 ", id3(3, b"TBPM", b"93.5")))),
        ("mp3", id3(4, b"TBPM", b"93.5")),
        ("mp3", id3(2, b"TBP", b"93.5")),
        ("flac", FLAC),
        ("ogg", b"OggS" + bytes(60) + b"\x03vorbis" + comments("TEMPO=93.5")),
        ("caf", CAF + b"info" + struct.pack(">q", len(INFO)) + INFO),
        ("caf", CAF + b"uuid" + struct.pack(">q", len(BEATS)) + BEATS),
        ("aif", b"FORM" + bytes(4) + b"AIFF" + chunk(b"basc", LOOP, ">")),
    ],
)
def test_tempo_in_a_file(tmp_path: Path, kind: str, data: bytes) -> None:
    path = tmp_path / f"x.{kind}"
    path.write_bytes(data)
    found = own_tempo(str(path), seconds(12, 93.5), FOUR, song_bpm=120.0)
    assert found.bpm == pytest.approx(93.5, abs=0.001)
    assert (found.doubt, found.open) == ("", False)
    assert found.how.startswith("by ")


def test_files_that_lie_or_are_cut_say_nothing_and_never_fail(tmp_path: Path) -> None:
    rng, path = random.Random(1), tmp_path / "x"
    whole = [wav(acid(93.5, 12), DATA), id3(4, b"TBPM", b"93"), FLAC, CAF + b"info" + struct.pack(">q", 999) + INFO]
    for data in whole:
        for _ in range(150):
            bent = bytearray(data[: rng.randrange(len(data) + 1)])
            for _ in range(rng.randrange(6)):
                if bent:
                    bent[rng.randrange(len(bent))] = rng.choice((0, 0xFF, 0x80, rng.randrange(256)))
            path.write_bytes(bytes(bent))
            assert own_tempo(str(path), 7.77, FOUR).bpm > 0
    os.mkfifo(tmp_path / "pipe")
    assert said_in(str(tmp_path / "pipe")) == said_in(str(tmp_path)) == said_in("/no/such/file") == ()


def test_beats_may_be_notes_of_the_signature(tmp_path: Path) -> None:
    """Seven eighths are 3.5 quarter notes, as in Segue's own takes."""
    path = tmp_path / "x.wav"
    path.write_bytes(wav(acid(137.5, 7, denominator=8), DATA))
    found = own_tempo(str(path), seconds(3.5, 137.5), 3.5)
    assert (found.bpm, found.doubt) == (137.5, "")


def test_a_one_shot_that_says_120_by_habit_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "hit.wav"
    path.write_bytes(wav(acid(120, 0, flags=1), DATA))
    assert own_tempo(str(path), 7.77, FOUR).open


# -- contradictions -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "song", "bpm"),
    [
        ("x", 0.0, 96.0),  # 8 beats are two bars; at 120 it would be two and a half
        ("x 120bpm", 0.0, 120.0),
        ("x", 120.0, 120.0),
        ("x 96bpm", 120.0, 96.0),
    ],
)
def test_tempo_and_beats_that_do_not_fit_are_reported(tmp_path: Path, name: str, song: float, bpm: float) -> None:
    path = tmp_path / f"{name}.wav"
    path.write_bytes(wav(acid(120, 8), DATA))
    found = own_tempo(str(path), 5.0, FOUR, song)
    assert found.bpm == bpm
    assert found.sure == 0.5
    assert "says 120 bpm, and 8 beats, which in 5 s are 96 bpm" in found.words


def test_a_name_is_held_against_tempos_not_against_words(tmp_path: Path) -> None:
    """A count of 100 beats is not a tempo of 100."""
    path = tmp_path / "x 100bpm.wav"
    path.write_bytes(wav(acid(120, 100), DATA))
    found = own_tempo(str(path), 62.5, FOUR)
    assert found.clash == pytest.approx((120.0, 96.0))
    assert found.doubt.endswith("and 100 beats, which in 62.5 s are 96 bpm; its name says 100")


def test_the_most_trustworthy_place_in_a_file_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "x.wav"
    chunks = chunk(b"bext", BEXT), chunk(b"id3 ", id3(3, b"TBPM", b"90")), chunk(b"iXML", b"<BPM>91</BPM>"), acid(92, 0)
    path.write_bytes(wav(DATA, *chunks))
    assert [said.source for said in said_in(str(path))] == [
        TempoSource.ACID,
        TempoSource.IXML,
        TempoSource.TAGS,
        TempoSource.BEXT,
    ]


def test_a_name_that_says_another_tempo_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "x 100bpm.wav"
    path.write_bytes(wav(acid(93.5, 12), DATA))
    found = own_tempo(str(path), seconds(12, 93.5), FOUR)
    assert (found.bpm, found.doubt) == (93.5, "its name says 100")
    assert own_tempo(str(path), seconds(12, 93.5), FOUR, given_bpm=100.0).words == (
        "100 bpm (as given, sure 1); but by its acid chunk it is 93.5"
    )


def test_a_name_that_only_the_song_fits_is_reported() -> None:
    found = own_tempo("/x/riff 110bpm.wav", seconds(16, 120) + 0.001, FOUR, 120.0)
    assert found.bpm == 110.0
    assert "whole bars at the song's 120" in found.words


# -- lengths ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bpm", [60, 70, 96, 128, 137.5, 174, 200])
@pytest.mark.parametrize("bars", [1, 3, 4, 5, 7])
def test_whole_bars_of_the_song_are_the_songs(bars: int, bpm: float) -> None:
    for behind in (-0.02, 0.0, 0.05):  # an inexact cut, an encoder's padding
        found = own_tempo("/x/riff.wav", seconds(4 * bars, bpm) + behind, FOUR, bpm)
        assert (found.bpm, found.open, found.sure) == (bpm, False, 0.9)


@pytest.mark.parametrize(("beats", "behind"), [(8, 0.4), (12, 0.25), (8, 0.5), (7, 0.0), (13, 0.05)])
def test_beats_and_tails_are_the_songs_unless_detection_knows_better(beats: int, behind: float) -> None:
    length = seconds(beats, 120) + behind
    found = own_tempo("/x/riff.wav", length, FOUR, 120.0)
    assert (found.bpm, found.open) == (120.0, True)
    assert with_detected(found, 0.0, 0.0, length, FOUR, 120.0).bpm == 120.0
    assert with_detected(found, 97.1, 0.9, length, FOUR, 120.0).bpm == 120.0  # no whole bars of that
    assert with_detected(found, 97.1, 0.9, length, FOUR, 120.0).doubt == "it was detected as 97.1"


def test_a_loop_of_another_tempo_that_looks_like_a_tail_is_detected() -> None:
    """Four bars at 100 are five at 128 and half a beat."""
    found = own_tempo("/x/riff.wav", 9.6, FOUR, 128.0)
    assert (found.bpm, found.sure) == (128.0, 0.6)
    assert with_detected(found, 100.02, 0.9, 9.6, FOUR, 128.0).bpm == 100.0


def test_without_song_and_detection_it_is_guessed_by_length_and_said_so() -> None:
    found = own_tempo("", 7.0, FOUR)
    assert (found.bpm, found.sure) == (137.143, 0.2)
    assert "a guess by its length, 4 bars" in found.words


# -- detection --------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [2, 1 / 2, 3 / 4, 4 / 3, 3 / 2, 2 / 3, 1 / 3, 3])
def test_no_simple_ratio_on_detection_alone(ratio: float) -> None:
    """Detection alone does not replace the song's tempo by a simple ratio of it."""
    length = seconds(13.7, 128)  # not whole beats at the song's tempo
    before = own_tempo("/x/riff.wav", length, FOUR, 128.0)
    found = with_detected(before, 128 * ratio * 1.002, 1.0, length, FOUR, 128.0)
    assert found.bpm == 128.0
    assert "a simple ratio" in found.words
    assert simple_ratio(128 * ratio, 128.0)


def test_a_simple_ratio_that_the_length_speaks_for_is_one() -> None:
    """Four bars at 96 are five bars and a third at 128."""
    before = own_tempo("/x/riff.wav", 10.0, FOUR, 128.0)
    assert with_detected(before, 96.04, 0.9, 10.0, FOUR, 128.0).bpm == 96.0


def test_what_is_detected_holds_where_nothing_else_speaks() -> None:
    """The detected tempo counts if no other rule gives one; without it the song's."""
    length = seconds(13.7, 128)
    before = own_tempo("/x/riff.wav", length, FOUR, 128.0)
    assert with_detected(before, 107.3, 0.7, length, FOUR, 128.0).words == "107.3 bpm (detected, sure 0.7)"
    assert with_detected(before, 0.0, 0.0, length, FOUR, 128.0).words == (
        "128 bpm (a guess: the song's, no beat was detected in it, sure 0.2)"
    )
    assert with_detected(before, 128.3, 0.7, length, FOUR, 128.0).bpm == 128.0
    alone = own_tempo("/x/riff.wav", length, FOUR)
    assert with_detected(alone, 119.93, 0.7, length, FOUR).bpm == 120.0  # within the error of detection
    assert with_detected(alone, 0.0, 0.0, length, FOUR).bpm == alone.bpm


@pytest.mark.parametrize(
    ("own", "song", "speed", "counted"),
    [(100, 120, 1.2, 100), (87, 174, 1.0, 174), (170, 85, 1.0, 85), (96, 174, 174 / 192, 192), (120, 120, 1.0, 120)],
)
def test_the_nearest_of_tempo_half_and_double(own: float, song: float, speed: float, counted: float) -> None:
    assert speed_to(own, song) == pytest.approx(speed)
    assert counted_bpm(own, song) == pytest.approx(counted)
