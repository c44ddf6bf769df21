"""Subscriptions of a running engine by raw UDP: hostile rates, a thousand clients, one that is gone, a dump."""

from __future__ import annotations

import math
import socket
import sys

import pytest
from engine_rig import Engine, wait_for

from bridge.control import messages, state_rows
from bridge.control.clients import CLIENTS_MAX
from bridge.control.packet import Packet, encode, parse
from plugin_host.client import subscription as subscriptions
from plugin_host.client.client import EngineClient
from plugin_host.client.subscription import Subscription
from plugin_host.oscquery.tree import find, tree
from plugin_host.oscquery.values import KINDS, LaneValues


class Raw:
    """A bare socket that says hello."""

    def __init__(self, engine: Engine) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", engine.port))
        self.socket.settimeout(20)

    def ask(self, row: messages.Message, *values: object) -> Packet:
        """The answer to a request; states that come in between are left out."""
        self.socket.send(encode(row.address, [7, *values]))
        return self.until(lambda packet: packet.values[:2] == (7, row.address))

    def until(self, wanted) -> Packet:
        while True:
            (packet,) = parse(self.socket.recv(65535))
            if wanted(packet):
                return packet


@pytest.fixture
def raw(engine: Engine):
    made = Raw(engine)
    made.ask(messages.HELLO, 0, "raw")
    yield made
    made.ask(messages.BYE)
    made.socket.close()


@pytest.mark.parametrize("rate", [0, -1, 0.5, 1e9, 50.1, float("nan"), float("inf"), "fast"])
def test_a_rate_that_is_none_is_refused_by_name(raw: Raw, rate: object) -> None:
    answer = raw.ask(messages.SUBSCRIBE, "all", rate)
    assert answer.address == messages.ERROR.address
    if isinstance(rate, float) and not math.isfinite(rate):
        assert answer.values[2] == "bad_packet"  # no message may have such a number
    else:
        assert answer.values[2] in ("out_of_range", "wrong_type")
        assert "rate_hz" in answer.values[3]
    assert raw.ask(messages.SUBSCRIPTIONS).values[2] == ""


def test_who_has_not_said_hello_is_told_to(engine: Engine) -> None:
    stranger = Raw(engine)
    answer = stranger.ask(messages.SUBSCRIBE, "all")
    assert answer.values[2] == "not_allowed"
    assert messages.HELLO.address in answer.values[3]
    stranger.socket.close()


def test_a_thousand_clients_subscribe_and_the_engine_stays(engine: Engine, client: EngineClient) -> None:
    sockets = [Raw(engine) for _ in range(200)]
    refused = 0
    for number in range(1000):  # five hellos of each socket, of which the first ones are registered
        each = sockets[number % len(sockets)]
        hello = each.ask(messages.HELLO, 0, f"client {number}")
        if hello.address == messages.ERROR.address:
            assert hello.values[2] == "busy"
            refused += 1
        else:
            each.ask(messages.SUBSCRIBE, "all", 50)
    assert refused == 5 * (200 - (CLIENTS_MAX - 1))
    assert client.call(messages.SUBSCRIPTIONS)[1] == CLIENTS_MAX - 1
    assert client.ping() > 0
    for each in sockets:
        each.socket.send(messages.BYE.pack(1))
    wait_for(lambda: client.call(messages.SUBSCRIPTIONS)[1] == 0)
    for each in sockets:
        each.socket.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says who refused a datagram")
def test_a_client_that_is_gone_is_dropped_and_counted(engine: Engine, client: EngineClient) -> None:
    gone = Raw(engine)
    gone.ask(messages.HELLO, 0, "gone")
    gone.ask(messages.SUBSCRIBE, "all", 50)
    before = client.call(messages.SUBSCRIPTIONS)[5]
    gone.socket.close()
    wait_for(lambda: client.call(messages.SUBSCRIPTIONS)[5] == before + 1)
    assert client.call(messages.SUBSCRIPTIONS)[1] == 0


def test_a_dump_shows_what_others_send_and_what_became_of_it(raw: Raw, client: EngineClient) -> None:
    raw.ask(messages.DUMP, "on")
    with pytest.raises(Exception, match="lane 9 is not open"):
        client.prompt(9, "slow waltz")
    shown = raw.until(lambda packet: packet.address == state_rows.DUMPED.address and "slow waltz" in packet.values[2])
    assert shown.values[1] == messages.LANE_PROMPT.address
    assert shown.values[3].startswith("error no_such_lane lane 9 is not open")
    raw.ask(messages.DUMP, "off")


def test_what_one_client_sets_another_is_sent_and_oscquery_shows(
    engine: Engine, client: EngineClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "AGAIN_SECONDS", 0.0)
    values = LaneValues()
    lane = client.open_lane(-1, 48_000, 2).lane
    with EngineClient(engine.port, name="query", on_event=values.take) as query:
        subscription = Subscription(query, KINDS)
        assert subscription.keep()
        client.set(lane, "cfg", 4.5)
        client.prompt(lane, "slow waltz")
        wait_for(lambda: values.now()[lane].get("prompt") == "slow waltz" and values.now()[lane]["cfg"] == 4.5)
        assert find(tree(values.now()), f"{messages.LANE_SET.address.rpartition('/')[0]}/{lane}/cfg")["VALUE"] == [4.5]
        client.close_lane(lane)
        wait_for(lambda: lane not in values.now() or not values.now()[lane])
        query.call(messages.BYE)  # the engine does not know it any more, as after a restart
        lane = client.open_lane(-1, 48_000, 2).lane
        wait_for(lambda: subscription.keep() and "cfg" in values.now().get(lane, {}))
        client.close_lane(lane)
