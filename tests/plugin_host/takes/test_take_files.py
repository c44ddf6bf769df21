"""Takes as files: read by independent readers, exact to the sample, with intact recipes."""

from __future__ import annotations

import hashlib
import io
import struct
import tracemalloc
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile
from wavinfo import WavInfoReader

from bridge.region.tempo import own_tempo
from bridge.time.transport import Grid
from bridge.time.units import Signature
from plugin_host.console.output import OutputError, put
from plugin_host.takes import chunks, names
from plugin_host.takes.errors import TakeError
from plugin_host.takes.finish import decoded, encoded, finish, looped, tail_samples
from plugin_host.takes.loudness import gain_db, measure
from plugin_host.takes.recipe import Recipe, UsedRegion, from_json, to_json
from plugin_host.takes.take import read_recipe, read_take, save_take, span_of
from plugin_host.takes.wave import read_chunks, wave_bytes

RATE = 48_000


def flac() -> bytes:
    memory = io.BytesIO()
    soundfile.write(memory, np.random.default_rng(1).normal(0, 0.1, 8000), 8000, "PCM_24", format="FLAC")
    return memory.getvalue()


FLAC = flac()
REGION = UsedRegion("continue", 137.5, 0.0, hashlib.sha256(FLAC).hexdigest(), FLAC, name="riff")
RECIPE = Recipe(
    bpm=137.5, bars=8, start_bar=4, prompt='warm "lofi" <piano> & more', seed=7, loop=True, key="F#m",
    values={"temperature": 0.9, "cfg": 2.5}, regions=(REGION,),
)  # fmt: skip
SHORT = replace(RECIPE, bars=1)


def music(recipe: Recipe, extra: int = 0) -> np.ndarray:
    """Noise of exactly the recipe's bars."""
    start, end = span_of(recipe)
    return np.random.default_rng(3).normal(0, 0.1, (end - start + extra, 2)).astype(np.float32)


def saved(folder: Path, recipe: Recipe, kind: str = "wav") -> Path:
    return save_take(folder, recipe, finish(music(recipe), recipe.rate_hz, recipe.loudness, recipe.bits), kind)


def test_wavinfo_reads_what_we_wrote(tmp_path: Path) -> None:
    path = saved(tmp_path, RECIPE)
    grid, info = Grid(RATE, 137.5), WavInfoReader(str(path))
    assert (info.fmt.sample_rate, info.fmt.channel_count, info.fmt.bits_per_sample) == (RATE, 2, 24)
    assert info.data.frame_count == grid.bar_start(12) - grid.bar_start(4)
    assert info.bext.version == 2
    assert info.bext.time_reference == grid.bar_start(4)
    assert info.bext.description.startswith('warm "lofi"')
    assert info.bext.originator.startswith("Segue")
    loudness = measure(music(RECIPE), RATE)
    assert info.bext.loudness_value == pytest.approx(loudness.lufs, abs=0.01)
    assert info.bext.max_true_peak == pytest.approx(loudness.true_peak_db, abs=0.01)
    cues = info.cues.to_dict()
    assert [cue["frame"] for cue in cues.values()] == [grid.bar_start(4 + n) - grid.bar_start(4) for n in range(8)]
    assert cues[1]["label"] == "bar 5"
    (loop,) = info.smpl.sample_loops
    assert (loop.start, loop.end) == (0, info.data.frame_count - 1)
    ixml = info.ixml
    assert (ixml.take, ixml.project) == ("7", "Segue")
    assert ixml.to_dict()["track_list"]


def test_acid_says_tempo_beats_meter_and_root(tmp_path: Path) -> None:
    recipe = replace(SHORT, signature=Signature(7, 8), loop=False)
    path = saved(tmp_path, recipe)
    body = read_chunks(path, frozenset((b"acid", b"smpl")))
    flags, root, _, _, beats, denominator, numerator, tempo = struct.unpack("<IHHfIHHf", body[b"acid"])
    assert (flags, root, beats, denominator, numerator, tempo) == (0x07, 66, 7, 8, 7, 137.5)
    assert own_tempo(str(path), recipe.seconds, 3.5, given_bpm=0.0).bpm == 137.5
    assert b"smpl" not in body, "only what loops says so"


