"""Takes in a session's history: recorded whole, joined on exact samples, extended, and asked for by OSC."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from bridge.control import history_rows as rows
from bridge.control.arguments import Message
from bridge.control.packet import parse
from plugin_host.cli.main import app
from plugin_host.history import head
from plugin_host.history.errors import HistoryError
from plugin_host.history.history import History
from plugin_host.history.path import path_to
from plugin_host.history.tokens import pack, unpack
from plugin_host.takes.extend import Extension, order_of
from plugin_host.takes.finish import finish
from plugin_host.takes.info import lines_about
from plugin_host.takes.join import export, joined
from plugin_host.takes.place import TakeRegionRequest, place
from plugin_host.takes.recipe import Recipe
from plugin_host.takes.record import Recorder, recipe_of
from plugin_host.takes.take import read_take, save_take, span_of
from plugin_host.takes.take_handlers import TakeHandlers

BPM = 137.0  # no whole number of samples in a bar


def made(folder: Path, start_bar: int, bars: int, seed: int, **more: Any) -> tuple[Path, Recipe]:
    """A take of noise, and its recipe with codes."""
    tokens = pack(np.random.default_rng(seed).integers(0, 1024, (4, 100)).astype(np.int16), 50.0)
    recipe = replace(Recipe(BPM, bars, start_bar, prompt="warm piano", seed=seed), tokens=tokens, **more)
    start, end = span_of(recipe)
    noise = np.random.default_rng(seed).uniform(-0.5, 0.5, (end - start, 2)).astype(np.float32)
    return save_take(folder, recipe, finish(noise, 48_000, "off", 24)), recipe


def recorded(folder: Path, takes: list[tuple[Path, Recipe]], parent: int = 0) -> list[int]:
    said: list[str] = []
    numbers = [node.number for node in Recorder(folder, parent, said.append).add(takes)]
    assert numbers, said
    return numbers


@pytest.fixture
def session(tmp_path: Path) -> Path:
    """Takes A, B and C of bars 1 to 4; after A one of bars 4 to 7."""
    folder = tmp_path / "song"
    folder.mkdir()
    first = recorded(folder, [made(folder, 0, 4, seed) for seed in (1, 2, 3)])
    recorded(folder, [made(folder, 3, 4, 4)], first[0])
    return folder


def test_a_take_enters_the_history_with_recipe_references_and_codes(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "riff.wav", np.sin(np.arange(96_000) / 20).astype(np.float32), 48_000)
    region = place(TakeRegionRequest(tmp_path / "riff.wav", "melody", 120.0), 120.0, Recipe(1, 1).signature, 48_000)
    folder = tmp_path / "song"
    folder.mkdir()
    path, recipe = made(folder, 2, 2, 9, regions=(region.region,), values={"temperature": 1.25})
    (number,) = recorded(folder, [(path, recipe)])
    (tmp_path / "riff.wav").unlink()
    with History(folder) as history:
        node = history.node(number)
        assert recipe_of(history, node) == read_take(path).recipe
        assert unpack(node.tokens)[0].shape == (4, 100)
        assert (node.seed, node.prompt, node.start_bar, node.file) == (9, "warm piano", 2, path.name)
        next(folder.glob("references/*")).write_bytes(b"other music")
        with pytest.raises(HistoryError, match="changed"):
            recipe_of(history, node)


def test_a_take_elsewhere_is_said_and_stays_a_file(tmp_path: Path) -> None:
    said: list[str] = []
    (tmp_path / "song").mkdir()
    path, recipe = made(tmp_path, 0, 1, 1)
    assert Recorder(tmp_path / "song", 0, said.append).add([(path, recipe)]) == []
    assert "not inside the session" in said[0]
    assert path.is_file()


def test_stems_of_one_order_have_their_lanes_and_variations(tmp_path: Path) -> None:
    folder = tmp_path / "song"
    folder.mkdir()
    recorder = Recorder(folder, 0, lambda line: None)
    for variation in (1, 2):
        for lane in ("drums", "bass"):
            recorder.add([made(folder, 0, 1, variation)], lane, variation)
    with History(folder) as history:
        assert [(node.lane, node.letter, node.batch) for node in history.nodes()] == [
            ("drums", "A", 1), ("bass", "A", 1), ("drums", "B", 1), ("bass", "B", 1),
        ]  # fmt: skip
        assert head.switch(history, "B").number == 3, "of the head's lane"


def test_a_path_is_joined_on_its_samples(session: Path, tmp_path: Path) -> None:
    with History(session) as history:
        audio = joined(history, path_to(history, 4))
        first, second = (read_take(session / history.node(number).file).audio for number in (1, 4))
        at = span_of(Recipe(BPM, 3))[1]
        assert len(audio) == span_of(Recipe(BPM, 7))[1]
        np.testing.assert_array_equal(audio, np.concatenate([first[:at], second]))
        assert export(history, path_to(history, 4), tmp_path / "out.wav") == len(audio)
    written, rate = soundfile.read(tmp_path / "out.wav", dtype="float32")
    assert rate == 48_000
    np.testing.assert_array_equal(written, audio)


def test_a_switch_fades_in_before_its_bar_and_is_pure_from_there(session: Path) -> None:
    with History(session) as history:
        head.go(history, 1)
        node = head.switch(history, "C", 2)
        audio = joined(history, path_to(history, node.number))
        first, third = (read_take(session / history.node(number).file).audio for number in (1, 3))
    at = span_of(Recipe(BPM, 2))[1]
    np.testing.assert_array_equal(audio[: at - 480], first[: at - 480])
    np.testing.assert_array_equal(audio[at:], third[at:])
    assert not np.array_equal(audio[at - 240 : at], first[at - 240 : at])
    assert np.abs(audio).max() < 1.0


def test_a_changed_or_lost_take_is_not_exported(session: Path) -> None:
    with History(session) as history:
        path = session / history.node(4).file
        path.write_bytes(path.read_bytes()[:-2] + b"xx")
        with pytest.raises(HistoryError, match=r"take 4: .* has changed"):
            joined(history, path_to(history, 4))
        path.unlink()
        with pytest.raises(HistoryError, match="segue takes again 4"):
            joined(history, path_to(history, 4))


def test_takes_that_extend_continue_the_music_before_the_head(session: Path, tmp_path: Path) -> None:
    with History(session) as history:
        head.go(history, 4)
        head.rewind(history, 1)
        order = order_of(history, Extension(bars=2, takes=4, seed=20), tmp_path)
        before = joined(history, path_to(history, 4, 6))
    assert (order.parent, order.takes, order.bars, order.prompt, order.bpm) == (4, 4, 2, "warm piano", BPM)
    assert order.region is not None
    region, _ = soundfile.read(order.region.path, dtype="float32")
    np.testing.assert_array_equal(region, before)
    placed = place(order.region, order.bpm, order.signature, order.rate_hz)
    assert placed.start_bar == 6, "the bar after the rewound one"


def test_takes_are_rated_as_by_osc_the_rating_last(session: Path) -> None:
    assert CliRunner().invoke(app, ["takes", "rate", "2", "3", "5", "-s", str(session)]).exit_code == 0
    with History(session) as history:
        assert [node.rating for node in history.nodes()] == [0, 5, 5, 0]


# -- by OSC -------------------------------------------------------------------------------------------


class Panel:
    """Sends messages to the port and reads their answers."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(30)
        self._where = ("127.0.0.1", port)

    def ask(self, row: Message, *values: object) -> tuple[object, ...]:
        self._socket.sendto(row.pack(1, *values), self._where)
        data = self._socket.recv(9216)
        assert len(data) < 1400
        (packet,) = parse(data)
        assert packet.values[:2] == (1, row.address)
        return packet.address.rpartition("/")[2], *packet.values[2:]


