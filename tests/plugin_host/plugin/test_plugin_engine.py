"""The plugin starts the engine when none runs: the real engine, CLAP hosts, and the file of `segue plugin install`."""

from __future__ import annotations

import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.ring.shared_memory import pid_alive
from plugin_host.client.engine_process import free_port
from plugin_host.plugin import engine_order
from plugin_host.plugin.engine_order import EngineOrder, read_order, write_order
from tests.plugin_host.plugin.plugin_rig import PATIENCE_SECONDS, DrivenHost, ask_plugin

CONNECTED, STARTING, LOADING, WARMING = 2, 12, 14, 15
MODEL_FAILED, PORT_TAKEN, START_FAILED = 16, 17, 18


class Started:
    """Where a plugin starts its engine: the port, the order, and what it leaves in the folder."""

    def __init__(self, folder: Path) -> None:
        self.port, self.folder = free_port(), folder / "segue" / "engine"

    def log(self) -> str:
        path = self.folder / f"engine-{self.port}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def pids(self) -> list[int]:
        """Engines that said which process they are, in this log."""
        return [int(found) for found in re.findall(r"listening on .*, pid (\d+)", self.log())]

    def ended(self) -> str:
        path = self.folder / f"engine-{self.port}.end"
        return path.read_text() if path.exists() else ""

    def wait_until_ended(self) -> str:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.ended():
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)
        return self.ended()


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Started]:
    monkeypatch.setenv(engine_order.VARIABLE, str(tmp_path / "plugin-engine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    here = Started(tmp_path)
    yield here
    for pid in here.pids():
        if pid_alive(pid):
            os.kill(pid, signal.SIGTERM)
            here.wait_until_ended()


@pytest.fixture
def hosts(bundles: Path, started: Started) -> Iterator[list[DrivenHost]]:
    made = [DrivenHost(bundles, started.port) for _ in range(2)]
    yield made
    for host in made:
        host.end()


def _seen(host: DrivenHost, last: int) -> list[int]:
    """The states that a plugin shows, up to one."""
    states: list[int] = []

    def reached() -> bool:
        states.append(int(host.value("engine")))
        return states[-1] == last

    host.until(reached)
    return states


@pytest.mark.skipif(not os.path.exists("/proc"), reason="the hosts of this test are for Linux")
def test_the_engine_is_there_and_stays(started: Started, hosts: list[DrivenHost]) -> None:
    """Its model fails: said, and not tried again. A press starts the embedded one, for both DAWs; it outlives them."""
    write_order(EngineOrder(idle_minutes=0.03, model="no-such-model"))
    first, second = hosts
    first.do("open")
    assert STARTING in _seen(first, MODEL_FAILED)
    log = started.log()
    assert "no-such-model" in str(ask_plugin(int(first.value("port")), "status")[2])
    second.do("open")
    _seen(second, MODEL_FAILED)
    assert started.log() == log, "it was tried again"
    second.run(generate=1)
    states = _seen(second, CONNECTED)
    assert {STARTING} < set(states) <= {MODEL_FAILED, STARTING, LOADING, WARMING, CONNECTED}
    first.until(lambda: first.value("engine") == CONNECTED)
    assert len(started.pids()) == 1, "one for both"
    assert first.value("lane_now") != second.value("lane_now")
    for host in hosts:
        host.do("close")
        host.end()
    assert pid_alive(started.pids()[0])
    assert started.wait_until_ended().split("\n")[0] == "0"
    assert "not used for 0.03 minutes" in started.log()


def test_a_port_of_another_program_is_said(started: Started, hosts: list[DrivenHost]) -> None:
    write_order(EngineOrder())
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", started.port))
        hosts[0].do("open")
        _seen(hosts[0], PORT_TAKEN)
    assert "taken by another program" in str(ask_plugin(int(hosts[0].value("port")), "status")[2])


def test_a_python_that_is_gone_is_said(started: Started, hosts: list[DrivenHost]) -> None:
    path = write_order(EngineOrder())
    path.write_text(re.sub(r"run=.*", "run=/nowhere/python", path.read_text(), count=1))
    hosts[0].do("open")
    _seen(hosts[0], START_FAILED)
    state, why = ask_plugin(int(hosts[0].value("port")), "status")[1:3]
    assert state == "Failed to start"
    assert "/nowhere/python" in str(why)
    assert "segue plugin install" in str(why)


def test_the_order_is_kept_and_can_be_turned_off(started: Started) -> None:
    assert read_order() is None
    order = EngineOrder(0.0, "a model", "cuda:1")
    write_order(order)
    assert read_order() == order
    write_order(EngineOrder(start=False))
    known = read_order()
    assert known is not None
    assert not known.start