@pytest.mark.parametrize("bits", [16, 24, 32])
def test_samples_come_back(tmp_path: Path, bits: int) -> None:
    recipe = replace(SHORT, bits=bits)
    path = saved(tmp_path, recipe)
    audio, rate = soundfile.read(path, dtype="float32")
    assert (rate, audio.shape) == (RATE, music(recipe).shape)
    assert np.abs(audio - music(recipe)).max() <= {16: 2.0 / 2**15, 24: 0.5001 / 2**23, 32: 0.0}[bits]
    assert soundfile.info(path).subtype == {16: "PCM_16", 24: "PCM_24", 32: "FLOAT"}[bits]
    assert np.array_equal(read_take(path).audio, audio)


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_recipe_comes_back(tmp_path: Path, kind: str) -> None:
    assert read_recipe(saved(tmp_path, SHORT, kind)) == SHORT
    take = read_take(saved(tmp_path, SHORT, kind))
    assert take.recipe == SHORT
    assert len(take.audio) == span_of(SHORT)[1] - span_of(SHORT)[0]


def test_recipe_survives_a_program_that_keeps_only_ixml(tmp_path: Path) -> None:
    kept = read_chunks(saved(tmp_path, SHORT), frozenset((b"fmt ", b"data", b"iXML")))
    put(tmp_path / "kept.wav", wave_bytes(sorted(kept.items(), reverse=True)))
    recipe = read_recipe(tmp_path / "kept.wav")
    assert recipe == replace(SHORT, regions=(replace(REGION, flac=b""),))


def test_region_of_megabytes_is_carried_by_both_kinds(tmp_path: Path) -> None:
    heavy = bytes(range(256)) * 16384
    recipe = replace(SHORT, regions=(replace(REGION, flac=heavy, sha256=hashlib.sha256(heavy).hexdigest()),))
    for kind in ("wav", "flac"):
        assert read_recipe(saved(tmp_path, recipe, kind)) == recipe


def test_lengths_do_not_drift(tmp_path: Path) -> None:
    """Takes of one bar each, laid end to end, are as long as one of all bars."""
    whole = span_of(Recipe(bpm=128.3, bars=999, signature=Signature(7, 8)))
    parts = [span_of(Recipe(bpm=128.3, bars=1, start_bar=bar, signature=Signature(7, 8))) for bar in range(999)]
    assert [end for _, end in parts[:-1]] == [start for start, _ in parts[1:]]
    assert (parts[0][0], parts[-1][1]) == whole
    with pytest.raises(ValueError, match="samples"):
        save_take(tmp_path, RECIPE, finish(music(RECIPE)[:-1], RATE, "off", 24))


def test_loop_wraps_cleanly() -> None:
    """A tone that does not fit its bars clicks if cut, but not with its tail crossfaded."""
    n, hz = 96_000, 440.3
    tone = np.sin(2 * np.pi * hz * np.arange(n + tail_samples(RATE)) / RATE).astype(np.float32)[:, None].repeat(2, 1)
    step = np.abs(np.diff(tone[:, 0])).max()
    cut, wrapped = tone[:n], looped(tone, n)
    assert abs(cut[0, 0] - cut[-1, 0]) > 3 * step
    assert len(wrapped) == n
    seam = np.concatenate([wrapped[-1000:, 0], wrapped[:4000, 0]])
    assert np.abs(np.diff(seam)).max() < 1.5 * step
    assert np.array_equal(wrapped[tail_samples(RATE) :], tone[tail_samples(RATE) : n])


def test_level_is_as_chosen() -> None:
    audio = music(SHORT) * 0.2
    for request, about in (("-20", lambda found: found.lufs + 20), ("peak", lambda found: found.true_peak_db + 1)):
        assert abs(about(finish(audio, RATE, request, 24).loudness)) < 0.05
    assert np.array_equal(finish(audio, RATE, "off", 24).audio, audio)
    held = finish(audio, RATE, "0", 24)
    assert held.loudness.true_peak_db < -0.9
    assert "over -1 dB peak" in held.note
    assert finish(audio * 0, RATE, "-14", 24).gain_db == 0
    with pytest.raises(ValueError, match="LUFS"):
        gain_db("9", measure(audio, RATE))


def test_clipping_is_counted_and_never_wraps_round() -> None:
    loud = music(SHORT) * 8
    assert finish(loud, RATE, "off", 24).clipped > 0
    assert finish(loud, RATE, "off", 32).clipped == 0
    for bits in (16, 24):
        again = decoded(encoded(loud, bits), bits, 2)
        assert (np.sign(again) == np.sign(loud))[np.abs(loud) > 1].all()


