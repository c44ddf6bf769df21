"""Fixtures: a tiny real model, an engine that runs on it, a client of that engine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from engine_rig import GOLDEN, Engine, unpack, wait_for

from bridge.ring import shared_memory
from plugin_host.client.client import EngineClient


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory) -> list[str]:
    """Options that make the engine load a tiny text model whose window is 3 seconds."""
    folder = tmp_path_factory.mktemp("models")
    os.environ["SEGUE_CACHE"] = str(folder / "cache")  # where converted checkpoints go
    model = unpack(GOLDEN / "audiocraft" / "text" / "ckpt", folder / "tiny")
    t5 = unpack(GOLDEN / "t5_tiny", folder / "t5")
    return ["--model", str(model), "--t5", str(t5), "--threads", "1"]


@pytest.fixture(scope="session")
def start_engine(tiny_model) -> Iterator[Callable[..., Engine]]:
    """Starts engines on the tiny model; engines that still run end with the tests."""
    started: list[Engine] = []

    def start(*options: str, port: int | None = None, program: tuple[str, ...] = ("-m", "engine")) -> Engine:
        started.append(Engine([*tiny_model, *options], port, program))
        return started[-1]

    yield start
    for engine in started:
        engine.process.kill()
        engine.process.wait()
    shared_memory.remove_stale()


@pytest.fixture(scope="session")
def shared_engine(start_engine) -> list[Engine]:
    """The engine that plays for all tests, at most one."""
    return []


@pytest.fixture
def engine(start_engine, shared_engine: list[Engine]) -> Iterator[Engine]:
    """The engine that plays for all tests; a new one where the last test has ended it. A test leaves no lane in it."""
    if not shared_engine or shared_engine[0].process.poll() is not None:
        shared_engine[:] = [start_engine().wait_ready()]
    yield shared_engine[0]
    if shared_engine[0].process.poll() is None:
        wait_for(lambda: not shared_engine[0].segments())


@pytest.fixture
def client(engine) -> Iterator[EngineClient]:
    with EngineClient(engine.port) as made:
        yield made
