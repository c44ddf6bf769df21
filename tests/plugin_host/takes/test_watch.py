"""The watched folder and its port: takes, ignored files, refused files, and its end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bridge.control import messages
from bridge.control.packet import parse
from bridge.control.take_rows import TAKE
from bridge.time.units import Signature
from plugin_host.client.replies import FoundTempo
from plugin_host.console.screen import Screen
from plugin_host.history.history import History
from plugin_host.history.node import Node
from plugin_host.takes import jobs, watch
from plugin_host.takes.engines import EngineRequest, HotEngine
from plugin_host.takes.errors import TakeError, TakeFailed
from plugin_host.takes.order import TakeOrder
from plugin_host.takes.place import TakeRegionRequest
from plugin_host.takes.recipe import Recipe
from plugin_host.takes.take import read_recipe, span_of
from plugin_host.takes.take_handlers import TakeHandlers
from plugin_host.takes.watch import FolderWatch, WatchOptions

RATE = 48_000


def music(path: Path, seconds: float = 2.0, rate: int = RATE) -> Path:
    noise = np.random.default_rng(2).normal(0, 0.1, (int(seconds * rate), 1)).astype(np.float32)
    soundfile.write(path, noise, rate, "PCM_16")
    return path


class WatchedEngine:
    """A stand-in for an engine that makes noise at once; its first `fails` takes fail as if it were lost."""

    def __init__(self) -> None:
        self.starts = self.fails = 0
        self.living = True

    @contextmanager
    def hot(self, request: EngineRequest, say: object) -> Iterator[HotEngine]:
        self.starts += 1
        self.living = True
        yield HotEngine(self, "noise", "float32", "", lambda: self.living)  # type: ignore[arg-type]

    def listen(self, *file: object) -> FoundTempo:
        """The analysis of noise."""
        return FoundTempo(0.0, 0.0, 0.0, 0.0, 0.0, "", 0.0)

    def make(
        self, engine: object, recipe: Recipe, say: object, show: object, stop: object
    ) -> tuple[Recipe, np.ndarray]:
        if self.fails:
            self.fails -= 1
            self.living = False
            raise TakeFailed("lost")
        start, end = span_of(recipe)
        seed = recipe.seed if recipe.seed >= 0 else 99
        return recipe.with_seed(seed), np.random.default_rng(seed).normal(0, 0.1, (end - start, 2)).astype(np.float32)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> WatchedEngine:
    made = WatchedEngine()
    monkeypatch.setattr("plugin_host.takes.watch.hot_engine", made.hot)
    monkeypatch.setattr("plugin_host.takes.make.make", made.make)
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watch, "SETTLE_SECONDS", 0.04)
    monkeypatch.setattr(watch, "PATIENCE_SECONDS", 0.1)
    return made


def run(folder: Path, **usual: object) -> None:
    order = TakeOrder(**{"region": TakeRegionRequest(Path(), "continue"), "bars": 1, **usual})  # type: ignore[arg-type]
    FolderWatch(WatchOptions(folder, order, once=True), Screen()).run()


def takes(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.wav") if path.parent != folder)


def test_takes_come_out_beside_what_is_put_in(tmp_path: Path, engine: WatchedEngine) -> None:
    music(tmp_path / "My Riff 120bpm.wav")
    run(tmp_path, takes=2, seed=5)
    assert takes(tmp_path) == [f"My Riff 120bpm.wav-takes/continue-my-riff-120bpm_120bpm_seed{n}.wav" for n in (5, 6)]
    recipe = read_recipe(tmp_path / takes(tmp_path)[0])
    assert (recipe.bpm, recipe.start_bar, recipe.bars, recipe.seed) == (120.0, 1, 1, 5)
    assert not (tmp_path / "watching.txt").exists()


def test_what_is_made_is_not_made_again_until_it_changes(tmp_path: Path, engine: WatchedEngine) -> None:
    music(tmp_path / "riff.wav")
    run(tmp_path)
    run(tmp_path)
    assert len(takes(tmp_path)) == 1
    music(tmp_path / "riff.wav", 4.0)
    run(tmp_path)
    assert len(takes(tmp_path)) == 2


def test_own_output_hidden_files_and_other_kinds_are_left_alone(tmp_path: Path, engine: WatchedEngine) -> None:
    music(tmp_path / ".riff.wav")
    (tmp_path / "notes.txt").write_text("notes")
    (tmp_path / "folder.wav").mkdir()
    music(tmp_path / "folder.wav" / "deep.wav")
    run(tmp_path)
    assert takes(tmp_path) == ["folder.wav/deep.wav"]


def test_takes_of_the_folders_history_are_left_alone(tmp_path: Path, engine: WatchedEngine) -> None:
    music(tmp_path / "take.wav")
    with History(tmp_path, create=True) as history:
        history.add([Node(0, 1, 120.0, file="take.wav")])
    run(tmp_path, session=tmp_path)
    assert takes(tmp_path) == []
    music(tmp_path / "riff 120bpm.wav")
    run(tmp_path, session=tmp_path)
    with History(tmp_path) as history:
        assert [node.file for node in history.nodes()] == ["take.wav", *takes(tmp_path)]


def test_why_not_stands_beside_the_file_and_goes_when_it_is_mended(tmp_path: Path, engine: WatchedEngine) -> None:
    (tmp_path / "bad.wav").write_bytes(b"no sound in here")
    run(tmp_path)
    assert "no audio" in (tmp_path / "bad.wav-error.txt").read_text()
    run(tmp_path)  # is not retried for ever
    music(tmp_path / "bad.wav")
    run(tmp_path)
    assert len(takes(tmp_path)) == 1
    assert not (tmp_path / "bad.wav-error.txt").exists()


@pytest.mark.parametrize("kind", ["flac", "wav"])
def test_half_copied_file_waits_for_its_other_half(
    tmp_path: Path, engine: WatchedEngine, monkeypatch, kind: str
) -> None:
    monkeypatch.setattr(watch, "PATIENCE_SECONDS", 60.0)
    whole = music(tmp_path / f"whole.{kind}").read_bytes()
    (tmp_path / f"whole.{kind}").unlink()
    (tmp_path / f"copy.{kind}").write_bytes(whole[: len(whole) // 2])
    worker = threading.Thread(target=run, args=(tmp_path,))
    worker.start()
    time.sleep(0.5)
    assert takes(tmp_path) == []
    assert not (tmp_path / f"copy.{kind}-error.txt").exists()
    (tmp_path / f"copy.{kind}").write_bytes(whole)
    worker.join(60)
    assert takes(tmp_path)
    assert not (tmp_path / f"copy.{kind}-error.txt").exists()


def test_file_that_stays_cut_is_reported(tmp_path: Path, engine: WatchedEngine) -> None:
    whole = music(tmp_path / "cut.flac").read_bytes()
    (tmp_path / "cut.flac").write_bytes(whole[: len(whole) // 2])
    run(tmp_path)
    assert "cannot be read" in (tmp_path / "cut.flac-error.txt").read_text()


def test_engine_that_dies_is_started_again_and_the_take_is_made(tmp_path: Path, engine: WatchedEngine) -> None:
    music(tmp_path / "riff.wav")
    engine.fails = 1
    run(tmp_path)
    assert engine.starts == 2
    assert len(takes(tmp_path)) == 1


def test_file_over_which_three_engines_die_is_reported_and_left(tmp_path: Path, engine: WatchedEngine) -> None:
    music(tmp_path / "a-poison.wav")
    engine.fails = 3
    run(tmp_path)
    assert (engine.starts, takes(tmp_path)) == (4, [])
    assert "lost" in (tmp_path / "a-poison.wav-error.txt").read_text()


def test_job_file_and_what_the_daw_receives(tmp_path: Path, engine: WatchedEngine) -> None:
    source = music(tmp_path / ".song.wav", 30.0)
    lines = {"path": source, "role": "melody", "bpm": 137.5, "numerator": 3, "denominator": 4, "start_beats": 30,
             "offset_seconds": 4.5, "length_seconds": 5.0, "takes": 2, "seed": 8, "name": "Guitar Solo"}  # fmt: skip
    (tmp_path / "job.segue").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    run(tmp_path, bars=0)
    rows = [line.split("\t") for line in (tmp_path / "takes.txt").read_text().splitlines()]
    assert [row[1:4] for row in rows] == [["30", "4", "137.5"]] * 2  # 5 s are 11.5 beats of 3/4: four bars
    recipe = read_recipe(Path(rows[0][0]))
    assert (recipe.signature, recipe.start_bar, recipe.regions[0].role) == (Signature(3, 4), 10, "melody")
    assert int(rows[0][4]) == span_of(recipe)[0]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("bpm=fast", "bpm"),
        ("bpm=nan", "bpm"),
        ("role=drums", "role"),
        ("colour=red", "no 'colour'"),
        ("just words", "name=value"),
        ("denominator=3", "denominator"),
        ("takes=100000", "takes"),
    ],
)
def test_job_files_are_checked(tmp_path: Path, line: str, word: str) -> None:
    (tmp_path / "x.segue").write_text(f"path=a.wav\nrole=style\nbpm=120\n{line}\n")
    with pytest.raises(TakeError, match=word):
        jobs.read_job(tmp_path / "x.segue")


def test_job_for_a_file_that_is_not_there_is_refused_beside_it(tmp_path: Path, engine: WatchedEngine) -> None:
    (tmp_path / "x.segue").write_text("path=none.wav\nrole=style\nbpm=120\noffset_seconds=1\n")
    run(tmp_path)
    assert "none.wav" in (tmp_path / "x.segue-error.txt").read_text()


def test_orders_by_osc_are_taken_or_refused_with_a_reason() -> None:
    came: list[dict[str, object]] = []
    with TakeHandlers(0, came.append) as desk, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:  # type: ignore[arg-type]
        out.settimeout(30)

        def ask(datagram: bytes) -> tuple[str, tuple[object, ...]]:
            out.sendto(datagram, ("127.0.0.1", desk.port))
            (packet,) = parse(out.recv(65535))
            return packet.address, packet.values

        good = TAKE.pack(3, "/song/riff.wav", "continue", 137.5, 4, 4, 8.0, 8, 1, -1, "dub")
        assert ask(good) == (messages.OK.address, (3, TAKE.address))
        assert ask(b"garbage")[0] == messages.ERROR.address
        assert ask(messages.PING.pack(4))[0] == messages.ERROR.address
        assert "full path" in str(ask(TAKE.pack(5, "riff.wav", "style", 120.0)))
    assert [(job["path"], job["bpm"], job["start_beats"], job["prompt"]) for job in came] == [
        ("/song/riff.wav", 137.5, 8.0, "dub")
    ]
