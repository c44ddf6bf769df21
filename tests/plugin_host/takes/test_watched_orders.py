"""Orders in the watched folder: their encodings, invalid orders, and that the next one is made."""

from __future__ import annotations

import codecs
import os
import random
import socket
from pathlib import Path

import pytest
from test_watch import RATE, WatchedEngine, engine, music, run, takes  # noqa: F401 - a fixture

from bridge.control import messages
from bridge.control.packet import encode, parse
from bridge.control.take_rows import TAKE
from bridge.errors import RegionTooLong
from bridge.time.units import Signature
from plugin_host.console.screen import Screen
from plugin_host.takes import jobs, watch
from plugin_host.takes.errors import TakeError
from plugin_host.takes.order import TakeOrder, recipe_of
from plugin_host.takes.place import TakeRegionRequest, place
from plugin_host.takes.take_handlers import TakeHandlers

LINES = "path=gitarre-ä.wav\r\nrole=continue\r\nbpm=120\r\nbars=1\r\n"


@pytest.mark.parametrize(
    "data",
    [
        codecs.BOM_UTF8 + LINES.encode(),
        codecs.BOM_UTF16_LE + LINES.encode("utf-16-le"),
        codecs.BOM_UTF16_BE + LINES.encode("utf-16-be"),
        LINES.replace("\r\n", "\r").encode(),
    ],
    ids=["UTF-8", "UTF-16 LE", "UTF-16 BE", "old Mac"],
)
def test_orders_are_taken_with_a_byte_order_mark(tmp_path: Path, engine: WatchedEngine, data: bytes) -> None:  # noqa: F811
    music(tmp_path / ".fresh.wav").rename(tmp_path / "gitarre-ä.wav")
    (tmp_path / "x.segue").write_bytes(data)
    assert jobs.read_job(tmp_path / "x.segue")["bpm"] == 120.0
    run(tmp_path)
    assert (tmp_path / "gitarre-ä-takes").is_dir()
    assert not list(tmp_path.glob("*-error.txt"))


def test_orders_that_are_no_text_are_reported(tmp_path: Path) -> None:
    (tmp_path / "x.segue").write_bytes(b"path=\xff\xfe.wav\n")
    with pytest.raises(TakeError, match="UTF-8"):
        jobs.read_job(tmp_path / "x.segue")


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("start_beats=-16000000", "may last"),  # silence up to the first bar: terabytes
        ("start_beats=1.6e7", "start_bar"),  # a take that could not be read back
        ("numerator=64\ndenominator=1\nbpm=20", "may last"),  # a bar of 768 s
        ("path=a\0b.wav", "control characters"),
    ],
)
def test_orders_beyond_use_are_refused_and_the_next_is_made(
    tmp_path: Path,
    engine: WatchedEngine,  # noqa: F811
    line: str,
    word: str,
) -> None:
    music(tmp_path / ".song.wav", 2.0)
    (tmp_path / "a.segue").write_text(f"path=.song.wav\nrole=continue\nbpm=120\n{line}\n")
    (tmp_path / "b.segue").write_text("path=.song.wav\nrole=continue\nbpm=120\nname=next\n")
    run(tmp_path)
    assert word in (tmp_path / "a.segue-error.txt").read_text()
    assert [os.path.dirname(path) for path in takes(tmp_path)] == ["next-takes"]
    run(tmp_path)
    assert len(takes(tmp_path)) == 1


