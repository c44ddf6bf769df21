"""Messages that are shown to clients, and addresses that refuse what is sent to them: over real UDP."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import pytest
from udp_peer import PATIENCE_SECONDS, Peer

from bridge.control import messages, state_rows
from bridge.control.endpoint import Endpoint
from bridge.control.packet import Packet, encode
from bridge.control.requests import LATER, Request
from bridge.errors import LaneInUse

Serve = Callable[..., tuple[Endpoint, Peer]]


def test_each_message_is_seen_with_what_became_of_it(serve: Serve) -> None:
    def refuse(request: object) -> object:
        raise LaneInUse("not now")

    handlers = {messages.LANE_STOP.address: refuse, messages.LANE_PLAY.address: lambda request: LATER}
    endpoint, peer = serve(handlers, secret="a good secret")
    seen: list[tuple[Packet, str]] = []
    endpoint.watch(lambda packet, source, outcome: seen.append((packet, outcome())))
    peer.ask(messages.HELLO.pack(1, 0, "anna", "a good secret"))
    peer.ask(messages.LANE_STOP.pack(2, 0))
    peer.send(messages.LANE_PLAY.pack(3, 0))
    peer.ask(encode(messages.LANE_STOP.address, [4, "x"]))
    peer.ask(encode("/segue/lane/plai", [5]))
    peer.ask(b"not OSC at all..")
    assert peer.alive(6)
    words = [" ".join(outcome.split()[:2]) for _, outcome in seen[:6]]
    errors = [f"error {code}" for code in ("lane_in_use", "wrong_type", "unknown_address", "bad_packet")]
    assert words == ["ok", errors[0], "later", *errors[1:]]
    assert seen[0][0].values == (1, 0, "anna")  # the secret is not shown
    assert "a good secret" not in repr(seen)
    assert "close to it: /segue/lane/play" in seen[4][1]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says of an unconnected socket who refused")
def test_an_address_that_nobody_listens_at_is_noticed(serve: Serve) -> None:
    refused: list[tuple[str, int]] = []
    noticed = threading.Event()
    endpoint, peer = serve(on_refused=lambda address: (refused.append(address), noticed.set()))
    gone = Peer(endpoint.port)
    address = gone.socket.getsockname()
    gone.socket.close()
    endpoint.send(b"\0\0\0\0", address)
    assert noticed.wait(PATIENCE_SECONDS)
    assert refused[0] == address
    for id in range(20):  # refusals cost the others nothing
        endpoint.send(b"\0\0\0\0", address)
        assert peer.alive(id + 1)


def test_the_kinds_of_state_have_their_rows() -> None:
    assert tuple(state_rows.STATES_OF) == state_rows.WHAT
    assert set(state_rows.STATE_EVENTS) <= set(messages.EVENTS)


def test_one_value_at_an_address_with_the_lane_in_it_sets_a_parameter(serve: Serve) -> None:
    taken: list[tuple[object, ...]] = []

    def take(request: Request) -> tuple[object, ...]:
        taken.append((request.whole("lane"), request.text("name"), request.number("value")))
        return "cfg", 2.5, 0.0, 0

    _, peer = serve({messages.LANE_SET.address: take})
    peer.send(encode("/segue/lane/3/cfg", [2.5]))
    assert peer.alive()
    assert taken == [(3, "cfg", 2.5)]
    refused = peer.ask(encode("/segue/lane/3/cfg", ["loud"]))
    assert refused.values[:3] == (0, messages.LANE_SET.address, "wrong_type")
