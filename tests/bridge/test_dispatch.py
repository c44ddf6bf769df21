"""Who is answered where, for how long, and how much: with a clock that is moved by hand."""

from __future__ import annotations

import pytest

from bridge import messages
from bridge.clients import CLIENTS_MAX, TIMEOUT_SECONDS, Client, Clients, is_loopback
from bridge.dispatch import Dispatcher
from bridge.errors import BY_CODE, Busy, OutOfRange, SegueError, from_wire
from bridge.limits import SENDERS_MAX, Limiter
from bridge.memory import CLIENTS_KNOWN, REMEMBERED_MAX, REMEMBERED_SECONDS, Memory
from bridge.packet import Packet, parse
from bridge.requests import Answer, Request, Responder

HERE = ("127.0.0.1", 5000)


class Desk:
    """A dispatcher whose answers are kept, on a hand-moved clock."""

    def __init__(self, secret: str = "") -> None:
        self.sent: list[tuple[Packet, tuple[str, int]]] = []
        self.done: list[Request] = []
        self.now_seconds = 100.0
        handlers = {messages.LANE_SET.address: self._set, messages.QUIT.address: lambda request: None}
        self.dispatcher = Dispatcher(handlers, self._keep, "test", secret, started_seconds=90.0)

    def _keep(self, datagram: bytes, where: tuple[str, int]) -> None:
        self.sent.append((parse(datagram)[0], where))

    def _set(self, request: Request) -> Answer:
        self.done.append(request)
        return request.text("name"), request.number("value"), 0.0, 0

    def say(self, row: messages.Message, *values: object, source: tuple[str, int] = HERE) -> Packet:
        """What the message is answered with last."""
        self.dispatcher.dispatch(parse(row.pack(*values))[0], source, self.now_seconds)
        return self.sent[-1][0]


def test_ping_tells_the_uptime() -> None:
    assert Desk().say(messages.PING, 1).values == (1, messages.PING.address, 10.0)


def test_a_client_is_forgotten_when_it_falls_silent_and_kept_by_any_message() -> None:
    gone: list[Client] = []
    clients = Clients(gone.append)
    client = clients.hello(HERE, 0, "max", 0.0)
    assert clients.expire(TIMEOUT_SECONDS) == []
    clients.of(HERE, 20.0)
    assert clients.expire(20.0 + TIMEOUT_SECONDS) == []
    assert clients.expire(20.1 + TIMEOUT_SECONDS) == [client] == gone
    assert clients.all() == []
    assert not clients.of(HERE, 60.0).registered


def test_a_source_that_changes_its_reply_port_is_a_new_client() -> None:
    gone: list[Client] = []
    clients = Clients(gone.append)
    old = clients.hello(HERE, 9001, "max", 0.0)
    new = clients.hello(HERE, 9002, "max", 1.0)
    assert gone == [old]
    assert clients.all() == [new]


def test_a_restarted_client_at_the_same_reply_port_is_the_same() -> None:
    gone: list[Client] = []
    clients = Clients(gone.append)
    first = clients.hello(HERE, 9001, "max", 0.0)
    second = clients.hello(("127.0.0.1", 6000), 9001, "max again", 1.0)
    assert first == second
    assert gone == []
    assert len(clients.all()) == 1
    assert clients.of(HERE, 2.0).address == ("127.0.0.1", 9001)


def test_strangers_are_answered_at_the_port_their_own_machine_gave_last() -> None:
    clients = Clients()
    clients.hello(("10.0.0.2", 5000), 9009, "elsewhere", 0.0)
    assert clients.of(HERE, 1.0).address == HERE
    clients.hello(("127.0.0.1", 7000), 0, "own port", 2.0)
    assert clients.of(HERE, 3.0).address == HERE
    clients.hello(("127.0.0.1", 7001), 9001, "max", 4.0)
    clients.hello(("127.0.0.1", 7002), 9002, "pd", 5.0)
    assert clients.of(HERE, 6.0).address == ("127.0.0.1", 9002)
    strict = Clients(strict=True)
    strict.hello(("127.0.0.1", 7001), 9001, "max", 0.0)
    assert not strict.of(HERE, 1.0).registered


