"""Files of any name and kind in the watched folder: each gets its own takes or its own error."""

from __future__ import annotations

import io
import os
import threading
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from test_watch import RATE, WatchedEngine, engine, music, run, takes  # noqa: F401 - a fixture

from plugin_host.console.output import OutputError
from plugin_host.console.screen import Screen
from plugin_host.takes import jobs, names, watch
from plugin_host.takes.order import TakeOrder
from plugin_host.takes.place import TakeRegionRequest
from plugin_host.takes.take import read_take
from plugin_host.takes.unfinished import missing_end
from plugin_host.takes.watch import FolderWatch, WatchOptions

CLASHES = {
    "words": ["Loop 1.wav", "loop-1.wav", "LOOP_1.wav"],
    "letters": ["ギター.wav", "ドラム.wav", "Größe.wav", "Groe.wav"],
    "endings": ["riff.wav", "riff.flac", "riff.aif"],
    "case": ["Riff.wav", "RIFF.wav", "riff.WAV", "riff.wav"],
    "accents": [unicodedata.normalize("NFC", "café.wav"), unicodedata.normalize("NFD", "café.wav")],
    "reserved": ["CON.wav", "con .wav", "nul.wav", "_nul.wav", "COM¹.wav"],
    "signs": ['a"b.wav', "a:b.wav", "a_b.wav", "a\\b.wav", "a\nb.wav", "a\x1b[31mb.wav", "a\u202eb.wav", "'; rm ..wav"],
    "long": ["x" * 240 + "1.wav", "x" * 240 + "2.wav", "語" * 80 + "1.wav", "語" * 80 + "2.wav"],
    "no text": [os.fsdecode(b"\xff.wav"), os.fsdecode(b"\xfe.wav"), os.fsdecode(b"gitarre-\xe4.wav")],
}


def outputs(folder: Path) -> list[str]:
    return [name for name in os.listdir(folder) if name.endswith(("-takes", "-error.txt"))]


def screen(encoding: str = "utf-8") -> tuple[Screen, io.BytesIO]:
    shown = io.BytesIO()
    return Screen(io.TextIOWrapper(shown, encoding=encoding, errors="strict")), shown


def watched(folder: Path, shown: Screen) -> None:
    FolderWatch(
        WatchOptions(folder, TakeOrder(region=TakeRegionRequest(Path(), "continue"), bars=1), once=True), shown
    ).run()


@pytest.mark.parametrize("clash", CLASHES)
def test_neighbours_share_nothing(tmp_path: Path, engine: WatchedEngine, clash: str) -> None:  # noqa: F811
    """Every second file is invalid: these have their errors, the others their takes, and none is made again."""
    files = CLASHES[clash]
    for number, name in enumerate(files):
        if number % 2:
            (tmp_path / name).write_bytes(b"no sound in here")
        else:
            music(tmp_path / ".fresh.wav").rename(tmp_path / name)
    for _ in range(2):
        shown, _ = screen("ascii")
        watched(tmp_path, shown)
        made = outputs(tmp_path)
        assert len(made) == len({names.key(name) for name in made}) == len(files)
        assert sum(name.endswith("-takes") for name in made) == (len(files) + 1) // 2
        assert len(takes(tmp_path)) == (len(files) + 1) // 2, "nothing is made twice"
    for name in made:
        assert names.portable(name) == name or len(name) > names.LABEL_MAX, "every system takes it"
        assert len(os.fsencode(name)) <= 200
    for wave in tmp_path.rglob("*seed*.wav"):
        read_take(wave)


def test_a_name_stays_the_files_own(tmp_path: Path, engine: WatchedEngine) -> None:  # noqa: F811
    music(tmp_path / "ギター ソロ (2).wav")
    run(tmp_path)
    assert outputs(tmp_path) == ["ギター ソロ (2).wav-takes"]
    assert os.path.basename(takes(tmp_path)[0]).startswith("continue-ギター-ソロ-2_")


