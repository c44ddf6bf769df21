"""A lane on another machine: an engine in its process, its listener and a relay, and clients that know of neither.

Listener and relay share a thread here; `segue bench --far` puts them into two network namespaces.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from engine_rig import Engine, wait_for

from bridge.control import far_rows, messages
from bridge.errors import NoAnswer, NotAllowed, NotReady, OutOfRange, RegionMissing, RegionTransfer, SegueError
from bridge.far import frames
from bridge.far.frames import Kind
from bridge.region.capture import Captured, put_capture
from bridge.ring.reader import RingReader
from bridge.time.transport import Grid, Transport
from engine.serve.far.listener import Listener
from plugin_host.client.client import EngineClient
from plugin_host.client.replies import Understood
from plugin_host.relay import requests
from plugin_host.relay.beside import RelayEnded, relay_beside
from plugin_host.relay.connection import FarConnection
from plugin_host.relay.jitter_buffer import BufferChoice
from plugin_host.relay.relay import Relay
from plugin_host.relay.run import RelayOptions

pytest.importorskip("cryptography")
SECRET = "a secret of the tests"
RATE, BLOCK = 48_000, 256
GRID = Grid(RATE, 120.0)
BARS, BAR_SAMPLES = 2, 96_000


class FarRig:
    """Listener and relay of an engine, on a thread of their own."""

    def __init__(self, engine: Engine) -> None:
        self.lines: list[str] = []
        self._engine_port, self.far_port = engine.port, 0
        self.relay: Relay
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()), daemon=True)
        self._thread.start()
        assert self._ready.wait(30)
        wait_for(lambda: not self.relay.away_text)

    async def _run(self) -> None:
        listener = Listener(self._engine_port, SECRET, "")
        self.far_port = await listener.start("127.0.0.1", 0)
        self.relay = Relay(("127.0.0.1", self.far_port), SECRET, BufferChoice(), self.lines.append)
        await self.relay.port.open(0)
        serving = asyncio.ensure_future(listener.run())
        self._ready.set()
        try:
            await self.relay.run()
            await asyncio.sleep(0.3)  # the listener reads the relay's bye
        finally:
            serving.cancel()
            await asyncio.wait([serving])

    def call(self, act: Callable[[], object]) -> None:
        """Do something on their thread."""
        self._loop.call_soon_threadsafe(act)

    def cut(self) -> None:
        """The connection breaks."""
        losses = self.relay.losses
        self.call(lambda: self.relay._connection and self.relay._connection.close())
        wait_for(lambda: self.relay.losses > losses)

    @property
    def over(self) -> bool:
        return not self._thread.is_alive()

    def close(self) -> None:
        self.call(self.relay.quit)
        self._thread.join(30)
        assert self.over


@pytest.fixture
def far(engine: Engine) -> Iterator[FarRig]:
    rig = FarRig(engine)
    yield rig
    if not rig.over:
        rig.close()


@pytest.fixture
def near(far: FarRig) -> Iterator[EngineClient]:
    with EngineClient(far.relay.port.port, name="near") as made:
        yield made


def take(client: EngineClient, at_half: Callable[[], None] = lambda: None) -> tuple[np.ndarray, str]:
    """The music of two bars from one seed, read as a host that waits for it; and its ring's name."""
    opened = client.open_lane(-1, RATE, 2, waits=True)
    reader = RingReader.attach(opened.ring)
    out, position = np.zeros((BARS * BAR_SAMPLES, 2), np.float32), 0
    try:
        reader.publish(Transport(False, 0, GRID), 0, BLOCK)
        client.set(opened.lane, "seed", 7)
        client.prompt(opened.lane, "a bass")
        client.play(opened.lane, 0.0, BARS)
        deadline = time.monotonic() + 60
        while position < len(out):
            assert time.monotonic() < deadline, f"no music at {position}"
            reader.publish(Transport(True, position, GRID), 0, BLOCK)
            reader.look()
            count = min(BLOCK, len(out) - position)
            if reader.ahead_samples(position) < count:
                time.sleep(0.002)
                continue
            assert reader.take(position, out[position : position + count], 0) == (0, count)
            before, position = position, position + count
            if before < len(out) // 2 <= position:
                at_half()
    finally:
        reader.close()
        client.close_lane(opened.lane)
    return out, opened.ring


def test_a_take_through_a_relay_is_the_same_to_the_bit_also_when_the_connection_breaks(
    engine: Engine, client: EngineClient, far: FarRig, near: EngineClient
) -> None:
    known, ring = take(client)
    assert np.abs(known).max() > 0.001
    assert ring in engine.segments() or str(engine.process.pid) in ring
    came, copy = take(near)
    assert np.array_equal(came, known)
    assert str(engine.process.pid) not in copy
    again, _ = take(near, at_half=far.cut)
    assert np.array_equal(again, known)
    assert far.relay.losses >= 1
    wait_for(lambda: not engine.segments())


