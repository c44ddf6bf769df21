"""`segue panel`: finds or starts an engine, serves the page, opens the browser.

An engine that it starts ends with it; one that runs already stays.
"""

from __future__ import annotations

import socket
import sys
import tempfile
import threading
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bridge.control.jam_rows import JAM_PORT
from bridge.control.messages import DEFAULT_PORT
from bridge.control.midi_rows import MIDI_PORT
from bridge.control.take_rows import WATCH_PORT
from bridge.errors import EndpointError, NoAnswer, PortInUse
from plugin_host.client.client import EngineClient
from plugin_host.client.engine_request import EngineRequest
from plugin_host.panel.gate import Gate, new_token
from plugin_host.panel.own_engine import OwnEngine
from plugin_host.panel.state import PanelState

if TYPE_CHECKING:
    from plugin_host.panel.desk import Shared

PANEL_PORT = 9650
FIND_SECONDS = 0.6  # in which a running engine answers
NOWHERE = ("192.0.2.1", 9)  # an address for documentation: asking the way to it sends nothing
Say = Callable[[str], None]


@dataclass(frozen=True)
class PanelOptions:
    """Options of `segue panel`; `start` starts an engine if none answers, `lan` opens it to the network."""

    engine: EngineRequest = field(default_factory=lambda: EngineRequest(port=DEFAULT_PORT))
    secret_file: Path | None = None
    port: int = PANEL_PORT
    session: Path = field(default_factory=lambda: Path.home() / "Segue")
    watch_port: int = WATCH_PORT
    jam_port: int = JAM_PORT
    midi_port: int = MIDI_PORT
    start: bool = True
    browser: bool = True
    lan: bool = False


def run_panel(options: PanelOptions, say: Say) -> None:
    """Serve until Ctrl-C or SIGTERM; raises a SegueError.  [main]"""
    with ExitStack() as stack:
        listening = stack.enter_context(_listening("0.0.0.0" if options.lan else "127.0.0.1", options.port))  # noqa: S104 - asked for
        port = int(listening.getsockname()[1])
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="segue-panel-")))
        own = stack.enter_context(OwnEngine(options.engine, scratch, PanelState(), say))
        if options.start:
            running = _answering(options.engine)
            if running:
                say(f"engine: {running} runs at port {options.engine.port}")
            else:
                own.start()
        lan = _lan_address() if options.lan else ""
        names = (*Gate.names, *((lan,) if lan else ()))
        gate = Gate(port, new_token(), new_token() if lan else "", names)
        shared = _shared(gate, lan)
        address = f"http://127.0.0.1:{port}/{gate.owner}/"
        say(f"panel: {address}")
        for line in _lan_lines(shared):
            say(line)
        if options.browser:
            threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
        _serve(options, gate, shared, scratch, listening, own)


def _serve(
    options: PanelOptions, gate: Gate, shared: Shared, scratch: Path, listening: socket.socket, own: OwnEngine
) -> None:
    from plugin_host.panel.desk import Desk, Places
    from plugin_host.panel.link import EngineLink
    from plugin_host.panel.server import make_app, make_server

    engine = options.engine
    places = Places(
        engine.port, options.watch_port, options.jam_port, options.midi_port, options.session, scratch,
        options.secret_file,
    )  # fmt: skip
    with EngineLink(engine.port, "127.0.0.1", engine.secret, own.state) as link:
        desk = Desk(places, link, own.state, shared, own.start)
        try:
            make_server(make_app(gate, desk)).run(sockets=[listening])
        finally:
            desk.close()


@contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A bound TCP socket; PortInUse, EndpointError."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        bound.listen()
    except OSError as fault:
        bound.close()
        if fault.errno in (98, 48, 10048):
            why = f"TCP port {port} is taken, perhaps by a panel that runs: choose another, --panel-port 0"
            raise PortInUse(why) from None
        raise EndpointError(f"cannot listen on {host}, TCP port {port}: {fault.strerror or fault}") from None
    with bound:
        yield bound


def _answering(request: EngineRequest) -> str:
    """What the engine at the port calls itself; empty: none answers."""
    client = EngineClient(request.port, name="segue panel", secret=request.secret)
    try:
        return client.connect(FIND_SECONDS).engine
    except NoAnswer:
        return ""
    finally:
        client.close()


def _lan_address() -> str:
    """This machine's address in its network; EndpointError if it has none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.connect(NOWHERE)
        return str(probe.getsockname()[0])
    raise EndpointError("this machine is in no network: start the panel without --lan")


def _shared(gate: Gate, lan: str) -> Shared:
    import segno

    from plugin_host.panel.desk import Shared

    if not lan:
        return Shared()
    urls = [f"http://{lan}:{gate.port}/{token}/" for token in (gate.owner, gate.guest)]
    codes = [str(segno.make(url, micro=False).svg_data_uri(scale=4, border=2, light="#fff")) for url in urls]
    return Shared(urls[0], urls[1], codes[0], codes[1])


def _lan_lines(shared: Shared) -> list[str]:
    """Addresses for other devices, and the code of the guests'."""
    if not shared.owner:
        return []
    return [
        f"on a device of yours: {shared.owner}",
        f"for guests, to look only: {shared.guest}",
        "the panel shows codes to scan under Share. The network can read what is sent: use one that you trust.",
    ]
