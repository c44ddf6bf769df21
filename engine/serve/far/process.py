"""The process that listens for relays, started by the engine as `python -m engine.serve.far.process`.

The music's process does no encryption, and no relay can stop it: this one is its client and host like any other.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

from bridge.errors import EndpointError
from bridge.ring.shared_memory import pid_alive
from engine.serve.far.listener import Listener
from engine.serve.screen import complain, log_plainly, say

PARENT_SECONDS = 0.5
STOP_SECONDS = 3.0
EXIT_PORT = 3


class FarProcess:
    """The process for one engine, if it listens at all; it ends with the engine."""

    def __init__(self, listen: tuple[str, int] | None, engine_port: int, secret: str, engine_secret: str) -> None:
        """`secret` is the relays', `engine_secret` what the engine's OSC port asks of its clients."""
        self._listen, self._engine_port = listen, engine_port
        self._secrets = f"{secret}\n{engine_secret}\n"
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; the secrets go through a pipe.  [main]"""
        if self._listen is None:
            return
        host, port = self._listen
        words = [host, str(port), str(self._engine_port), str(os.getpid())]
        command = [sys.executable, "-m", "engine.serve.far.process", *words]
        child = subprocess.Popen(command, stdin=subprocess.PIPE)  # noqa: S603 - our own module
        assert child.stdin is not None
        with suppress(OSError), child.stdin:
            child.stdin.write(self._secrets.encode())
        self._child = child

    def look(self) -> bool:
        """Start it again if it has died; False if it cannot listen.  [main]"""
        code = None if self._child is None else self._child.poll()
        if code == EXIT_PORT:
            return False
        if code is not None:
            complain(f"the process for relays ended with code {code}: it is started again")
            self.start()
        return True

    def stop(self) -> None:
        """End it; its relays' lanes close.  [main]"""
        if self._child is not None and self._child.poll() is None:
            self._child.terminate()
            try:
                self._child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()


async def serve(listener: Listener, host: str, port: int, parent: int) -> None:
    """Listen until SIGTERM, SIGINT, or the engine's end.  [main]"""
    found = await listener.start(host, port)
    say(f"far: listening for relays on {host}, TCP port {found}")
    loop, running = asyncio.get_running_loop(), asyncio.ensure_future(listener.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        with suppress(NotImplementedError):  # Windows
            loop.add_signal_handler(number, running.cancel)
    while not running.done():
        await asyncio.wait([running], timeout=PARENT_SECONDS)
        if not pid_alive(parent):
            running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def main(arguments: Sequence[str] | None = None) -> int:
    """HOST PORT ENGINE-PORT PARENT; the secrets are two lines of standard input.  [main]"""
    parser = argparse.ArgumentParser(prog="python -m engine.serve.far.process")
    parser.add_argument("host")
    for name in ("port", "engine_port", "parent"):
        parser.add_argument(name, type=int)
    given = parser.parse_args(arguments)
    log_plainly()
    secret, engine_secret = (sys.stdin.readline().rstrip("\n") for _ in range(2))
    try:
        listener = Listener(given.engine_port, secret, engine_secret)
        asyncio.run(serve(listener, given.host, given.port, given.parent))
    except EndpointError as fault:
        complain(str(fault))
        return EXIT_PORT
    return 0


if __name__ == "__main__":
    sys.exit(main())