def test_error_goes_with_its_own_file_alone(tmp_path: Path, engine: WatchedEngine) -> None:  # noqa: F811
    (tmp_path / "Loop.wav").write_bytes(b"no sound in here")
    (tmp_path / "LOOP.wav").write_bytes(b"no sound in here")
    run(tmp_path)
    music(tmp_path / "Loop.wav")
    run(tmp_path)
    (left,) = tmp_path.glob("*-error.txt")
    assert "LOOP" in left.name
    music(tmp_path / "LOOP.wav")
    run(tmp_path)
    assert not list(tmp_path.glob("*-error.txt"))
    assert len(outputs(tmp_path)) == 2


ENDINGS = {".opus": ("OGG", "OPUS"), ".oga": ("OGG", "VORBIS"), ".caf": ("CAF", "PCM_16"), ".w64": ("W64", "PCM_16"),
           ".wave": ("WAV", "PCM_16"), ".bwf": ("WAV", "PCM_24"), ".aifc": ("AIFF", "FLOAT"), ".au": ("AU", "PCM_16"),
           ".OGG": ("OGG", "VORBIS"), ".mp3": ("MP3", None)}  # fmt: skip


@pytest.mark.parametrize("ending", [*ENDINGS, ".m4a", ".wma", ".AAC"])
def test_every_sound_gets_a_take_or_an_error(tmp_path: Path, engine: WatchedEngine, ending: str) -> None:  # noqa: F811
    path = tmp_path / f"song{ending}"
    if ending in ENDINGS:
        kind, subtype = ENDINGS[ending]
        noise = np.random.default_rng(2).normal(0, 0.1, (2 * RATE, 1))
        soundfile.write(path, noise, RATE, subtype, format=kind)
    else:
        path.write_bytes(b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(2000))
    run(tmp_path)
    assert outputs(tmp_path) == [f"{path.name}-{'takes' if ending in ENDINGS else 'error.txt'}"]


def test_links_and_pipes_are_answered_and_never_waited_for(tmp_path: Path, engine: WatchedEngine) -> None:  # noqa: F811
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "good.wav").symlink_to(music(tmp_path / "elsewhere.wav"))
    (folder / "nowhere.wav").symlink_to(tmp_path / "none.wav")
    (folder / "folder.wav").symlink_to(tmp_path)
    (folder / "round.wav").symlink_to(folder / "round.wav")
    for pipe in ("pipe.wav", "pipe.segue", "good.wav-error.txt"):
        os.mkfifo(folder / pipe)
    run(folder)
    assert sorted(outputs(folder)) == [
        "folder.wav-error.txt", "good.wav-error.txt", "good.wav-takes", "nowhere.wav-error.txt",
        "pipe.segue-error.txt", "pipe.wav-error.txt", "round.wav-error.txt",
    ]  # fmt: skip
    assert "a pipe" in (folder / "pipe.wav-error.txt").read_text()
    assert "a folder" in (folder / "folder.wav-error.txt").read_text()


def test_nothing_is_written_through_links(tmp_path: Path, engine: WatchedEngine) -> None:  # noqa: F811
    """A program that may write into the folder cannot make the watcher write elsewhere."""
    folder, mine = tmp_path / "in", tmp_path / "mine"
    folder.mkdir()
    mine.mkdir()
    (mine / "text").write_text("mine")
    music(folder / "riff.wav")
    (folder / "bad.wav").write_bytes(b"no sound in here")
    (folder / "x.segue").write_text("path=riff.wav\nrole=continue\nbpm=120\nname=song\n")
    (folder / "riff.wav-takes").symlink_to(mine)
    for name in ("bad.wav-error.txt", "takes.txt"):
        (folder / name).symlink_to(mine / "text")
    run(folder)
    assert [path.name for path in mine.iterdir()] == ["text"]
    assert (mine / "text").read_text() == "mine"
    assert "symbolic link" in (folder / "riff.wav-error.txt").read_text()
    (folder / "watching.txt").symlink_to(mine / "text")
    with pytest.raises(OutputError, match=r"watching\.txt .*symbolic link"):
        run(folder)
    (folder / "watching.txt").unlink()
    (folder / "sent").rmdir()
    (folder / "sent").symlink_to(mine)
    with pytest.raises(OutputError, match=r"sent is a symbolic link"):
        run(folder)


