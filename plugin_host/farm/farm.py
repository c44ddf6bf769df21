"""The farm: Ray actors, looked at once a second, and the door before them. All of it [main]."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from bridge.errors import SegueError
from plugin_host.farm.door import Door
from plugin_host.farm.engine_actor import EngineActor
from plugin_host.farm.placement import Place, Placement

LOOK_SECONDS = 1.0
STATE_SECONDS = 10.0
READY = "ready at"
OBJECT_STORE_BYTES = 2**27  # of Ray, in /dev/shm, which is for rings: no audio goes through it


class FarmError(SegueError):
    """Ray is missing, or has not what was asked for."""

    code = "farm"


@dataclass(frozen=True)
class FarmOptions:
    """`cluster`: a Ray cluster's address, empty for this machine alone. Each engine gets `cpus` and `gpus`."""

    listen: tuple[str, int]
    secret: str
    engines: int
    cpus: float
    gpus: float
    cluster: str
    arguments: tuple[str, ...]


class Farm:
    """From `run` to `down`."""

    def __init__(self, options: FarmOptions, say: Callable[[str], None]) -> None:
        self._options, self._say = options, say
        self._ray = _ray()
        self.placement = Placement()
        self._actors: dict[str, Any] = {}
        self._down = asyncio.Event()
        self._texts: dict[str, str] = {}

    async def run(self) -> None:
        """Serve until `down`.  [main]"""
        options = self._options
        door = Door(self.placement, options.secret, self._act)
        port = await door.open(*options.listen)
        os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's workers stand back by 15 steps, which no music can
        own = {} if options.cluster else {"object_store_memory": OBJECT_STORE_BYTES}
        quiet = {"log_to_driver": False, "include_dashboard": False, "logging_level": logging.ERROR}
        self._ray.init(address=options.cluster or None, **quiet, **own)
        try:
            for number in range(options.engines):
                self._start(f"engine-{number}")
            self._say(f"door on {options.listen[0]}:{port}, engines that start: {options.engines}")
            while not self._down.is_set():
                await asyncio.gather(*(self._look(name) for name in list(self._actors)))
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._down.wait(), LOOK_SECONDS)
        finally:
            door.close()
            with suppress(Exception):  # actors that are dead already
                await asyncio.wait_for(asyncio.gather(*(a.stop.remote() for a in self._actors.values())), STATE_SECONDS)
            self._ray.shutdown()

    def down(self) -> None:
        """End the farm.  [main]"""
        self._down.set()

    def _start(self, name: str) -> None:
        options = self._options
        wanted = self._ray.remote(num_cpus=options.cpus, num_gpus=options.gpus)(_Placed)
        self._actors[name] = wanted.remote(name, options.secret, options.arguments)
        self._texts.pop(name, None)
        self.placement.set(Place(name))

    async def _look(self, name: str) -> None:
        """Ask an actor for its place; one that has died is started again, wherever there is room."""
        try:
            found = await asyncio.wait_for(self._actors[name].state.remote(), STATE_SECONDS)
        except TimeoutError:
            if self._texts.get(name, "").startswith(READY):
                return  # its machine is busy
            found = {"name": name, "address": "", "lanes": 0, "lanes_max": 0, "text": "it waits for its resources"}
        except Exception as fault:  # Ray's errors of a dead actor
            self._say(f"{name} has died ({type(fault).__name__}): it is started again, its players go on elsewhere")
            self._start(name)
            return
        text = f"{READY} {found['address']}" if found["address"] else str(found.get("text", ""))
        if self._texts.get(name) != text:
            self._texts[name] = text
            self._say(f"{name}: {text}")
        self.placement.set(Place(name, found["address"], found["lanes"], found["lanes_max"]))

    async def _act(self, act: str, name: str, at_once: bool) -> None:
        """What `segue farm` asks for."""
        if act == "down":
            self.down()
        elif act == "undrain":
            self.placement.drain(name, False)
            with suppress(Exception):  # an actor that has died is started again anyway
                await self._actors[name].start.remote()
        else:
            self.placement.drain(name)
            if at_once:
                actor = self._actors[name]
                with suppress(Exception):
                    await actor.stop.remote()
                self.placement.set(Place(name))
        self._say(" ".join(filter(None, (act, name, "at once" if at_once else ""))))


class _Placed(EngineActor):
    """An engine on the machine that Ray chose."""

    def __init__(self, name: str, secret: str, arguments: Sequence[str]) -> None:
        super().__init__(name, _ray().util.get_node_ip_address(), secret, arguments)


def _ray() -> Any:
    try:
        return import_module("ray")
    except ImportError:
        raise FarmError("a farm needs Ray: pip install 'segue[farm]'") from None
