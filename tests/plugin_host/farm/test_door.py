"""The door of a farm, over its real connection."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from bridge.errors import EndpointError, NotAllowed, OutOfRange
from plugin_host.farm.door import Door, ask
from plugin_host.farm.placement import Place, Placement
from plugin_host.relay.jitter_buffer import BufferChoice
from plugin_host.relay.relay import Relay

pytest.importorskip("cryptography")
SECRET = "a secret of the tests"


class OpenDoor:
    """A door of two places, and what it was asked to do."""

    def __init__(self) -> None:
        self.placement, self.acts = Placement(), list[tuple[str, str, bool]]()
        self.port = 0

    async def __aenter__(self) -> OpenDoor:
        for number in range(2):
            self.placement.set(Place(f"engine-{number}", "127.0.0.1:1", 0, 1))
        self._door = Door(self.placement, SECRET, self._act)
        self.port = await self._door.open("127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._door.close()

    async def _act(self, act: str, name: str, at_once: bool) -> None:
        self.acts.append((act, name, at_once))

    async def ask(self, secret: str = SECRET, **words: Any) -> dict[str, Any]:
        return await ask(("127.0.0.1", self.port), secret, **words)


def test_it_tells_how_the_farm_is_and_does_what_it_is_asked() -> None:
    async def talk() -> list[tuple[str, str, bool]]:
        async with OpenDoor() as door:
            found = await door.ask()
            assert [place["name"] for place in found["places"]] == ["engine-0", "engine-1"]
            assert found["waiting"] == 0
            await door.ask(act="drain", place="engine-1", now=True)
            await door.ask(act="down")
            with pytest.raises(OutOfRange, match="no place 'x'; there are engine-0, engine-1"):
                await door.ask(act="drain", place="x")
            with pytest.raises(NotAllowed, match="another secret"):
                await door.ask("another one of sixteen")
            return door.acts

    assert asyncio.run(talk()) == [("drain", "engine-1", True), ("down", "", False)]


def test_nobody_at_the_address_is_said() -> None:
    with pytest.raises(EndpointError, match="no farm at"):
        asyncio.run(ask(("127.0.0.1", 1), SECRET))


def test_a_relay_is_told_its_turn_and_placed_when_there_is_room() -> None:
    async def wait(relay: Relay) -> None:
        async with OpenDoor() as door:
            for token in ("a", "b"):
                door.placement.place(token, time.monotonic())
            relay._where = ("127.0.0.1", door.port)
            running = asyncio.ensure_future(relay.run())
            for _ in range(600):
                await asyncio.sleep(0.05)
                if "place 1 in the queue" in relay.away_text:
                    door.placement.set(Place("engine-2", "127.0.0.1:2", 0, 1))
                if door.placement.sessions_at("engine-2"):
                    break
            relay.quit()
            await running
            assert door.placement.sessions_at("engine-2") == 1

    asyncio.run(wait(Relay(("127.0.0.1", 0), SECRET, BufferChoice(), lambda text: None)))
