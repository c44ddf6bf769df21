"""`segue relay`: options, signals, the screen's line."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from dataclasses import dataclass

from bridge.errors import OutOfRange
from bridge.far import certificates, frames
from bridge.ring import shared_memory
from plugin_host.console.screen import Screen
from plugin_host.relay.jitter_buffer import BufferChoice
from plugin_host.relay.relay import Relay

SHOW_SECONDS = 1.0


@dataclass(frozen=True)
class RelayOptions:
    """Where the engine is, the secret, the OSC port here, and the buffer as it was written."""

    where: str
    secret: str
    port: int
    buffer: str


def run_relay(options: RelayOptions, screen: Screen) -> None:
    """Relay until Ctrl-C or `quit`; PortInUse, OutOfRange, NotAllowed, FarSecretError.  [main]"""
    where, choice = chosen(options)
    shared_memory.remove_stale()
    asyncio.run(_relay(where, choice, options, screen))


def chosen(options: RelayOptions) -> tuple[tuple[str, int], BufferChoice]:
    """Where the engine is, and the buffer; OutOfRange, and FarSecretError for a secret that cannot be.  [main]"""
    try:
        where = frames.address_of(options.where)
    except ValueError as fault:
        raise OutOfRange(str(fault)) from None
    choice = BufferChoice.of(options.buffer)
    certificates.context_for(certificates.RELAY, options.secret)
    return where, choice


async def _relay(where: tuple[str, int], choice: BufferChoice, options: RelayOptions, screen: Screen) -> None:
    relay = Relay(where, options.secret, choice, screen.say)
    await relay.port.open(options.port)
    screen.say(f"relay of {where[0]}:{where[1]} on 127.0.0.1:{relay.port.port}, as if the engine were here")
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # Windows
            asyncio.get_running_loop().add_signal_handler(number, relay.quit)
    showing = asyncio.ensure_future(_show(relay, screen))
    try:
        await relay.run()
    finally:
        showing.cancel()
        screen.show("")


async def _show(relay: Relay, screen: Screen) -> None:
    while True:
        await asyncio.sleep(SHOW_SECONDS)
        screen.show(relay.line())
