"""`segue farm up`, and the questions to a farm that is up."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bridge.errors import OutOfRange
from bridge.far import frames
from plugin_host.farm import door
from plugin_host.farm.farm import Farm, FarmOptions


def address(text: str) -> tuple[str, int]:
    """HOST or HOST:PORT; OutOfRange.  [main]"""
    try:
        return frames.address_of(text)
    except ValueError as fault:
        raise OutOfRange(str(fault)) from None


def run_farm(options: FarmOptions, say: Callable[[str], None]) -> None:
    """Keep a farm up until Ctrl-C or `segue farm down`; FarmError, EndpointError.  [main]"""
    asyncio.run(_run(options, say))


async def _run(options: FarmOptions, say: Callable[[str], None]) -> None:
    farm = Farm(options, say)
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(number, farm.down)
    await farm.run()


def ask_farm(where: str, secret: str, say: Callable[[str], None], **words: Any) -> None:
    """Ask a farm, and print how it is; SegueError.  [main]"""
    found = asyncio.run(door.ask(address(where), secret, **words))
    for place in found["places"]:
        up, draining = bool(place["address"]), place["draining"]
        state = ("drained" if up else "stopped") if draining else ("ready" if up else "not up")
        say(f"{place['name']:<12} {state:<8} {place['lanes']} of {place['lanes_max']} lanes, "
            f"{place['sessions']} players, {place['address']}")  # fmt: skip
    say(f"{found['waiting']} in the queue")