# -- incomplete files ------------------------------------------------------------------------------------


def sound(folder: Path, kind: str) -> bytes:
    """A complete file, half of which still decodes without an error."""
    noise = np.random.default_rng(2).normal(0, 0.1, (4 * RATE, 1))
    ending = "opus" if kind == "opus" else kind.partition(" ")[0]
    path = folder / f".whole.{ending}"
    soundfile.write(path, noise, RATE, "OPUS" if kind == "opus" else None, format="OGG" if kind == "opus" else None)
    data = path.read_bytes()
    if kind == "mp3 without counts":  # without its first frame, which has them
        data = data[data.index(b"\xff\xfb", 10) :]
    elif kind == "mp3 with a tag":
        data = b"ID3\x03\x00\x00\x00\x00\x10\x00" + bytes(2048) + data
    path.write_bytes(data)
    return data


KINDS = ["ogg", "opus", "mp3", "mp3 without counts", "mp3 with a tag", "wav", "caf", "w64", "aiff", "au"]


@pytest.mark.parametrize("kind", KINDS)
def test_whole_files_are_reported_from_halves(tmp_path: Path, kind: str) -> None:
    data = sound(tmp_path, kind)
    path = tmp_path / "copy"
    path.write_bytes(data)
    assert missing_end(path) == ""
    for share in (0.05, 0.3, 0.5, 0.77, 0.99):
        path.write_bytes(data[: int(share * len(data)) | 5])  # cuts between frames go undetected
        assert "cut short, or still being written" in missing_end(path)


@pytest.mark.parametrize("kind", ["ogg", "opus"])
def test_pages_that_are_whole_may_not_be_the_last(tmp_path: Path, kind: str) -> None:
    data, path = sound(tmp_path, kind), tmp_path / "copy"
    path.write_bytes(data[: data.rfind(b"OggS")])
    assert "not the end of its sound" in missing_end(path)


@pytest.mark.parametrize("kind", ["ogg", "opus", "mp3", "mp3 without counts", "caf"])
def test_half_copy_waits_and_one_that_stays_so_is_taken_or_reported(
    tmp_path: Path,
    engine: WatchedEngine,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
) -> None:
    data, ending = sound(tmp_path, kind), kind.partition(" ")[0]
    half = data[: len(data) // 2 | 5]
    monkeypatch.setattr(watch, "PATIENCE_SECONDS", 60.0)
    (tmp_path / f"copy.{ending}").write_bytes(half)
    worker = threading.Thread(target=run, args=(tmp_path,))
    worker.start()
    time.sleep(0.4)
    assert takes(tmp_path) == []
    (tmp_path / f"copy.{ending}").write_bytes(data)
    worker.join(60)
    assert len(takes(tmp_path)) == 1
    monkeypatch.setattr(watch, "PATIENCE_SECONDS", 0.1)
    (tmp_path / f"cut.{ending}").write_bytes(half)
    shown, text = screen()
    watched(tmp_path, shown)
    assert len(outputs(tmp_path)) == 2
    assert b"taken as far as it goes" in text.getvalue()


def test_what_looks_unfinished_is_looked_at_a_few_times_and_reported_twice(
    tmp_path: Path,
    engine: WatchedEngine,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    music(tmp_path / ".song.wav", 2.0)
    (tmp_path / "beyond.segue").write_text("path=.song.wav\nrole=continue\nbpm=120\noffset_seconds=30\n")
    looked: list[float] = []
    real: Callable[..., object] = jobs.section
    monkeypatch.setattr(jobs, "section", lambda *given: (looked.append(time.monotonic()), real(*given))[1])
    monkeypatch.setattr(watch, "PATIENCE_SECONDS", 0.5)
    shown, text = screen()
    watched(tmp_path, shown)
    assert 2 <= len(looked) <= 8, "each pause is twice the one before"
    lines = [line for line in text.getvalue().decode().splitlines() if "nothing from 30 s on" in line]
    assert len(lines) == 2, "that it waits, and that it gives up"
    assert "nothing from 30 s on" in (tmp_path / "beyond.segue-error.txt").read_text()
