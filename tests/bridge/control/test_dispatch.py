"""The dispatcher: where answers go, repeats, limits and secrets; on a clock advanced by hand."""

from __future__ import annotations

import pytest

from bridge.control import messages
from bridge.control.clients import CLIENTS_MAX, TIMEOUT_SECONDS, WARNED_SECONDS, Client, Clients, is_loopback
from bridge.control.dispatch import Dispatcher
from bridge.control.limits import SENDERS_MAX, RateLimiter
from bridge.control.messages import COUNTED_FROM
from bridge.control.packet import Packet, parse
from bridge.control.request_memory import CLIENTS_KNOWN, REMEMBERED_MAX, REMEMBERED_SECONDS, Memory
from bridge.control.requests import Answer, Request, Responder
from bridge.control.secret import PROOF, proof
from bridge.control.suggestions import thing
from bridge.errors import BY_CODE, Busy, OutOfRange, SegueError, from_wire

HERE = ("127.0.0.1", 5000)


class StubHandlers:
    """A dispatcher on a clock advanced by hand; stores its answers."""

    def __init__(self, secret: str = "") -> None:
        self.sent: list[tuple[Packet, tuple[str, int]]] = []
        self.done: list[Request] = []
        self.now_seconds = 100.0
        handlers = {
            messages.LANE_SET.address: self._set,
            messages.QUIT.address: lambda request: None,
            messages.LANE_PRESET.address: lambda request: self.done.append(request) or ("", 0.0, 0),
            messages.LANE_RESEED.address: lambda request: self.done.append(request) or (1, 0.0, 0),
            messages.LANE_GET.address: lambda request: (request.text("name"), 1.0),
        }
        self.dispatcher = Dispatcher(handlers, self._keep, "test", secret, started_seconds=90.0)

    def _keep(self, datagram: bytes, where: tuple[str, int]) -> None:
        self.sent.append((parse(datagram)[0], where))

    def _set(self, request: Request) -> Answer:
        self.done.append(request)
        return request.text("name"), request.number("value"), 0.0, 0

    def say_raw(self, address: str, *values: object) -> Packet:
        self.dispatcher.dispatch(Packet(address, values), HERE, self.now_seconds)  # type: ignore[arg-type]
        return self.sent[-1][0]

    def say(self, row: messages.Message, *values: object, source: tuple[str, int] = HERE) -> Packet:
        """The last answer to the message."""
        datagram = row.pack(*values)
        self.dispatcher.dispatch(parse(datagram)[0], source, self.now_seconds, len(datagram))
        return self.sent[-1][0]


def test_ping_tells_the_uptime() -> None:
    assert StubHandlers().say(messages.PING, 1).values == (1, messages.PING.address, 10.0)


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


def test_a_client_that_falls_silent_is_reported_before_and_after_and_answered_where_it_listens() -> None:
    handlers = StubHandlers()
    handlers.say(messages.HELLO, 1, 9601, "max")
    listens = (HERE[0], 9601)

    def notices(seconds: float) -> list[tuple[object, ...]]:
        handlers.sent.clear()
        handlers.now_seconds = 100.0 + seconds
        handlers.dispatcher.tidy(handlers.now_seconds)
        assert all(where == listens for _, where in handlers.sent)
        return [packet.values[:2] for packet, _ in handlers.sent if packet.address == messages.EVENT_CLIENT.address]

    assert notices(WARNED_SECONDS) == []
    assert notices(WARNED_SECONDS + 1) == [("quiet", 10.0)]
    assert notices(WARNED_SECONDS + 2) == []  # once
    handlers.now_seconds = 100.0 + WARNED_SECONDS + 3
    handlers.say(messages.PING, 2)
    assert notices(WARNED_SECONDS + 4) == []
    assert notices(2 * WARNED_SECONDS + 4) == [("quiet", 10.0)]
    assert notices(WARNED_SECONDS + 4 + TIMEOUT_SECONDS) == [("forgotten", 0.0)]
    handlers.sent.clear()
    handlers.say(messages.PING, 3)
    handlers.say(messages.PING, 4)
    assert [where for _, where in handlers.sent] == [listens] * 3  # two answers, and a second event that it was removed
    assert [packet.address for packet, _ in handlers.sent].count(messages.EVENT_CLIENT.address) == 1
    from_elsewhere = ("127.0.0.1", 5999)  # as oscsend does
    assert handlers.say(messages.PING, 5, source=from_elsewhere).address == messages.OK.address
    assert handlers.sent[-1][1] == listens
    assert not handlers.dispatcher.clients.all()
    handlers.say(messages.HELLO, 6, 9601, "max")
    assert len(handlers.dispatcher.clients.all()) == 1


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
    handlers = StubHandlers()
    handlers.say(messages.LANE_SET, 7, 0, "cfg", 1)
    handlers.now_seconds += REMEMBERED_SECONDS
    handlers.say(messages.LANE_SET, 7, 0, "cfg", 1)
    assert len(handlers.done) == 1
    assert handlers.dispatcher.counts.repeated == 1
    handlers.now_seconds += REMEMBERED_SECONDS + 0.1
    handlers.say(messages.LANE_SET, 7, 0, "cfg", 1)
    assert len(handlers.done) == 2


