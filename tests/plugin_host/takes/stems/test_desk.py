"""Stems ordered by OSC and by files in a watched folder: made, told, cancelled, refused."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_stems_run import Engine, files, order_in

from bridge.control import messages
from bridge.control.packet import parse
from bridge.control.take_rows import STEMS, STEMS_CANCEL, STEMS_PROGRESS
from plugin_host.console.screen import Screen
from plugin_host.takes import watch
from plugin_host.takes.engines import EngineRequest, HotEngine
from plugin_host.takes.order import TakeOrder
from plugin_host.takes.watch import FolderWatch, WatchOptions

WAIT_SECONDS = 60
LANES = ("drums", "bass", "keys")


@pytest.fixture
def song(tmp_path: Path) -> Path:
    order_in(tmp_path)
    return tmp_path / "song.wav"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine(monkeypatch)

    @contextmanager
    def hot(request: object, say: object) -> Iterator[HotEngine]:
        yield made.hot

    monkeypatch.setattr(watch, "hot_engine", hot)
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watch, "SETTLE_SECONDS", 0.02)
    return made


def watching(folder: Path, port: int = -1) -> FolderWatch:
    return FolderWatch(WatchOptions(folder, TakeOrder(rate_hz=16_000), EngineRequest(), port, once=True), Screen())


def lines(**fields: object) -> str:
    given = {"path": "song.wav", "role": "melody", "bpm": 240, "region_bpm": 240, "bars": 2, "seed": 7, **fields}
    return "".join(f"{name}={value}\n" for name, value in given.items())


def test_a_file_orders_stems_and_the_best_variation_is_noted_for_the_daw(song: Path, engine: Engine) -> None:
    folder = song.parent
    song.rename(folder / ".song.wav")
    (folder / "x.segue").write_text(lines(path=".song.wav", lanes="drums,keys", variations=2, name="verse"))
    watching(folder).run()
    assert not list(folder.glob("*error.txt")), [path.read_text() for path in folder.glob("*error.txt")]
    made = files(folder / "verse-takes")
    assert {"1/drums.wav", "2/keys.wav", "1/mix.wav", "index.html", "stems.dawproject"} <= made
    noted = [line.split("\t") for line in (folder / "takes.txt").read_text().splitlines()]
    assert sorted(Path(row[0]).stem for row in noted) == ["drums", "keys"]
    assert len({Path(row[0]).parent for row in noted}) == 1
    assert {row[1] for row in noted} == {"0"}


@pytest.mark.parametrize(
    ("fields", "word"),
    [({"lanes": "drums,kazoo"}, "kazoo"), ({"lanes": "bass", "takes": 2}, "no 'takes'"),
     ({"lanes": "bass,bass"}, "twice"), ({"lanes": "bass", "variations": 0}, "variations")],
)  # fmt: skip
def test_orders_of_stems_that_make_no_sense_are_refused(
    song: Path, engine: Engine, fields: dict[str, object], word: str
) -> None:
    song.rename(song.parent / ".song.wav")
    (song.parent / "x.segue").write_text(lines(path=".song.wav", **fields))
    watching(song.parent).run()
    (error,) = song.parent.glob("*error.txt")
    assert word in error.read_text()
    assert not engine.seen


def test_an_order_is_cancelled_by_removing_its_file(song: Path, engine: Engine) -> None:
    folder = song.parent
    song.rename(folder / ".song.wav")
    order = folder / "x.segue"
    order.write_text(lines(path=".song.wav", lanes="drums,keys", variations=1, name="verse"))
    engine.held = threading.Event()

    def remove() -> None:
        while not (folder / "verse-takes" / "1" / "drums.wav").exists():
            threading.Event().wait(0.005)
        order.unlink()

    remover = threading.Thread(target=remove)
    remover.start()
    watching(folder).run()
    remover.join()
    made = files(folder / "verse-takes")
    assert "1/drums.wav" in made
    assert not {"1/keys.wav", "1/mix.wav"} & made
    assert not (folder / "takes.txt").exists()
    assert not list(folder.glob("*error.txt"))


class Panel:
    """A client that orders stems and listens to their progress."""

    def __init__(self, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(WAIT_SECONDS)
        self.to = ("127.0.0.1", port)

    def say(self, datagram: bytes) -> None:
        self.socket.sendto(datagram, self.to)

    def hear(self) -> tuple[str, list[object]]:
        (packet,) = parse(self.socket.recv(65535))
        return packet.address, list(packet.values)

    def until(self, address: str, state: str = "") -> list[list[object]]:
        """All progress up to a message."""
        heard = []
        while True:
            found, values = self.hear()
            if found == STEMS_PROGRESS.address:
                heard.append(values)
            if found == address and state in ("", values[1]):
                return heard


@pytest.fixture
def panel(song: Path, engine: Engine) -> Iterator[Panel]:
    """A watch at work on its own thread, in a folder of its own, until it has nothing to do after its last order."""
    watched = watching(song.parent / "watched", 0)
    watched._options = WatchOptions(watched.folder, TakeOrder(rate_hz=16_000), EngineRequest(), 0, once=False)
    ended = threading.Event()

    def look(engine: object) -> bool:
        if ended.is_set():
            raise KeyboardInterrupt
        return FolderWatch._orders(watched, engine)  # type: ignore[arg-type]

    watched._orders = look  # type: ignore[method-assign]

    def run() -> None:
        try:
            watched.run()
        except KeyboardInterrupt:
            return

    thread = threading.Thread(target=run)
    thread.start()
    while not watched.port:
        threading.Event().wait(0.005)
    yield Panel(watched.port)
    ended.set()
    thread.join()


def ordered(song: Path, number: int, lanes: str = "drums,bass,keys", variations: int = 2) -> bytes:
    return STEMS.pack(number, str(song), "melody", 240.0, lanes, variations, 4, 4, 8.0, 2, 7)


def test_an_order_by_osc_is_told_from_beginning_to_end(panel: Panel, song: Path, engine: Engine) -> None:
    panel.say(ordered(song, 5))
    heard = panel.until(STEMS_PROGRESS.address, "done")
    made = [values for values in heard if values[1] == "made"]
    assert [(values[2], values[3]) for values in made] == [(count, 6) for count in range(1, 7)]
    assert {(values[5], values[6]) for values in made} == {
        (v, name) for v in (1, 2) for name in ("drums", "bass", "keys")
    }
    assert all(Path(str(values[8])).is_file() and 0 <= float(str(values[7])) <= 1 for values in made)
    assert heard[-1][:5] == [5, "done", 6, 6, 1.0]
    panel.say(STEMS.pack(6, str(song), "melody", 240.0, "kazoo"))
    address, values = panel.hear()
    assert address == messages.ERROR.address
    assert "kazoo" in str(values)


def test_an_order_is_cancelled_while_it_is_made_and_goes_on_when_ordered_again(
    panel: Panel, song: Path, engine: Engine
) -> None:
    engine.held = threading.Event()  # holds the second take until it is cancelled
    panel.say(ordered(song, 5, variations=1))
    panel.until(messages.OK.address)
    while panel.hear()[1][1] != "made":
        pass
    panel.say(STEMS_CANCEL.pack(9, 5))
    heard = panel.until(STEMS_PROGRESS.address, "cancelled")
    done = int(str(heard[-1][2]))
    assert 1 <= done < 3
    engine.held.set()
    engine.held = None
    before = len(engine.seen)
    panel.say(STEMS_CANCEL.pack(10, 5))
    address, values = panel.hear()
    if address == messages.OK.address:  # the first cancellation's answer, if it comes behind its progress
        address, values = panel.hear()
    assert address == messages.ERROR.address
    assert "no order 5" in str(values)
    panel.say(ordered(song, 6, variations=1))
    panel.until(STEMS_PROGRESS.address, "done")
    assert len(engine.seen) - before <= 3 - done + 1