def test_there_is_room_for_so_many_clients() -> None:
    clients = Clients()
    for number in range(CLIENTS_MAX):
        clients.hello(("127.0.0.1", 2000 + number), 0, "", 0.0)
    with pytest.raises(Busy):
        clients.hello(("127.0.0.1", 9999), 0, "", 0.0)
    clients.hello(("127.0.0.1", 2000), 0, "", 1.0)
    with pytest.raises(OutOfRange):
        Clients().hello(HERE, 1023, "", 0.0)


def test_repeats_are_known_for_a_while() -> None:
    desk = Desk()
    desk.say(messages.LANE_SET, 7, 0, "cfg", 1)
    desk.now_seconds += REMEMBERED_SECONDS
    desk.say(messages.LANE_SET, 7, 0, "cfg", 1)
    assert len(desk.done) == 1
    assert desk.dispatcher.counts.repeated == 1
    desk.now_seconds += REMEMBERED_SECONDS + 0.1
    desk.say(messages.LANE_SET, 7, 0, "cfg", 1)
    assert len(desk.done) == 2


def test_ids_of_different_clients_do_not_meet() -> None:
    desk = Desk()
    desk.say(messages.LANE_SET, 7, 0, "cfg", 1)
    desk.say(messages.LANE_SET, 7, 0, "cfg", 1, source=("127.0.0.1", 5001))
    assert len(desk.done) == 2


def test_what_is_not_answered_yet_is_known_for_ever() -> None:
    memory, client = Memory(), Client(*HERE)
    packet = Packet("/x", (7,))
    responder = Responder(messages.SYNC, 7, client, lambda datagram, where: None)
    memory.keep(packet, responder, 0.0)
    assert memory.repeated(client, packet, 7, 1000.0) is responder
    assert memory.unanswered(client) == [responder]
    responder.ok()
    assert memory.repeated(client, packet, 7, 1001.0) is responder
    assert memory.repeated(client, packet, 7, 1012.0) is None
    assert memory.unanswered(client) == []


def test_the_memory_is_bounded() -> None:
    memory, client = Memory(), Client(*HERE)
    for id in range(3 * REMEMBERED_MAX):
        memory.keep(Packet("/x", (id,)), Responder(messages.SYNC, id, client, lambda d, w: None), 0.0)
    assert len(memory.unanswered(client)) == REMEMBERED_MAX


def test_only_this_machine_may_end_the_engine_or_name_files() -> None:
    desk = Desk()
    abroad = ("192.168.1.7", 5000)
    assert desk.say(messages.QUIT, 1).address == messages.OK.address
    assert desk.say(messages.QUIT, 2, source=abroad).values[2] == "not_allowed"
    refused = desk.say(messages.REGION_FILE, 3, 0, "style", "/etc/passwd", 120, 0, source=abroad)
    assert refused.values[2] == "not_allowed"
    assert desk.sent[-1][1] == abroad


def test_a_limiter_lets_through_its_rate_and_forgets_old_senders() -> None:
    limiter = Limiter(10, 5)
    assert [limiter.admit("a", 0.0) for _ in range(6)] == [True] * 5 + [False]
    assert limiter.admit("a", 0.1)
    assert not limiter.admit("a", 0.1)
    assert limiter.admit("b", 0.1)
    assert (
        sum(limiter.admit("a", 100 + step / 100) for step in range(1000)) == 104
    )  # 5 at once, then 10 a second
    wide = Limiter(1, 1, all_factor=1e9)
    for sender in range(SENDERS_MAX + 1):
        assert wide.admit(sender, 200.0)
    assert wide.admit(0, 200.0)  # the least recent one was forgotten
    assert not wide.admit(SENDERS_MAX, 200.0)


def test_all_senders_together_have_a_limit() -> None:
    limiter = Limiter(10, 10)
    limiter.admit("first", 0.0)
    assert sum(limiter.admit(sender, 0.0) for sender in range(100)) == 19


def test_loopback() -> None:
    assert is_loopback("127.0.0.1")
    assert is_loopback("127.9.9.9")
    assert is_loopback("localhost")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("192.168.0.1")
    assert not is_loopback("example.org")


def test_every_code_word_means_one_error_and_comes_back_from_the_wire() -> None:
    assert len(BY_CODE) > 25
    for code, kind in BY_CODE.items():
        fault = from_wire(code, "text")
        assert type(fault) is kind
        assert fault.code == code
        assert fault.text == "text"
    assert type(from_wire("of_the_future", "text")) is SegueError
    assert "of_the_future" in str(from_wire("of_the_future", "text"))