def test_a_message_box_pressed_again_after_another_is_meant_again() -> None:
    """Three boxes of a Max patch with fixed ids: -20 dB, 0 dB, -20 dB leaves -20 dB."""
    handlers = StubHandlers()
    for id, level in ((30, -20.0), (31, 0.0), (30, -20.0)):
        assert handlers.say(messages.LANE_SET, id, 0, "level_db", level).values[:1] == (id,)
    assert [request.number("value") for request in handlers.done] == [-20.0, 0.0, -20.0]


@pytest.mark.parametrize(
    ("between", "again"),
    [
        ((messages.LANE_SET, 31, 0, "level", 0.0), True),  # the same by the plugin's name
        ((messages.LANE_SET, 0, 0, "level_db", 0.0), True),  # without an id
        ((messages.LANE_PRESET, 31, 0, "porch"), True),  # all parameters
        ((messages.LANE_SET, 31, 0, "cfg", 0.0), False),
        ((messages.LANE_SET, 31, 1, "level_db", 0.0), False),  # another lane
        ((messages.LANE_RESEED, 31, 0), False),
        ((messages.LANE_GET, 31, 0, "level_db"), False),
    ],
)
def test_only_what_changed_the_same_thing_makes_a_repeat_new(between: tuple, again: bool) -> None:
    handlers = StubHandlers()
    handlers.say(messages.LANE_SET, 30, 0, "level_db", -20.0)
    handlers.say(*between)
    before = len(handlers.done)
    handlers.say(messages.LANE_SET, 30, 0, "level_db", -20.0)
    assert len(handlers.done) - before == again
    handlers.say(messages.LANE_SET, 30, 0, "level_db", -20.0)
    assert len(handlers.done) - before == again


def test_an_id_that_is_used_once_is_a_repeat_whatever_came_between() -> None:
    """A delayed datagram does not undo later ones."""
    handlers = StubHandlers()
    for id, level in ((COUNTED_FROM, -20.0), (COUNTED_FROM + 1, 0.0), (COUNTED_FROM, -20.0)):
        handlers.say(messages.LANE_SET, id, 0, "level_db", level)
    assert [request.number("value") for request in handlers.done] == [-20.0, 0.0]


def test_what_another_client_changes_makes_no_repeat_new() -> None:
    handlers = StubHandlers()
    handlers.say(messages.LANE_SET, 30, 0, "level_db", -20.0)
    handlers.say(messages.LANE_SET, 31, 0, "level_db", 0.0, source=("127.0.0.1", 5001))
    handlers.say(messages.LANE_SET, 30, 0, "level_db", -20.0)
    assert len(handlers.done) == 2


def test_the_short_form_needs_no_id_and_answers_only_when_asked_or_wrong() -> None:
    handlers = StubHandlers()

    def say(row: messages.Message, *values: object) -> list[Packet]:
        handlers.sent.clear()
        handlers.dispatcher.dispatch(Packet(messages.short(row), values), HERE, handlers.now_seconds)
        return [packet for packet, _ in handlers.sent]

    for _ in range(3):  # takes effect every time
        assert say(messages.LANE_SET, 0, "level_db", -20.0) == []
    assert len(handlers.done) == 3
    (answer,) = say(messages.LANE_GET, 0, "level_db")
    assert answer.values == (0, messages.LANE_GET.address, "level_db", 1.0)
    (hello,) = say(messages.HELLO, 0, "max")
    assert hello.address == messages.OK.address
    (wrong,) = say(messages.LANE_SET, 0, "level_db", "loud")
    assert wrong.values[:3] == (0, messages.LANE_SET.address, "wrong_type")
    (unknown,) = (packet for packet in [handlers.say_raw("/segue/do/lane/sett", 0)])
    assert messages.short(messages.LANE_SET) in str(unknown.values[3])


