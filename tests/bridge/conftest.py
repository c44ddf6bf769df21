"""Fixtures of the bridge's tests: endpoints that are closed at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import pytest
from udp_peer import Peer

from bridge.control.endpoint import Endpoint
from bridge.control.requests import Handler


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[Endpoint, Peer]]]:
    """Starts an endpoint with these handlers on a free port; returns it and a peer connected to it."""
    opened: list[tuple[Endpoint, Peer]] = []

    def start(handlers: Mapping[str, Handler] | None = None, **options: object) -> tuple[Endpoint, Peer]:
        endpoint = Endpoint(0, handlers or {}, **options)  # type: ignore[arg-type]
        endpoint.start()
        opened.append((endpoint, Peer(endpoint.port)))
        return opened[-1]

    yield start
    for endpoint, peer in opened:
        endpoint.close()
        peer.socket.close()