def test_a_panel_moves_the_head_and_marks_takes(session: Path, tmp_path: Path) -> None:
    orders: list[Any] = []
    with TakeHandlers(0, orders.append, session) as handlers:
        panel = Panel(handlers.port)
        assert panel.ask(rows.TAKES_LIST, "PIANO", 0) == ("ok", 4, "1 2 3 4")
        assert panel.ask(rows.TAKES_RATE, 3, 5) == ("ok",)
        assert panel.ask(rows.TAKES_LIST, "", 0) == ("ok", 4, "3 1 2 4")
        assert panel.ask(rows.TAKES_LIST, "", 1) == ("ok", 4, "2 4")
        assert panel.ask(rows.TAKES_KEEP, 3, 1) == ("ok",)
        node = panel.ask(rows.TAKES_NODE, 3)
        assert node[1:8] == (3, 0, 1, "C", "", 0, 4)
        assert node[10:13] == (5, 1, 0)
        assert Path(str(node[14])).is_file()
        assert panel.ask(rows.TAKES_HEAD) == ("ok", 4, 7, 1, 0)
        assert panel.ask(rows.TAKES_REWIND, 1) == ("ok", 4, 6, 1, 0)
        assert panel.ask(rows.TAKES_UNDO) == ("ok", 4, 7, 1, 1)
        assert panel.ask(rows.TAKES_REDO) == ("ok", 4, 6, 1, 0)
        assert panel.ask(rows.TAKES_GO, 1, 0) == ("ok", 1, 4, 1, 0)
        assert panel.ask(rows.TAKES_SWITCH, "b", 0)[:2] == ("ok", 2)
        assert panel.ask(rows.TAKES_EXPORT, str(tmp_path / "out.wav"), 0) == ("ok", 4)
        assert panel.ask(rows.TAKES_EXTEND, 8, 4, -1, "") == ("ok",)
        assert panel.ask(rows.TAKES_GO, 0, 0)[:2] == ("ok", 0)
        assert "make a take first" in str(panel.ask(rows.TAKES_EXTEND, 8, 4, -1, "")[2])
        assert panel.ask(rows.TAKES_DISCARD, 3, 1)[:2] == ("error", "bad_history")
        assert panel.ask(rows.TAKES_NODE, 99)[:2] == ("error", "no_such_take")
        assert panel.ask(rows.TAKES_EXPORT, "out.wav", 0)[0] == "error"
    assert [(order["bars"], order["takes"]) for order in orders] == [(8, 4)]
    assert (tmp_path / "out.wav").is_file()


def test_info_says_what_a_session_and_its_files_are(session: Path, tmp_path: Path) -> None:
    with History(session) as history:
        history.keep([1])
        file = session / history.node(2).file
    said = "\n".join(lines_about(session))
    assert "4 takes, 1 kept, 0 discarded" in said
    assert "codes of 4 takes" in said
    assert "seed 2" in "\n".join(lines_about(file))
    file.unlink()
    assert "missing: the files of takes 2" in "\n".join(lines_about(session / "takes.db"))
    soundfile.write(tmp_path / "tone.wav", np.zeros(480), 48_000)
    assert "0.01 s" in "\n".join(lines_about(tmp_path / "tone.wav"))
    (tmp_path / "session.jsonl").write_text('{"beat": 1}\nbroken\n')
    assert "2 lines, 1 that" in "\n".join(lines_about(tmp_path / "session.jsonl"))
    (tmp_path / "text.txt").write_text("hello")
    with pytest.raises(Exception, match="nothing that Segue"):
        list(lines_about(tmp_path / "text.txt"))