def test_everything_that_changes_something_says_what() -> None:
    own = (messages.HELLO, messages.REGION_CHUNK)
    for row in messages.REQUESTS:
        if row in own:
            continue
        values = {argument.name: argument.choices[0] if argument.choices else 1 for argument in row.arguments}
        assert (thing(row, values) is None) == row.asks, row.address  # type: ignore[arg-type]


def test_ids_of_different_clients_do_not_meet() -> None:
    handlers = StubHandlers()
    handlers.say(messages.LANE_SET, 7, 0, "cfg", 1)
    handlers.say(messages.LANE_SET, 7, 0, "cfg", 1, source=("127.0.0.1", 5001))
    assert len(handlers.done) == 2


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


def test_the_memory_is_bounded_and_forgets() -> None:
    memory, client = Memory(), Client(*HERE)
    quiet = Client("127.0.0.1", 9999)
    memory.keep(Packet("/x", (1,)), Responder(messages.SYNC, 1, quiet, lambda d, w: None), 0.0)
    responders = [Responder(messages.SYNC, id, client, lambda d, w: None) for id in range(1, 3 * REMEMBERED_MAX)]
    for responder in responders:
        memory.keep(Packet("/x", (responder.id,)), responder, 0.0)
    assert len(memory.unanswered(client)) == REMEMBERED_MAX
    assert len(memory.unanswered(quiet)) == 1  # requests of others do not count for it
    for responder in responders:
        responder.ok()
    memory.tidy(REMEMBERED_SECONDS + 1.0)
    assert memory.unanswered(client) == []
    assert len(memory._books) == 1
    for port in range(2 * CLIENTS_KNOWN):
        memory.keep(Packet("/x", (1,)), Responder(messages.SYNC, 1, Client("h", port), lambda d, w: None), 0.0)
    assert len(memory._books) == CLIENTS_KNOWN


def test_only_this_machine_may_end_the_engine_or_name_files() -> None:
    handlers = StubHandlers()
    abroad = ("192.168.1.7", 5000)
    assert handlers.say(messages.QUIT, 1).address == messages.OK.address
    assert handlers.say(messages.QUIT, 2, source=abroad).values[2] == "not_allowed"
    refused = handlers.say(messages.REGION_FILE, 3, 0, "style", "/etc/passwd", 120, 0, source=abroad)
    assert refused.values[2] == "not_allowed"
    assert handlers.sent[-1][1] == abroad


def test_a_limiter_lets_through_its_rate_and_forgets_old_senders() -> None:
    limiter = RateLimiter(10, 5)
    assert [limiter.admit("a", 0.0) for _ in range(6)] == [True] * 5 + [False]
    assert limiter.admit("a", 0.1)
    assert not limiter.admit("a", 0.1)
    assert limiter.admit("b", 0.1)
    assert sum(limiter.admit("a", 100 + step / 100) for step in range(1000)) == 104  # 5 at once, then 10 a second
    wide = RateLimiter(1, 1, all_factor=1e9)
    for sender in range(SENDERS_MAX + 1):
        assert wide.admit(sender, 200.0)
    assert wide.admit(0, 200.0)  # the least recent one was dropped
    assert not wide.admit(SENDERS_MAX, 200.0)


def test_all_senders_together_have_a_limit() -> None:
    limiter = RateLimiter(10, 10)
    limiter.admit("first", 0.0)
    assert sum(limiter.admit(sender, 0.0) for sender in range(100)) == 19