def test_part_that_is_too_long_is_refused_before_it_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    music(tmp_path / "long.wav", 1.0)
    with (tmp_path / "long.wav").open("r+b") as file:  # a sparse file of 900 MB, some kB on the disk
        size = 900 * 2**20
        file.truncate(size)
        file.seek(4)
        file.write((size - 8).to_bytes(4, "little"))
        file.seek(40)
        file.write((size - 44).to_bytes(4, "little"))
    values = jobs.checked({"path": "long.wav", "role": "style", "bpm": "120", "offset_seconds": "1"}, "x", tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(Exception, match="may last"):
        jobs.order_of(values, TakeOrder(), scratch)
    assert list(scratch.rglob("*")) == []


def test_order_of_a_pipe_is_refused_and_never_waited_for(tmp_path: Path, engine: WatchedEngine) -> None:  # noqa: F811
    os.mkfifo(tmp_path / ".pipe.wav")
    (tmp_path / "x.segue").write_text("path=.pipe.wav\nrole=style\nbpm=120\noffset_seconds=1\n")
    run(tmp_path)
    assert "a pipe" in (tmp_path / "x.segue-error.txt").read_text()


def test_a_fault_of_ours_costs_one_file_its_take_and_is_reported(
    tmp_path: Path,
    engine: WatchedEngine,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An internal fault is reported beside its file; other files get their takes."""
    music(tmp_path / "a.wav")
    music(tmp_path / "b.wav")
    real = watch.fill

    def fill(order: TakeOrder, *rest: object) -> object:
        if order.region and order.region.path.name == "a.wav":
            raise MemoryError
        return real(order, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(watch, "fill", fill)
    run(tmp_path)
    assert "a fault of Segue's, MemoryError" in (tmp_path / "a.wav-error.txt").read_text()
    assert len(takes(tmp_path)) == 1


def test_stretch_to_hours_is_refused_before_it_is_made(tmp_path: Path) -> None:
    path = music(tmp_path / "riff.wav", 60.0, 8000)
    with pytest.raises(RegionTooLong, match="with silence up to its bar line"):
        place(TakeRegionRequest(path, "continue", 20.0, 0.0), 20.0, Signature(64, 1), RATE)
    with pytest.raises(TakeError, match="key"):  # a take that could not be read back is not made
        recipe_of(TakeOrder(bpm=120.0, bars=1, key="F sharp harmonic minor"), lambda line: None, tmp_path)


def test_orders_of_one_name_keep_their_own_errors(tmp_path: Path, engine: WatchedEngine) -> None:  # noqa: F811
    """Two regions of one name in a DAW: their errors are separate."""
    (tmp_path / ".bad.wav").write_bytes(b"no sound in here")
    music(tmp_path / ".good.wav")
    orders = [
        jobs.checked({"path": f".{name}.wav", "role": "style", "bpm": "120", "name": "Guitar"}, "order", tmp_path)
        for name in ("bad", "good")
    ]
    for given, errors in ((orders, 1), ([orders[0]], 1), ([orders[1]], 1)):
        watched = watch.FolderWatch(watch.WatchOptions(tmp_path, TakeOrder(bars=1), once=True), Screen())
        for order in given:
            watched._ordered.put(order)
        watched.run()
        assert len(list(tmp_path.glob("Guitar-*-error.txt"))) == errors
    assert len(takes(tmp_path)) == 2
    music(tmp_path / ".bad.wav")
    watched = watch.FolderWatch(watch.WatchOptions(tmp_path, TakeOrder(bars=1), once=True), Screen())
    watched._ordered.put(orders[0])
    watched.run()
    assert not list(tmp_path.glob("*-error.txt"))
    assert {os.path.dirname(path) for path in takes(tmp_path)} == {"Guitar-takes"}


def test_mutated_datagrams_at_the_port_are_answered_each() -> None:
    dice, orders = random.Random(19), []  # type: ignore[var-annotated]
    whole = encode(TAKE.address, [7, "/music/riff.wav", "continue"])
    with TakeHandlers(0, orders.append) as port, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.settimeout(10)
        for _ in range(2000):
            datagram = bytearray(whole)
            datagram[dice.randrange(len(datagram))] = dice.randrange(256)
            cut = bytes(datagram[: dice.choice((len(datagram), dice.randrange(len(datagram))))])
            peer.sendto(cut, ("127.0.0.1", port.port))
            (answer,) = parse(peer.recv(65535))
            assert answer.address in (messages.OK.address, messages.ERROR.address)
