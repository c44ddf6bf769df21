"""A relay that a command starts for itself and that ends with it: `--engine HOST:PORT`. All of it [main].

    command --where, secret, buffer--> python -m plugin_host.relay.beside --its port, what it says--> command

Both ways are pipes. The relay ends when its standard input is closed, so also with a command that was killed.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict

from bridge.errors import NoAnswer, SegueError
from plugin_host.console.screen import print_line
from plugin_host.relay.relay import Relay
from plugin_host.relay.run import RelayOptions, chosen

CONNECT_SECONDS = float(os.environ.get("SEGUE_RELAY_CONNECT_SECONDS", "20"))  # tests have less
LOOK_SECONDS = 0.1
SHOW_SECONDS = 2.0
CHANGED = 1.5  # times longer or shorter: a buffer that is told again
END_SECONDS = 5.0


class RelayEnded(SegueError):
    """The relay did not start; the message says why."""

    code = "relay"


@contextmanager
def relay_beside(options: RelayOptions, say: Callable[[str], None]) -> Iterator[int]:
    """The UDP port of a relay that is connected; what it says goes to `say`, from a thread of its own.

    OutOfRange, FarSecretError, RelayEnded for another secret, NoAnswer for an engine that is out of reach.
    """
    chosen(options)
    own_group = {"process_group": 0} if os.name == "posix" else {}
    child = subprocess.Popen(
        [sys.executable, "-m", "plugin_host.relay.beside"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        **own_group,  # type: ignore[call-overload]
    )  # fmt: skip
    assert child.stdin is not None
    try:
        child.stdin.write(json.dumps(asdict(options)) + "\n")
        child.stdin.flush()
        port = _port_of(child, say)
        threading.Thread(target=_pass_on, args=(child, say), daemon=True).start()
        yield port
    finally:
        _end(child)


def _port_of(child: subprocess.Popen[str], say: Callable[[str], None]) -> int:
    """The port, once it is connected."""
    assert child.stdout is not None
    for line in child.stdout:
        said = json.loads(line)
        if "port" in said:
            return int(said["port"])
        if "fault" in said:
            raise NoAnswer(said["fault"]) if said.get("away") else RelayEnded(said["fault"])
        say(said["text"])
    raise RelayEnded(f"the relay ended with code {child.wait()} while it started")


def _pass_on(child: subprocess.Popen[str], say: Callable[[str], None]) -> None:
    assert child.stdout is not None
    for line in child.stdout:
        said = json.loads(line)
        say(said.get("text") or said["fault"])


def _end(child: subprocess.Popen[str]) -> None:
    """Close its standard input, and kill it if that does not end it."""
    assert child.stdin is not None
    with suppress(OSError):  # it is gone
        child.stdin.close()
    try:
        child.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _tell(**words: object) -> None:
    print_line(json.dumps(words))


def main() -> None:
    """The relay's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command's: it closes its lanes, then this one ends
    options = RelayOptions(**json.loads(sys.stdin.readline()))
    try:
        asyncio.run(_relay(options))
    except SegueError as fault:
        _tell(fault=str(fault), away=isinstance(fault, NoAnswer))
    except BrokenPipeError:  # the command was killed
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def _relay(options: RelayOptions) -> None:
    where, choice = chosen(options)
    relay = Relay(where, options.secret, choice, lambda text: _tell(text=f"relay: {text}"))
    await relay.port.open(options.port)
    loop = asyncio.get_running_loop()
    threading.Thread(target=_until_closed, args=(loop, relay), daemon=True).start()
    showing = asyncio.ensure_future(_connected(relay))
    running = asyncio.ensure_future(relay.run())
    try:
        await asyncio.wait((showing, running), return_when=asyncio.FIRST_COMPLETED)
        if showing.done():
            showing.result()
        await running
    finally:
        showing.cancel()
        relay.quit()
        await asyncio.wait((running,))


def _until_closed(loop: asyncio.AbstractEventLoop, relay: Relay) -> None:
    sys.stdin.read()
    loop.call_soon_threadsafe(relay.quit)


async def _connected(relay: Relay) -> None:
    """Tell the port once it is connected, then the buffer when it has changed; NoAnswer after a long time."""
    deadline = time.monotonic() + CONNECT_SECONDS
    while relay.away_text or not relay.clock.known:
        if time.monotonic() > deadline:
            raise NoAnswer(relay.away_text or "the engine's machine answers no ping")
        await asyncio.sleep(LOOK_SECONDS)
    _tell(text=f"relay: {relay.line()}")
    _tell(port=relay.port.port)
    told = 0.0
    while True:
        await asyncio.sleep(SHOW_SECONDS)
        now = relay.buffer_ms
        if relay.plays and not relay.away_text and not told / CHANGED <= now <= told * CHANGED:
            told = now
            _tell(text=f"relay: {relay.line()}")


if __name__ == "__main__":
    main()
