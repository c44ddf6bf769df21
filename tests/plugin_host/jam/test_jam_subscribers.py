"""A jam's state by subscription: at once, when it changes, again after two seconds; ended by silence, counted."""

from __future__ import annotations

import socket
import sys
import time
from contextlib import suppress
from dataclasses import replace

import pytest

from bridge.control.clients import TIMEOUT_SECONDS
from bridge.control.jam_rows import JAM_OK, JAM_PRESS, JAM_ROOT, JAM_STATE
from bridge.control.packet import Packet, encode, parse
from bridge.control.state_rows import REFRESH_SECONDS
from bridge.errors import Busy
from plugin_host.jam.osc import JamPort
from plugin_host.jam.state import JamState, Press, PressReply
from plugin_host.jam.subscribers import SUBSCRIBERS_MAX, Subscribers

ONE, OTHER = ("127.0.0.1", 5001), ("127.0.0.1", 5002)
PATIENCE_SECONDS = 60.0


def test_a_state_is_sent_at_once_then_when_it_changes_and_again_after_a_while() -> None:
    all_of = Subscribers()
    all_of.put(ONE, "state", 10.0, 100.0)
    all_of.put(OTHER, "all", 1.0, 100.0)
    assert all_of.take_state(b"a", 100.0) == [ONE, OTHER]
    assert all_of.take_state(b"b", 100.05) == [], "too early for either"
    assert all_of.take_state(b"a", 100.1) == [], "nothing has changed"
    assert all_of.take_state(b"b", 100.2) == [ONE]
    assert all_of.take_state(b"b", 101.0) == [OTHER]
    assert all_of.take_state(b"b", 100.2 + REFRESH_SECONDS) == [ONE], "not yet the other"
    all_of.put(ONE, "state", 10.0, 102.3)
    assert all_of.take_state(b"b", 102.3) == [ONE], "subscribed again: at once"
    assert all_of.of_presses() == [OTHER]
    assert all_of.counts(OTHER) == ("state 1, press 1", 2, 3, 6, 0)


def test_silence_ends_a_subscription_and_any_message_keeps_it() -> None:
    all_of = Subscribers()
    all_of.put(ONE, "all", 10.0, 0.0)
    all_of.put(OTHER, "all", 10.0, 0.0)
    all_of.received(OTHER, TIMEOUT_SECONDS)
    all_of.drop_silent(TIMEOUT_SECONDS)
    assert all_of.counts(ONE)[1:] == (2, 4, 0, 0)
    all_of.drop_silent(TIMEOUT_SECONDS + 0.1)
    assert all_of.take_state(b"a", TIMEOUT_SECONDS + 0.1) == [OTHER]
    assert all_of.counts(ONE) == ("", 1, 2, 1, 1)


def test_there_is_room_for_so_many_and_who_leaves_makes_room() -> None:
    all_of = Subscribers()
    for number in range(SUBSCRIBERS_MAX):
        all_of.put(("127.0.0.1", 6000 + number), "state", 10.0, 0.0)
    all_of.put(("127.0.0.1", 6000), "press", 10.0, 0.0)
    with pytest.raises(Busy):
        all_of.put(ONE, "state", 10.0, 0.0)
    assert all_of.remove(("127.0.0.1", 6000), "press") == 1
    assert all_of.remove(("127.0.0.1", 6000)) == 0
    all_of.put(ONE, "state", 10.0, 0.0)


class Client:
    """A socket that talks to a port and keeps what came."""

    def __init__(self, port: int) -> None:
        self._to, self.came = ("127.0.0.1", port), list[Packet]()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.05)

    def send(self, name: str, *values: object) -> None:
        self.socket.sendto(encode(f"{JAM_ROOT}{name}", list(values)), self._to)

    def wait(self, address: str, n: int = 1) -> list[list[object]]:
        """The values of what came under an address, once there are so many."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(found := [list(each.values) for each in self.came if each.address == address]) < n:
            assert time.monotonic() < deadline, self.came
            with suppress(TimeoutError):
                self.came += parse(self.socket.recv(65535))
        return found

    def ask(self, name: str, *values: object) -> list[object]:
        """The values of an answer."""
        n = sum(each.address == JAM_OK.address for each in self.came)
        self.send(name, *values)
        return self.wait(JAM_OK.address, n + 1)[-1][1:]


def test_a_jam_tells_its_subscribers() -> None:
    state = [JamState("trade", "listening", "playing", 3.0, 0, 1.0, 120.0, 4.0, message="one")]
    with JamPort(0, lambda press, reply: reply(PressReply(press, True, 3, 12.0, "yes")), lambda: state[0]) as port:
        ours = Client(port.port)
        assert ours.ask("subscribe", "all", 50.0) == [50.0, 2, TIMEOUT_SECONDS]
        assert ours.wait(JAM_STATE.address)[0][-1] == "one"
        state[0] = replace(state[0], message="two")
        while ours.wait(JAM_STATE.address)[-1][-1] != "two":
            ours.wait(JAM_STATE.address, 1 + len(ours.wait(JAM_STATE.address)))
        port.pressed(PressReply(Press("hold", None, "key"), True, 5, 20.0, "held"))
        assert ours.wait(JAM_PRESS.address)[0][:2] == ["hold", "key"]
        own, clients, subscriptions, sent, gone = ours.ask("subscriptions")
        assert (own, clients, subscriptions, gone) == ("state 50, press 50", 1, 2, 0)
        assert float(str(sent)) >= 2
        assert ours.ask("unsubscribe", "press") == [1]
        if sys.platform == "linux":
            other = Client(port.port)
            other.ask("subscribe")
            other.socket.close()
            state[0] = replace(state[0], message="three")
            deadline = time.monotonic() + PATIENCE_SECONDS
            while ours.ask("subscriptions")[1:3] != [1, 1]:
                assert time.monotonic() < deadline
            assert ours.ask("subscriptions")[-1] == 1
        assert ours.ask("unsubscribe") == [0]
        assert ours.ask("subscriptions")[:3] == ["", 0, 0]
        ours.socket.close()
