"""`segue oscquery`: serves the table and the values of a running engine, until Ctrl-C."""

from __future__ import annotations

import contextlib
import importlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from bridge.errors import PortInUse
from plugin_host.client.client import EngineClient
from plugin_host.client.subscription import Subscription
from plugin_host.oscquery.server import QueryServer
from plugin_host.oscquery.tree import host_info, tree
from plugin_host.oscquery.values import KINDS, LaneValues

NAME = "Segue"
SERVICE = "_oscjson._tcp.local."
LOOK_SECONDS = 1.0  # between two looks whether the engine is a new one
NOT_FOUND = "not announced: pip install 'segue[zeroconf]', or tell the program the address"


def run_oscquery(port: int, http_port: int, host: str, secret: str, announce: bool, say: Callable[[str], None]) -> None:
    """Serve until an interrupt; NoAnswer without an engine, PortInUse if the HTTP port is taken.  [main]"""
    values = LaneValues()
    with EngineClient(port, name="segue oscquery", secret=secret, on_event=values.take) as client:
        try:
            server = QueryServer(host, http_port, lambda: tree(values.now()), host_info(NAME, host, port))
        except OSError as fault:
            raise PortInUse(
                f"HTTP port {http_port} cannot be opened: {fault.strerror}; --http-port takes another"
            ) from None
        thread = threading.Thread(target=server.serve_forever, name="segue-http", daemon=True)
        subscription = Subscription(client, KINDS)
        subscription.keep()
        thread.start()
        where = server.server_address[1]
        say(f"OSCQuery: http://{host}:{where}/ describes the engine at port {port}; Ctrl-C ends it")
        try:
            with announced(host, int(where), say) if announce else contextlib.nullcontext():
                while True:
                    time.sleep(LOOK_SECONDS)
                    subscription.keep()
        finally:
            server.shutdown()
            server.server_close()


@contextlib.contextmanager
def announced(host: str, port: int, say: Callable[[str], None]) -> Iterator[None]:
    """Announced by zeroconf meanwhile, on the interface of `host` alone; `say` gets a line if it cannot be.  [main]"""
    try:
        zeroconf: Any = importlib.import_module("zeroconf")
    except ImportError:
        say(NOT_FOUND)
        yield
        return
    service: Any = zeroconf.ServiceInfo(
        SERVICE, f"{NAME}.{SERVICE}", port, addresses=[socket.inet_aton(socket.gethostbyname(host))],
        server=f"{NAME.lower()}-{port}.local.",
    )  # fmt: skip
    try:
        found = zeroconf.Zeroconf(interfaces=[host])
    except OSError as fault:  # an interface without multicast
        say(f"not announced: {fault}")
        yield
        return
    try:
        found.register_service(service, allow_name_change=True)
        say(f"announced as {NAME}, {SERVICE}")
        yield
    finally:
        found.unregister_service(service)
        found.close()
