"""Takes by a real engine: complete, exact, and equal when made again from the recipe inside the file."""

from __future__ import annotations

import signal
import socket
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from engine_rig import Engine, wait_for

from bridge.control import messages
from bridge.control.take_rows import TAKE
from bridge.errors import SegueError
from plugin_host.client.client import EngineClient
from plugin_host.client.udp_connection import Event
from plugin_host.console.screen import Screen
from plugin_host.history.check import faults_of
from plugin_host.history.head import pieces
from plugin_host.history.history import History
from plugin_host.history.tokens import unpack
from plugin_host.takes.engines import EngineRequest, hot_engine
from plugin_host.takes.extend import Extension, order_of
from plugin_host.takes.extend import make_again as make_take_again
from plugin_host.takes.join import joined
from plugin_host.takes.order import TakeOrder, fill
from plugin_host.takes.place import TakeRegionRequest
from plugin_host.takes.recipe import Recipe
from plugin_host.takes.reopen import Variation, make_again
from plugin_host.takes.take import read_take, span_of
from plugin_host.takes.take_handlers import TakeHandlers
from plugin_host.takes.watch import FolderWatch, WatchOptions

RATE = 48_000


@pytest.fixture
def order(tmp_path: Path) -> TakeOrder:
    """Two bars at 200 bpm after two bars of a region."""
    seconds = np.arange(int(2.4 * RATE)) / RATE
    tone = 0.3 * np.sin(2 * np.pi * 220 * seconds) * np.exp(-4 * (seconds % 0.3))
    soundfile.write(tmp_path / "riff-200bpm.wav", tone.astype(np.float32), RATE)
    region = TakeRegionRequest(tmp_path / "riff-200bpm.wav", "continue", None, 4.0)
    return TakeOrder(region, bars=2, seed=11, values={"temperature": 1.2})


def made(order: TakeOrder, engine: Engine, folder: Path) -> list[Path]:
    with hot_engine(EngineRequest(engine.port), lambda line: None) as hot:
        return fill(order, hot, folder, lambda line: None, lambda line: None)


@pytest.mark.parametrize("kind", ["wav", "flac"])
def test_take_is_made_again_to_the_last_bit(order: TakeOrder, engine: Engine, tmp_path: Path, kind: str) -> None:
    order = replace(order, kind=kind, loop=kind == "wav", loudness="peak" if kind == "wav" else "off")
    (path,) = made(order, engine, tmp_path / "takes")
    take = read_take(path)
    assert (take.recipe.bpm, take.recipe.start_bar, take.recipe.bars, take.recipe.seed) == (200.0, 3, 2, 11)
    assert take.recipe.values["temperature"] == pytest.approx(1.2)
    start, end = span_of(take.recipe)
    assert take.audio.shape == (end - start, 2)
    for half in np.array_split(take.audio, 2):
        assert np.abs(half).max() > 0.001, "a bar is silent"
    (tmp_path / "riff-200bpm.wav").unlink()  # the recipe has it
    request = EngineRequest(engine.port)
    assert make_again(take, Variation(), request, tmp_path / "again", kind, Screen()) == 0.0
    make_again(take, Variation(seed=12), request, tmp_path / "other", kind, Screen())
    (other,) = (tmp_path / "other").iterdir()
    assert "seed12" in other.name
    assert not np.array_equal(read_take(other).audio, take.audio)


def test_takes_enter_the_history_go_on_and_are_made_again(order: TakeOrder, engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "song"
    made(replace(order, takes=2, bars=1, session=folder), engine, folder)
    with History(folder) as history:
        codes, rate = unpack(history.node(1).tokens)
        assert (codes.shape[0], rate) == (4, 50.0)
        assert codes.shape[1] >= 1.2 * rate, "a bar at 200 bpm lasts 1.2 s"
        assert not np.array_equal(codes, unpack(history.node(2).tokens)[0])
        with hot_engine(EngineRequest(engine.port), lambda line: None) as hot:
            fill(order_of(history, Extension(bars=1), tmp_path), hot, folder, lambda line: None, lambda line: None)
            child = history.node(3)
            assert (child.parent, child.start_bar, child.prompt) == (1, history.node(1).end_bar, order.prompt)
            audio = joined(history, pieces(history))
            start, end = span_of(Recipe(200.0, 2, history.node(1).start_bar))
            assert len(audio) == end - start
            (folder / child.file).unlink()
            make_take_again(history, 3, hot, lambda line: None, lambda line: None)
        np.testing.assert_array_equal(joined(history, pieces(history)), audio)


def test_a_cancelled_run_never_enters_the_history(order: TakeOrder, engine: Engine, tmp_path: Path) -> None:
    def cancel(line: str) -> None:
        if "%" in line and "  0 %" not in line:
            raise KeyboardInterrupt

    folder = tmp_path / "song"
    made(replace(order, bars=1, session=folder), engine, folder)
    with hot_engine(EngineRequest(engine.port), lambda line: None) as hot, pytest.raises(KeyboardInterrupt):
        fill(replace(order, bars=8, session=folder), hot, folder, lambda line: None, cancel)
    with History(folder) as history:
        assert [node.number for node in history.nodes()] == [1]
        assert list(faults_of(history)) == []
    assert len(list(folder.glob("*.wav"))) == 1


def test_takes_of_one_order_have_seeds_of_their_own(order: TakeOrder, engine: Engine, tmp_path: Path) -> None:
    paths = made(replace(order, takes=3, bars=1), engine, tmp_path / "takes")
    takes = [read_take(path) for path in paths]
    assert [take.recipe.seed for take in takes] == [11, 12, 13]
    assert not np.array_equal(takes[0].audio, takes[1].audio)


def test_a_take_that_was_ordered_is_reported_by_the_engine_with_its_path(
    order: TakeOrder, engine: Engine, tmp_path: Path
) -> None:
    events: list[dict[str, object]] = []

    def on_event(event: Event) -> None:
        if event.message is messages.EVENT_TAKE:
            events.append(dict(event.values))

    with EngineClient(engine.port, on_event=on_event) as client:
        options = WatchOptions(tmp_path / "watched", TakeOrder(), EngineRequest(engine.port), 0, once=True)
        watch = FolderWatch(options, Screen())
        assert order.region is not None
        datagram = TAKE.pack(77, str(order.region.path), "continue", 200.0, 4, 4, 0.0, 1, 1, 11)
        with TakeHandlers(0, watch._ordered.put) as handlers, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
            out.settimeout(30)
            out.sendto(datagram, ("127.0.0.1", handlers.port))
            out.recv(65535)
        watch.run()
        client.sync()
        wait_for(lambda: events)
    (path,) = (tmp_path / "watched").rglob("riff*/*.wav")
    assert events == [{"order": 77, "name": "riff-200bpm", "path": str(path)}]


def test_engine_that_is_killed_leaves_no_half_take(
    order: TakeOrder, engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine of all tests is killed; the next test gets a new one."""
    monkeypatch.setattr("plugin_host.takes.engines.SILENT_SECONDS", 3.0)

    def kill(text: str) -> None:
        if text and engine.process.poll() is None:
            engine.process.send_signal(signal.SIGKILL)
            engine.process.wait()

    with pytest.raises(SegueError), hot_engine(EngineRequest(engine.port), lambda line: None) as hot:
        fill(replace(order, bars=400), hot, tmp_path / "takes", lambda line: None, kill)
    assert list((tmp_path / "takes").iterdir()) == []
