"""A farm's engine is gone: its musician's lane goes on at another one, from its journal, under its own number.

One process plays both engines: two listeners, each with sessions of its own, behind a door.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest
from engine_rig import Engine, wait_for

from bridge.control import messages
from bridge.errors import NoSuchLane, SegueError
from engine.serve.far.listener import Listener
from plugin_host.client.client import EngineClient
from plugin_host.farm.door import Door
from plugin_host.farm.placement import Place, Placement
from plugin_host.relay.jitter_buffer import BufferChoice
from plugin_host.relay.relay import Relay

pytest.importorskip("cryptography")
SECRET = "a secret of the tests"


class FarmRig:
    """A door, two listeners and a relay, on a thread of their own."""

    def __init__(self, engine: Engine) -> None:
        self._engine_port, self.placement = engine.port, Placement()
        self.lines: list[str] = []
        self.relay: Relay
        self._listeners: dict[str, tuple[Listener, asyncio.Task[None]]] = {}
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()), daemon=True)
        self._thread.start()
        assert self._ready.wait(30)
        wait_for(lambda: not self.relay.away_text)

    async def start(self, name: str) -> None:
        listener = Listener(self._engine_port, SECRET, "")
        port = await listener.start("127.0.0.1", 0)
        self._listeners[name] = listener, asyncio.ensure_future(listener.run())
        self.placement.set(Place(name, f"127.0.0.1:{port}", 0, 4))

    async def _run(self) -> None:
        async def nothing(act: str, place: str, at_once: bool) -> None: ...

        await self.start("a")
        door = Door(self.placement, SECRET, nothing)
        port = await door.open("127.0.0.1", 0)
        self.relay = Relay(("127.0.0.1", port), SECRET, BufferChoice(), self.lines.append)
        await self.relay.port.open(0)
        self._ready.set()
        try:
            await self.relay.run()
            await asyncio.sleep(0.3)  # the listener reads the relay's bye
        finally:
            door.close()
            tasks = [task for _, task in self._listeners.values()]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def do(self, act: Callable[[], object]) -> None:
        """Do something on their thread."""
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (act(), done.set()))
        assert done.wait(30)

    def dies(self, name: str) -> None:
        """An engine is gone, with all that it knew; another one, `b`, is there."""
        asyncio.run_coroutine_threadsafe(self.start("b"), self._loop).result(30)
        losses = self.relay.losses

        def die() -> None:
            self.placement.set(Place(name))
            self._listeners[name][1].cancel()
            assert self.relay._connection is not None
            self.relay._connection.close()

        self.do(die)
        wait_for(lambda: self.relay.losses > losses and not self.relay.away_text)

    def close(self) -> None:
        self.do(self.relay.quit)
        self._thread.join(30)
        assert not self._thread.is_alive()


@pytest.fixture
def farm(engine: Engine) -> Iterator[FarmRig]:
    rig = FarmRig(engine)
    yield rig
    rig.close()


def refused(act: Callable[[], object]) -> str:
    try:
        act()
    except SegueError as fault:
        return fault.code
    return ""


def test_a_lane_goes_on_elsewhere_from_its_journal(engine: Engine, client: EngineClient, farm: FarmRig) -> None:
    prompts: dict[int, str] = {}
    others = client.open_lane(-1, 48_000).lane  # somebody else has lane 0
    port = farm.relay.port.port
    with EngineClient(port, name="host") as host, EngineClient(port, name="panel") as panel:
        lane = host.open_lane(-1, 48_000, 2, True).lane
        assert (others, lane) == (0, 0), "each musician's lanes count from 0"
        host.prompt(lane, "house")
        seed = host.play(lane, 0.0, 2).seed
        panel.prompt(lane, "calm pads")
        panel.set(lane, "temperature", 0.625)
        before = client.get(1, "temperature").value
        assert before == 0.625, "the engine has it as its lane 1"

        farm.dies("a")
        wait_for(lambda: refused(lambda: client.get(1, "temperature")) == NoSuchLane.code)
        third = client.open_lane(-1, 48_000).lane
        assert third == 1, "its old number is somebody else's now"

        wait_for(lambda: not refused(host.hello))
        assert host.open_lane(lane, 48_000, 2, True).lane == lane
        host.prompt(lane, "house")  # what it set itself; the panel's prompt came later
        again = host.play(lane, 8.0, 2)
        assert again.seed == seed
        assert again.start_beats == 8.0
        assert (client.get(2, "temperature").value, panel.get(lane, "temperature").value) == (0.625, 0.625)
        assert client.get(third, "temperature").value != 0.625, "the other musician's lane is as it was"
        with EngineClient(engine.port, name="watcher", on_event=lambda event: prompts.update(
            {int(str(event.values["lane"])): str(event.values["text"])}
            if event.message is messages.STATE_PROMPT else {}
        )) as watcher:  # fmt: skip
            watcher.call(messages.SUBSCRIBE, "lane", 10.0, -1)
            wait_for(lambda: prompts.get(2) == "calm pads")
        assert any("lane 0 goes on from its journal: 3 of 3 settings" in line for line in farm.lines), farm.lines
        host.close_lane(lane)
    for number in (others, third):
        client.close_lane(number)