def test_regions_go_along(client: EngineClient, far: FarRig, near: EngineClient, tmp_path: Path) -> None:
    music = 0.3 * np.sin(np.arange(2 * RATE)[:, None] / np.array([30.0, 31.0])).astype(np.float32)
    path = tmp_path / "riff.wav"
    soundfile.write(path, music, RATE, subtype="FLOAT")
    captured = put_capture(901, Captured(music, RATE, 120.0, 4.0))
    understood = []
    try:
        for each in (client, near):
            lane = each.open_lane(-1, RATE, 2).lane
            understood.append(each.region_file(lane, "continue", path, 120.0, 4.0))
            understood.append(Understood(*each.call(messages.REGION_CAPTURE, lane, "continue", captured.name, "now")))
            each.close_lane(lane)
        lane = near.open_lane(-1, RATE, 2).lane
        with pytest.raises(RegionMissing):
            near.region_file(lane, "continue", tmp_path / "none.wav", 120.0, 4.0)
        near.close_lane(lane)
    finally:
        captured.close()
        captured.unlink()
    file, capture, far_file, far_capture = (each.seconds for each in understood)
    assert (file, capture) == (far_file, far_capture)
    assert file > 1.9


def test_what_belongs_to_the_engines_machine_is_refused_on_both_sides(
    engine: Engine, far: FarRig, near: EngineClient
) -> None:
    with pytest.raises(NotAllowed, match="only on the engine's own machine"):
        near.load_model("embedded")

    async def raw() -> list[tuple[str, tuple[object, ...]]]:
        """A relay that passes everything on."""
        from bridge.far.osc import answer_of

        connection = await FarConnection.open("127.0.0.1", far.far_port, SECRET)
        connection.greet("another", {})
        for datagram in (
            messages.MODEL_LOAD.pack(1, "embedded", "", "auto"),
            messages.QUIT.pack(2),
            messages.REGION_FILE.pack(3, 0, "continue", "/etc/hostname", 120.0, 0.0, "now"),
            messages.PING.pack(4),
        ):
            connection.send(frames.datagram(1, datagram))
        found = []
        async for kind, payload in connection.incoming():
            if kind is Kind.DATAGRAM:
                found.append(answer_of(frames.datagram_of(payload)[1]))
            if len(found) == 4:
                break
        await connection.leave()
        return found

    answers = {values[0]: values[2] for _, values in asyncio.run(raw())}
    assert [answers[id] for id in (1, 2, 3)] == [NotAllowed.code, NotAllowed.code, RegionTransfer.code]
    assert engine.process.poll() is None


def test_the_relay_tells_its_buffer_and_answers_while_the_engine_is_away(
    far: FarRig, near: EngineClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "WAIT_SECONDS", 0.3)
    state, where, *_ = near.call(far_rows.FAR)
    assert (state, where) == ("connected", f"127.0.0.1:{far.far_port}")
    assert near.call(far_rows.FAR_BUFFER, "beats", 0.25) == ("beats", 125.0, 0.25)
    with pytest.raises(OutOfRange, match="a buffer in beats is 0 to 4"):
        near.call(far_rows.FAR_BUFFER, "beats", 5.0)
    near.ping()
    far.relay._where = ("127.0.0.1", 1)  # nobody listens there
    far.cut()
    with pytest.raises(NotReady, match="out of reach"):
        near.status()
    assert near.ping() > 0
    assert near.call(far_rows.FAR)[0] == "away"
    far.relay._where = ("127.0.0.1", far.far_port)
    wait_for(lambda: not far.relay.away_text)
    assert near.status().state == "ready"
    assert any("again after" in line for line in far.lines)


def test_quit_ends_the_relay_and_not_the_engine(engine: Engine, far: FarRig, near: EngineClient) -> None:
    lane = near.open_lane(-1, RATE, 2)
    near.quit()
    wait_for(lambda: far.over)
    wait_for(lambda: not engine.segments())
    assert engine.process.poll() is None
    with pytest.raises(SegueError):
        RingReader.attach(lane.ring)


def test_another_secret_is_not_let_in(far: FarRig) -> None:
    with pytest.raises(NotAllowed, match="has another secret"):
        asyncio.run(FarConnection.open("127.0.0.1", far.far_port, "another one of sixteen"))


def test_a_command_has_its_own_relay_for_as_long_as_it_lives(engine: Engine, client: EngineClient, far: FarRig) -> None:
    where, said = f"127.0.0.1:{far.far_port}", list[str]()
    with relay_beside(RelayOptions(where, SECRET, 0, "80ms"), said.append) as port:
        with EngineClient(port, name="command") as made:
            opened = made.open_lane(-1, RATE, 2)
            assert str(engine.process.pid) not in opened.ring
            lane = opened.lane
            assert made.get(lane, "cfg") == client.get(lane, "cfg")
        assert any("buffer 80 ms = 0.16 beats (ms)" in line for line in said), said
    with pytest.raises(NoAnswer), EngineClient(port, name="command"):
        pass
    wait_for(lambda: _closed(client, lane))
    wrong = RelayOptions(where, SECRET[::-1], 0, "auto")
    with pytest.raises(RelayEnded, match="another secret"), relay_beside(wrong, said.append):
        pass


def _closed(client: EngineClient, lane: int) -> bool:
    try:
        client.get(lane, "cfg")
    except SegueError:
        return True
    return False
