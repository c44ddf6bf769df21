"""The process beside the engine."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.serve.far.process import FarProcess

pytest.importorskip("cryptography")
SECRET = "a secret of the tests"


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def test_it_listens_is_started_again_and_ends_and_its_command_has_no_secret() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])

    def listens() -> bool:
        with socket.socket() as found:
            return found.connect_ex(("127.0.0.1", port)) == 0

    process = FarProcess(("127.0.0.1", port), 1, SECRET, "")
    process.start()
    wait_for(listens)
    child = process._child
    assert child is not None
    if Path("/proc").is_dir():
        said = Path(f"/proc/{child.pid}/cmdline").read_bytes() + Path(f"/proc/{child.pid}/environ").read_bytes()
        assert str(port).encode() in said
        assert SECRET.encode() not in said
    child.kill()
    child.wait()
    assert process.look()
    wait_for(listens)
    process.stop()
    assert not listens()


def test_an_address_of_another_machine_is_no_reason_to_try_again() -> None:
    process = FarProcess(("203.0.113.77", 9600), 1, SECRET, "")
    process.start()
    wait_for(lambda: not process.look())
    process.stop()


def test_without_an_address_there_is_none() -> None:
    process = FarProcess(None, 1, "", "")
    process.start()
    assert process.look()
    process.stop()