def test_a_quiet_sender_passes_while_others_ask_all_they_can() -> None:
    limiter = RateLimiter(4000, 2000, 1.25)
    passed = {"quiet": 0, "known": 0}
    for step in range(20_000):  # 2 s
        now = step / 10_000
        for flood in ("a", "b", "c"):
            if limiter.admit(flood, now):
                limiter.charge(flood, 1.5)  # each takes long
        if step % 500 == 499:
            passed["quiet"] += limiter.admit("quiet", now)
            passed["known"] += limiter.admit("known", now, known=True)
    assert passed == {"quiet": 40, "known": 40}


def test_who_comes_from_ever_new_ports_does_not_keep_a_known_client_out() -> None:
    limiter = RateLimiter(4000, 2000, 1.25)
    for step in range(40_000):
        limiter.admit(("host", step), step / 10_000)
        limiter.charge(("host", step), 1.0)
    assert not limiter.admit(("host", -1), 4.0)
    assert all(limiter.admit("known", 4.0 + step / 100, known=True) for step in range(20))


def test_what_takes_long_counts_as_several() -> None:
    limiter = RateLimiter(100, 50)
    assert limiter.admit("slow", 0.0)
    limiter.charge("slow", 60.0)
    assert not limiter.admit("slow", 0.05)
    assert limiter.admit("other", 0.05)
    assert limiter.admit("slow", 0.2)


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


def test_who_has_many_addresses_does_not_keep_the_owner_out() -> None:
    """Proofs without a challenge, and plain secrets, from any address, do not use up the owner's attempts."""
    handlers = StubHandlers(secret="open sesame")
    wrong = PROOF + "0" * 64
    for number in range(1000):
        guesser = (f"127.9.{number // 250}.{number % 250 + 1}", 5000)
        handlers.say(messages.HELLO, 1, 0, "", wrong, source=guesser)
        handlers.say(messages.HELLO, 1, 0, "", "a guess", source=guesser)
    challenge = str(handlers.say(messages.CHALLENGE, 2, "." * 48).values[2])
    said = handlers.say(messages.HELLO, 3, 0, "", proof("open sesame", challenge, 0))
    assert said.address == messages.OK.address


def test_a_machine_that_proved_the_secret_is_let_in_while_others_guess_by_the_rules() -> None:
    handlers = StubHandlers(secret="open sesame")

    def come_in(id: int) -> Packet:
        challenge = str(handlers.say(messages.CHALLENGE, id, "." * 48).values[2])
        return handlers.say(messages.HELLO, id + 1, 0, "", proof("open sesame", challenge, 0))

    come_in(1)
    handlers.say(messages.BYE, 3)
    for number in range(1000):
        guesser = (f"127.9.{number // 250}.{number % 250 + 1}", 5000)
        handlers.dispatcher.dispatch(parse(messages.CHALLENGE.pack(1, "." * 48))[0], guesser, handlers.now_seconds, 100)
        handlers.say(messages.HELLO, 2, 0, "", PROOF + "0" * 64, source=guesser)
    assert come_in(4).address == messages.OK.address


def test_a_hello_is_good_no_more_once_its_client_said_bye() -> None:
    handlers = StubHandlers(secret="open sesame")
    challenge = str(handlers.say(messages.CHALLENGE, 1, "." * 48).values[2])
    hello = 2, 0, "", proof("open sesame", challenge, 0)
    assert (
        handlers.say(messages.HELLO, *hello).address
        == handlers.say(messages.HELLO, *hello).address
        == messages.OK.address
    )
    handlers.say(messages.BYE, 3)
    assert "not_allowed" in handlers.say(messages.HELLO, *hello).values


def test_a_request_whose_answer_finds_no_memory_is_answered_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    stub, packed = StubHandlers(), Responder._packed

    def full(self: Responder, values: tuple[object, ...]) -> bytes:
        monkeypatch.setattr(Responder, "_packed", packed)
        raise MemoryError

    monkeypatch.setattr(Responder, "_packed", full)
    answer = stub.say(messages.LANE_GET, 7, 0, "cfg")
    assert (answer.address, answer.values[:2]) == (messages.ERROR.address, (7, messages.LANE_GET.address))
    assert "MemoryError" in str(answer.values[3])
    assert stub.say(messages.LANE_GET, 7, 0, "cfg") == answer  # a repeat is not left without one
    assert stub.say(messages.LANE_GET, 8, 0, "cfg").address == messages.OK.address