@pytest.mark.parametrize(
    ("prompt", "stem"),
    [
        ("Warm lofi: piano / ../etc?*", "warm-lofi-piano-etc"),
        ("Größe   café", "größe-café"),
        ("CON", "con-take"),
        ("com¹", "com1-take"),
        ("トランペット ソロ", "トランペット-ソロ"),
        ("हिन्दी", "हिन्दी"),
        ("cafe\u0301", "café"),
        ("\udcff\udcfe", "take"),
        ("🎹", "take"),
        ("語" * 200, "語" * 40),
        ("a" * 200, "a" * 48),
        ("..", "take"),
    ],
)
def test_names_are_safe_everywhere(prompt: str, stem: str) -> None:
    assert names.take_name(prompt, 92.5, "F#m", 7) == f"{stem}_92.5bpm_Fsharpm_seed7"


def test_names_are_never_taken_twice(tmp_path: Path) -> None:
    paths = [saved(tmp_path, replace(RECIPE, bars=1)) for _ in range(3)]
    assert [path.stem[-2:] for path in paths] == ["d7", "-2", "-3"]
    assert not list(tmp_path.glob(".segue*"))


def test_take_that_cannot_be_written_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("bridge.system.whole_file.os.write", full)
    with pytest.raises(OutputError, match="No space"):
        saved(tmp_path, replace(RECIPE, bars=1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["cut", "text", "chunk", "rate", "huge"])
def test_damaged_files_are_reported(tmp_path: Path, damage: str) -> None:
    path = saved(tmp_path, replace(RECIPE, bars=1))
    data = path.read_bytes()
    if damage == "cut":
        data = data[: data.index(b"segu") + 100]
    elif damage == "text":
        data = b"not a wave file at all"
    elif damage == "chunk":
        data = data[: data.index(b"data")] + struct.pack("<4sI", b"segu", 2**32 - 1)
    elif damage == "rate":
        data = data.replace(struct.pack("<I", RATE), struct.pack("<I", 44_100), 1)
    else:
        data = data.replace(b"segu", b"sego").replace(b"<SEGUE_RECIPE>", b"<SEGUE_RECIPF>")
    path.write_bytes(data)
    with pytest.raises(TakeError):
        read_take(path)


def test_json_is_small_without_its_audio() -> None:
    assert len(to_json(RECIPE, with_audio=False)) < 1000 < len(to_json(RECIPE))


def test_many_large_chunks_take_no_memory(tmp_path: Path) -> None:
    """A sparse file with forty recipes of 16 MB: only one is read, and it is not JSON."""
    path, size = tmp_path / "bomb.wav", 16 * 2**20
    with path.open("wb") as file:
        file.write(b"RIFF" + struct.pack("<I", 2**31) + b"WAVE")
        for _ in range(40):
            file.write(b"segu" + struct.pack("<I", size))
            file.seek(size, 1)
        file.truncate()
    tracemalloc.start()
    with pytest.raises(TakeError, match="recipe"):
        read_take(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * size


def test_a_recipe_of_brackets_or_digits_is_refused_unread() -> None:
    for text in ("[" + "[]," * 2**20 + "[]]", '{"segue_take": 1, "bpm": ' + "9" * 4290 + "}"):
        with pytest.raises(TakeError, match=r"brackets and commas|4290 digits"):
            from_json(text)


def test_a_take_with_far_more_music_than_its_recipe_is_refused(tmp_path: Path) -> None:
    found = saved(tmp_path, SHORT)
    chunks_found = dict(read_chunks(found, frozenset((b"segu", b"iXML"))))
    soundfile.write(found, np.zeros(200 * RATE, np.int16), RATE)
    with found.open("ab") as file:
        for name, body in chunks_found.items():
            file.write(name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2))
    with pytest.raises(TakeError, match="was changed since"):
        read_take(found)


def test_what_xml_cannot_hold_stays_out_of_ixml() -> None:
    form = (RATE, 2, 24)
    body = chunks.ixml({"SCENE": "a\x01\x1b", "FILE_UID": "n\udcff"}, {"KEY": "\ufffe"}, form, 0)
    assert ElementTree.fromstring(body).findtext("SCENE") == "a\ufffd\ufffd"
