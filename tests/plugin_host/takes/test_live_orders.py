"""Bars that were played live, ordered by OSC from `segue watch`: made by the engine's child, noted, told, refused."""

from __future__ import annotations

import lzma
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from bridge.control import history_rows as rows
from bridge.control.arguments import Message
from bridge.control.packet import parse
from plugin_host.console.screen import Screen
from plugin_host.history.history import History
from plugin_host.render.again import JOURNAL, Rendered, render
from plugin_host.takes import live, watch
from plugin_host.takes.engines import EngineRequest, HotEngine
from plugin_host.takes.info import lines_about
from plugin_host.takes.order import TakeOrder
from plugin_host.takes.take import read_take
from plugin_host.takes.take_handlers import TakeHandlers
from plugin_host.takes.watch import FolderWatch, WatchOptions

PIANO = Path(__file__).parents[2] / "data" / "journals" / "piano-240bpm.jsonl.xz"  # bars 1 to 6, by the embedded model
BAR = 48_000
Made = list[tuple[int, str, str]]


@pytest.fixture
def gig(tmp_path: Path) -> Path:
    lane = tmp_path / "gig" / "lane-0"
    (lane / "references").mkdir(parents=True)
    (lane / JOURNAL).write_bytes(lzma.decompress(PIANO.read_bytes()))
    return lane.parent


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    """What a watch reports to its engine; no take here needs the engine itself."""
    reported: Made = []

    @contextmanager
    def hot(request: object, say: object) -> Iterator[HotEngine]:
        yield HotEngine(None, "none", "", "", lambda: True, made=lambda *about: reported.append(about))  # type: ignore[arg-type]

    monkeypatch.setattr(watch, "hot_engine", hot)
    return reported


def asked(port: int, row: Message, *values: object) -> tuple[object, ...]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.settimeout(60)
        out.sendto(row.pack(5, *values), ("127.0.0.1", port))
        (packet,) = parse(out.recv(9216))
        return packet.address.rpartition("/")[2], *packet.values[2:]


def test_bars_of_a_journal_are_ordered_made_and_exported(
    tmp_path: Path, gig: Path, made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, heard = tmp_path / "song", list[Rendered]()

    def remembered(*values: object) -> Rendered:
        heard.append(render(*values))  # type: ignore[arg-type]
        return heard[-1]

    monkeypatch.setattr(live, "render", remembered)
    watched = FolderWatch(WatchOptions(folder, TakeOrder(session=folder), EngineRequest(), once=True), Screen())
    with TakeHandlers(0, watched._ordered.put, folder) as handlers:
        assert "full path" in str(asked(handlers.port, rows.TAKES_LIVE, "gig"))
        assert "holds no journal" in str(asked(handlers.port, rows.TAKES_LIVE, str(tmp_path)))
        assert asked(handlers.port, rows.TAKES_LIVE, str(gig), 2, 3, 0, "piano") == ("ok",)
        assert asked(handlers.port, rows.TAKES_LIVE, str(gig), 4, 3) == ("ok",)
        watched.run()
        (path,) = (folder / "live").glob("*.wav")
        audio = read_take(path).audio
        np.testing.assert_allclose(audio, heard[0].audio[3 * BAR : 5 * BAR], atol=2**-22)
        assert np.abs(audio).max() > 0.01
        assert made == [(5, "live", str(path))]
        (noted,) = (folder / "takes.txt").read_text().splitlines()
        assert noted.split("\t") == [str(path), "12", "2", "240", str(3 * BAR), "48000"]
        (error,) = folder.glob("*error.txt")
        assert error.name == "live-error.txt"
        assert error.read_text().strip().endswith("heard: 1 to 6")
        path.unlink()
        monkeypatch.setattr(live, "render", lambda *about: heard[0])
        assert asked(handlers.port, rows.TAKES_EXPORT, str(tmp_path / "out.wav")) == ("ok", 2)
    with History(folder) as history:
        (node,) = history.nodes()
        assert (node.start_bar, node.bars, node.lane, node.prompt) == (3, 2, "piano", "warm lofi piano")
    assert (tmp_path / "out.wav").stat().st_size > 6 * 2 * BAR


def test_info_says_what_a_journal_holds(gig: Path) -> None:
    said = "\n".join(lines_about(gig / "lane-0" / JOURNAL))
    assert "journal of lane 0, 48000 Hz" in said
    assert "heard: bars 1 to 6 at 240 bpm, 6.0 s\nasked: warm lofi piano; model embedded" in said
    assert f"`segue takes live {gig}` makes takes of it" in "\n".join(lines_about(gig))
