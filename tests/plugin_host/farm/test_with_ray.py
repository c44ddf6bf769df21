"""A farm of one engine in Ray, as `segue farm` runs it. Ray is no part of `segue[dev]`: without it, it is skipped."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest

from plugin_host.farm.door import ask
from plugin_host.farm.farm import Farm, FarmError, FarmOptions

SECRET = "a secret of the tests"
UP_SECONDS = 110.0
with_ray = pytest.mark.skipif(find_spec("ray") is None, reason="a farm needs Ray: pip install 'segue[farm]'")


def options(port: int) -> FarmOptions:
    words = ("--model", "embedded", "--lanes", "2", "--device", "cpu", "--threads", "1")
    return FarmOptions(("127.0.0.1", port), SECRET, 1, 0.1, 0, "", words)


@pytest.mark.skipif(find_spec("ray") is not None, reason="Ray is here")
def test_without_ray_it_says_how_to_get_it() -> None:
    with pytest.raises(FarmError, match=r"pip install 'segue\[farm\]'"):
        Farm(options(0), lambda text: None)


@with_ray
@pytest.mark.timeout(400)
def test_an_engine_is_drained_brought_back_and_killed() -> None:
    pytest.importorskip("cryptography")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    async def act(**words: Any) -> dict[str, Any]:
        return (await ask(("127.0.0.1", port), SECRET, **words))["places"][0]

    async def until(condition: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
        deadline = time.monotonic() + UP_SECONDS
        while not condition(place := await act()):
            assert time.monotonic() < deadline, place
            await asyncio.sleep(0.5)
        return place

    async def whole() -> None:
        farm = Farm(options(port), lambda text: None)
        running = asyncio.ensure_future(farm.run())
        while farm.placement.places == []:
            await asyncio.sleep(0.1)
        try:
            first = await until(lambda place: place["address"])
            assert (first["lanes"], first["lanes_max"]) == (0, 2)
            await act(act="drain", place="engine-0", now=True)
            assert (await until(lambda place: not place["address"]))["draining"]
            await act(act="undrain", place="engine-0")
            assert not (await until(lambda place: place["address"]))["draining"]
            farm._ray.kill(farm._actors["engine-0"], no_restart=True)
            await until(lambda place: not place["address"])
            await until(lambda place: place["address"])
            await act(act="down")
        finally:
            farm.down()
            await running

    asyncio.run(whole())
