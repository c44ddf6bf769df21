"""The endpoint over real UDP: valid requests, every kind of invalid one, floods, and authentication."""

from __future__ import annotations

import contextlib
import itertools
import random
import socket
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from udp_peer import Peer, code_of

from bridge.control import dispatch, messages
from bridge.control.client_rows import PADDING_MIN
from bridge.control.endpoint import Endpoint
from bridge.control.packet import Packet, encode
from bridge.control.requests import LATER, Answer, Request, Responder
from bridge.control.secret import proof
from bridge.errors import EndpointError, LaneInUse, PortInUse, RegionMissing, UnsafeBind

Serve = Callable[..., tuple[Endpoint, Peer]]
NTP_TO_UNIX_SECONDS = 2_208_988_800


def lane_set(request: Request) -> Answer:
    return request.text("name"), request.number("value"), 0.0, 0


SET = {messages.LANE_SET.address: lane_set}


def test_a_request_is_answered_with_its_id(serve: Serve) -> None:
    endpoint, peer = serve(SET)
    answer = peer.ask(messages.LANE_SET.pack(5, 0, "cfg", 2.5))
    assert answer == Packet(messages.OK.address, (5, messages.LANE_SET.address, "cfg", 2.5, 0.0, 0))
    assert peer.alive()
    assert endpoint.counts.received == 2
    assert endpoint.counts.refused == 0


def test_defaults_and_either_number_type_reach_the_handler(serve: Serve) -> None:
    seen: list[Request] = []
    _, peer = serve({messages.LANE_PLAY.address: lambda request: seen.append(request) or (0, 0, 0, 0, 0)})
    peer.ask(encode(messages.LANE_PLAY.address, [1.0, 3.0]))
    peer.ask(encode(messages.LANE_PLAY.address, [2, 3, "bar 7", 16.0]))
    assert (seen[0].whole("lane"), seen[0].at().word, seen[0].whole("bars")) == (3, "now", -1)
    assert (seen[1].at().bar, seen[1].whole("bars")) == (7, 16)
    with pytest.raises(TypeError):
        seen[0].text("lane")


def test_every_request_without_a_handler_says_so(serve: Serve) -> None:
    _, peer = serve()
    for id, row in enumerate(messages.REQUESTS, 1):
        if row in (messages.HELLO, messages.CHALLENGE, messages.BYE, messages.PING, messages.SYNC):
            continue
        answer = peer.ask(encode(row.address, [id, *_plain(row)]))
        assert code_of(answer) == "unsupported"
        assert row.address in str(answer.values[3])


def _plain(row: messages.Message) -> list[int | str]:
    arguments = row.arguments[1 : row.required]
    return [(a.choices[0] if a.choices else "x") if a.kind == "s" else max(1, int(a.low)) for a in arguments]


BAD = {
    "wrong type": (encode(messages.LANE_SET.address, [1, "zero", "cfg", 2]), "wrong_type"),
    "fraction for a whole number": (encode(messages.LANE_SET.address, [1, 0.5, "cfg", 2]), "wrong_type"),
    "blob": (encode(messages.LANE_SET.address, [1, 0, b"cfg", 2]), "wrong_type"),
    "missing": (encode(messages.LANE_SET.address, [1, 0]), "wrong_count"),
    "none at all": (encode(messages.LANE_SET.address, []), "wrong_count"),
    "extra": (encode(messages.PING.address, [1, 2]), "wrong_count"),
    "out of range": (encode(messages.LANE_SET.address, [1, 64, "cfg", 2]), "out_of_range"),
    "negative id": (encode(messages.PING.address, [-1]), "out_of_range"),
    "id of 2^24": (encode(messages.PING.address, [2**24]), "out_of_range"),
    "NaN": (encode(messages.LANE_SET.address, [1, 0, "cfg", float("nan")]), "bad_packet"),
    "infinity": (encode(messages.LANE_SET.address, [1, 0, "cfg", float("inf")]), "bad_packet"),
    "unknown address": (encode("/segue/lane/sett", [1]), "unknown_address"),
    "an answer's address": (messages.OK.pack(1, "x"), "unknown_address"),
    "prompt of 1,001": (encode(messages.LANE_PROMPT.address, [1, 0, "x" * 1001]), "out_of_range"),
    "prompt of 10,000": (encode(messages.LANE_PROMPT.address, [1, 0, "x" * 10_000]), "bad_packet"),
    "prompt of 60,000": (encode(messages.LANE_PROMPT.address, [1, 0, "x" * 60_000]), "bad_packet"),
    "prompt with a bell": (encode(messages.LANE_PROMPT.address, [1, 0, "a\7b"]), "out_of_range"),
    "prompt not UTF-8": (
        encode(messages.LANE_PROMPT.address, [1, 0, "abc"]).replace(b"abc\0", b"a\xff\xfe\0"),
        "bad_packet",
    ),
    "cut": (messages.LANE_SET.pack(1, 0, "cfg", 2)[:-4], "bad_packet"),
    "cut oddly": (messages.LANE_SET.pack(1, 0, "cfg", 2)[:-3], "bad_packet"),
    "pattern": (encode("/segue/*", [1]), "bad_packet"),
    "element of -4 bytes": (b"#bundle\0" + (1).to_bytes(8, "big") + b"\xff\xff\xff\xfc", "bad_packet"),
    "empty": (b"", "bad_packet"),
    "noise": (bytes(range(200, 250)), "bad_packet"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_answered_and_survived(serve: Serve, name: str) -> None:
    datagram, code = BAD[name]
    endpoint, peer = serve(SET)
    answer = peer.ask(datagram)
    assert code_of(answer) == code
    assert len(answer.values) == 4
    assert answer.values[3]
    assert endpoint.counts.refused == 1
    assert peer.alive()


def test_the_limit_of_a_prompt_is_named_under_its_id(serve: Serve) -> None:
    _, peer = serve()
    for length in (1001, 5000, 10_000, 60_000):
        answer = peer.ask(encode(messages.LANE_PROMPT.address, [42, 0, "x" * length]))
        assert answer.values[:2] == (42, messages.LANE_PROMPT.address)
        assert "1000" in str(answer.values[3])


def test_close_matches_are_named(serve: Serve) -> None:
    _, peer = serve()
    answer = peer.ask(encode("/segue/lane/plya", [3]))
    assert answer.values[0] == 3
    assert messages.LANE_PLAY.address in str(answer.values[3])


def test_complaints_are_rationed_but_requests_of_the_table_are_not(serve: Serve) -> None:
    endpoint, peer = serve(SET)
    for number in range(300):
        peer.send(encode("/segue/nobody", [number]))
    for number in range(300):
        peer.send(encode(messages.LANE_SET.address, [number, "zero", "cfg", 1]))
    peer.send(messages.PING.pack(999))
    got = []
    while not got or got[-1].address != messages.OK.address:
        got.append(peer.receive())
    codes = [code_of(packet) for packet in got[:-1]]
    assert codes.count("wrong_type") == 300
    assert 1 <= codes.count("unknown_address") < 300
    assert endpoint.counts.refused == 600


def test_random_and_mutated_datagrams(serve: Serve) -> None:
    endpoint, peer = serve(SET, messages_per_second=1e9)
    rng = random.Random(7)
    whole = messages.LANE_SET.pack(1, 0, "cfg", 2)
    for _ in range(1500):
        mutated = bytearray(whole)
        mutated[rng.randrange(len(whole))] = rng.randrange(256)
        peer.send(bytes(mutated[: rng.randrange(1, len(mutated) + 1)]))
        peer.send(rng.randbytes(rng.randrange(1, 600)))
    assert peer.alive()
    assert endpoint.counts.received > 0


def test_a_flood_of_20000_messages_then_a_ping(serve: Serve) -> None:
    endpoint, peer = serve(SET)
    other = Peer(endpoint.port)
    datagram = messages.LANE_SET.pack(0, 0, "cfg", 2)
    for sent in range(20_000):
        peer.send(datagram)
        if sent == 10_000:
            assert other.alive_again()  # in the middle of it
    assert other.alive_again()
    assert peer.alive_again()  # the sender's ration fills up again
    assert endpoint.counts.received > 1000  # all that the system did not drop


def test_ten_thousand_messages_a_second_do_not_keep_a_client_out(serve: Serve) -> None:
    endpoint, peer = serve(SET)
    other = Peer(endpoint.port)
    stop = threading.Event()

    def flood() -> None:
        begun = time.monotonic()
        for sent in itertools.count():
            peer.send(messages.LANE_SET.pack(0, 0, "cfg", 2))
            time.sleep(max(0.0, begun + sent / 10_000 - time.monotonic()) if sent % 50 == 0 else 0)
            if stop.is_set():
                return

    flooder = threading.Thread(target=flood)
    flooder.start()
    try:
        assert all(other.alive_again(id) for id in range(1, 21))
    finally:
        stop.set()
        flooder.join()
    assert endpoint.counts.received > 20


def test_a_client_is_served_before_what_another_sent_earlier(serve: Serve) -> None:
    gate, order = threading.Event(), list[float]()

    def held(request: Request) -> Answer:
        order.append(request.number("value"))
        gate.wait(20)
        return lane_set(request)

    endpoint, peer = serve({messages.LANE_SET.address: held})
    flooding = Peer(endpoint.port)
    for number in range(500):
        flooding.send(messages.LANE_SET.pack(0, 0, "cfg", float(number)))
    while not order:
        time.sleep(0.001)
    peer.send(messages.LANE_SET.pack(5, 0, "cfg", -1.0))
    gate.set()
    assert peer.receive().values[0] == 5
    assert order.index(-1.0) < 50, "it waited behind the flood"


def test_who_is_over_the_limit_is_reported_and_does_not_cost_others(serve: Serve) -> None:
    endpoint, peer = serve(SET, messages_per_second=20)
    for number in range(200):
        peer.send(messages.LANE_SET.pack(number + 1, 0, "cfg", 2))
    assert Peer(endpoint.port).alive()
    assert endpoint.counts.shed > 150
    n_done = 0
    while (answer := peer.receive()).address == messages.OK.address:
        n_done += 1
    assert code_of(answer) == "busy"
    assert n_done >= 9, "its ration is ten at once; the other peer's ping takes one of all together"


def test_a_repeat_is_done_once_and_answered_again(serve: Serve) -> None:
    done = []
    endpoint, peer = serve({messages.LANE_SET.address: lambda r: done.append(r) or lane_set(r)})
    for _ in range(3):
        assert peer.ask(messages.LANE_SET.pack(8, 0, "cfg", 2)).values[0] == 8
    assert len(done) == 1
    assert endpoint.counts.repeated == 2
    peer.ask(messages.LANE_SET.pack(8, 0, "cfg", 3))  # same id, other content: new
    assert len(done) == 2
    peer.ask(messages.LANE_SET.pack(0, 0, "cfg", 2))
    peer.ask(messages.LANE_SET.pack(0, 0, "cfg", 2))  # id 0: always takes effect
    assert len(done) == 4
    peer.ask(messages.HELLO.pack(1))
    peer.ask(messages.LANE_SET.pack(8, 0, "cfg", 3))  # a new hello: earlier ids are dropped
    assert len(done) == 5


def test_an_error_is_repeated_too(serve: Serve) -> None:
    done = []

    def refuse(request: Request) -> Answer:
        done.append(request)
        raise LaneInUse("lane 3 is open for another host")

    _, peer = serve({messages.LANE_OPEN.address: refuse})
    answers = [peer.ask(messages.LANE_OPEN.pack(8, 3)) for _ in range(2)]
    assert answers[0] == answers[1]
    assert code_of(answers[0]) == "lane_in_use"
    assert len(done) == 1


def test_slow_requests_are_answered_from_another_thread(serve: Serve) -> None:
    kept: list[Responder] = []

    def open_lane(request: Request) -> Answer:
        kept.append(request.responder)
        return LATER

    _, peer = serve({messages.LANE_OPEN.address: open_lane})
    peer.send(messages.LANE_OPEN.pack(1, 0))
    peer.send(messages.LANE_OPEN.pack(1, 0))  # repeated before the answer: takes effect once
    assert peer.alive(2)
    (responder,) = kept
    threads = [threading.Thread(target=responder.progress, args=(1, 3, "loading"))]
    threads += [threading.Thread(target=responder.ok, args=(0, "ring"))]
    for thread in threads:
        thread.start()
        thread.join()
    assert peer.receive().values == (1, messages.LANE_OPEN.address, 1, 3, "loading")
    assert peer.receive().values == (1, messages.LANE_OPEN.address, 0, "ring")
    assert not responder.ok(0, "ring")
    assert not responder.error(RegionMissing("late"))
    responder.progress(2, 3)
    assert peer.alive(3)  # nothing of these three was sent


def test_a_pool_answers_with_what_the_job_returns_or_raises(serve: Serve) -> None:
    def job(request: Request) -> tuple[object, ...]:
        if request.text("path") == "missing":
            raise RegionMissing("no such file")
        return (1 / int(request.text("path")), 2, 48000, 1.0, "", 0.0, 0)

    with ThreadPoolExecutor(1) as pool:
        path = {messages.REGION_FILE.address: lambda r: r.responder.answer_from(pool, lambda: job(r))}
        _, peer = serve(path)
        asks = [messages.REGION_FILE.pack(n, 0, "style", p, 120, 0) for n, p in ((1, "2"), (2, "missing"), (3, "0"))]
        answers = [peer.ask(ask) for ask in asks]
    assert answers[0].values[2:] == (0.5, 2, 48000, 1.0, "", 0.0, 0)
    assert code_of(answers[1]) == "region_missing"
    assert code_of(answers[2]) == "internal"
    assert "ZeroDivisionError" in str(answers[2].values[3])


def test_sync_waits_for_what_came_before(serve: Serve) -> None:
    kept: list[Responder] = []
    _, peer = serve({messages.LANE_OPEN.address: lambda r: kept.append(r.responder) or LATER})
    assert peer.ask(messages.SYNC.pack(1)).values[0] == 1
    peer.send(messages.LANE_OPEN.pack(2, 0))
    peer.send(messages.LANE_OPEN.pack(3, 1))
    peer.send(messages.SYNC.pack(4))
    assert peer.alive(5)
    kept[1].ok(1, "b")
    assert peer.receive().values[0] == 3
    kept[0].error(LaneInUse("taken"))
    assert [peer.receive().values[0], peer.receive().values[0]] == [2, 4]


def test_a_fault_in_a_handler_is_ours_and_does_not_stop_anything(serve: Serve) -> None:
    def broken(request: Request) -> Answer:
        raise RuntimeError("secret path /home/me")

    handlers = {messages.LANE_SET.address: broken, messages.LANE_GET.address: lambda r: ("cfg",)}
    _, peer = serve(handlers)
    answer = peer.ask(messages.LANE_SET.pack(1, 0, "cfg", 1))
    assert code_of(answer) == "internal"
    assert "/home/me" not in str(answer.values[3])
    answer = peer.ask(messages.LANE_GET.pack(2, 0, "cfg"))
    assert code_of(answer) == "internal"
    assert "table" in str(answer.values[3])
    assert peer.alive()


def test_long_answers_are_cut_to_what_clients_take(serve: Serve) -> None:
    def long(request: Request) -> Answer:
        raise RegionMissing("ü" * 5000 + "\0\7")

    _, peer = serve({messages.STATUS.address: long, messages.PRESETS.address: lambda r: ("x" * 1000,)})
    peer.send(messages.STATUS.pack(1))
    assert len(peer.socket.recv(65535)) <= messages.REQUEST_BYTES_MAX
    peer.send(messages.PRESETS.pack(2))
    assert len(peer.socket.recv(65535)) <= messages.REQUEST_BYTES_MAX


# -- clients ------------------------------------------------------------------------------------------


def test_answers_and_events_go_to_the_reply_port(serve: Serve) -> None:
    endpoint, peer = serve(SET)
    listener = Peer(endpoint.port)
    peer.send(messages.HELLO.pack(1, listener.port, "max"))
    assert listener.receive().values[:2] == (1, messages.HELLO.address)
    peer.send(messages.LANE_SET.pack(2, 0, "cfg", 1))
    assert listener.receive().values[0] == 2
    Peer(endpoint.port).send(messages.LANE_SET.pack(3, 0, "cfg", 1))  # oscsend: another source each time
    assert listener.receive().values[0] == 3
    endpoint.notify(messages.EVENT_LANE, 0, "playing", 4.0, "")
    assert listener.receive() == Packet(messages.EVENT_LANE.address, (0, "playing", 4.0, ""))
    assert [client.name for client in endpoint.clients] == ["max"]
    peer.send(messages.BYE.pack(4))
    assert listener.receive().values[0] == 4
    assert endpoint.clients == []


def test_a_reply_port_below_1024_is_refused(serve: Serve) -> None:
    endpoint, peer = serve()
    assert code_of(peer.ask(messages.HELLO.pack(1, 53))) == "out_of_range"
    assert endpoint.clients == []


def test_lanes_are_notified_of_clients_that_leave(serve: Serve) -> None:
    gone: list[str] = []
    _, peer = serve(on_gone=lambda client: gone.append(client.name))
    peer.ask(messages.HELLO.pack(1, 0, "max"))
    peer.ask(messages.BYE.pack(2))
    assert gone == ["max"]


# -- timetags -----------------------------------------------------------------------------------------


def at(seconds: float, *elements: bytes) -> bytes:
    timetag = int((seconds + NTP_TO_UNIX_SECONDS) * 2**32)
    sized = [len(element).to_bytes(4, "big") + element for element in elements]
    return b"#bundle\0" + timetag.to_bytes(8, "big") + b"".join(sized)


def test_a_timetag_is_kept_and_nobody_waits_for_it(serve: Serve) -> None:
    """Messages of a bundle take effect at its timetag; other messages are answered meanwhile."""
    done: list[float] = []
    _, peer = serve({messages.LANE_SET.address: lambda r: done.append(time.time()) or lane_set(r)})
    due = time.time() + 0.6
    peer.send(at(due, messages.LANE_SET.pack(1, 0, "cfg", 1), messages.LANE_SET.pack(2, 0, "cfg", 1)))
    assert peer.alive(3)
    assert not done
    assert [peer.receive().values[0], peer.receive().values[0]] == [1, 2]
    assert min(done) >= due
    peer.send(at(time.time() - 5, messages.LANE_SET.pack(4, 0, "cfg", 1)))
    assert peer.receive().values[0] == 4


def test_a_timetag_too_far_ahead_is_refused(serve: Serve) -> None:
    _, peer = serve(SET)
    for ahead in (3600, 10**8):
        answer = peer.ask(at(time.time() + ahead, messages.LANE_SET.pack(1, 0, "cfg", 1)))
        assert code_of(answer) == "out_of_range"
        assert "timetag" in str(answer.values[3])
    assert peer.alive()


def test_so_many_may_wait_and_no_more(serve: Serve) -> None:
    _, peer = serve(SET)
    element = messages.LANE_SET.pack(1, 0, "cfg", 1)
    for _ in range(10):
        peer.send(at(time.time() + 50, *[element] * 30))
    assert code_of(peer.receive()) == "busy"
    assert peer.alive()


def test_an_event_is_not_told_to_who_caused_it(serve: Serve) -> None:
    """`notify` with `but` sends an event to all other clients."""
    tellers: list[Request] = []
    endpoint, peer = serve({messages.TRANSPORT.address: lambda request: tellers.append(request)})
    other = Peer(endpoint.port)
    for each in (peer, other):
        assert each.ask(messages.HELLO.pack(1)).address == messages.OK.address
    peer.ask(messages.TRANSPORT.pack(2, 0, 1, 4.0, 120.0))
    endpoint.notify(messages.EVENT_TIME, 0, 1, 4.0, 120.0, 4, 4, but=tellers[0].client)
    assert other.receive().address == messages.EVENT_TIME.address
    assert peer.ask(messages.PING.pack(3)).address == messages.OK.address  # nothing was received before it


def test_misspelt_addresses_by_the_thousand_cost_no_time(serve: Serve) -> None:
    """A suggestion takes a millisecond: it is computed only for answers that are sent."""
    endpoint, peer = serve(SET)
    for number in range(20):
        bundle = b"#bundle\0" + bytes(7) + b"\1"
        for element in (encode(f"/segue/lane/p{number * 64 + each:05d}", [1]) for each in range(64)):
            bundle += len(element).to_bytes(4, "big") + element
        peer.send(bundle)
    made = dispatch._near.cache_info().misses
    assert peer.alive_again()
    assert endpoint.counts.received >= 20 * 64
    assert dispatch._near.cache_info().misses - made <= 60


def test_a_datagram_of_many_messages_counts_as_many(serve: Serve) -> None:
    endpoint, peer = serve(SET, messages_per_second=100)
    element = messages.LANE_SET.pack(1, 0, "cfg", 2)
    peer.send(b"#bundle\0" + bytes(7) + b"\1" + (len(element).to_bytes(4, "big") + element) * 64)
    assert Peer(endpoint.port).alive_again()
    assert endpoint.counts.shed >= 64 - 50 - 5
    assert endpoint.counts.received >= 64


def test_what_is_to_be_done_later_is_done_in_time_and_order(serve: Serve) -> None:
    came: list[int] = []
    done = threading.Event()

    def begin(request: Request) -> Answer:
        endpoint.later(0.03, lambda: came.append(2) or done.set())
        endpoint.later(0.01, lambda: came.append(1))
        return lane_set(request)

    endpoint, peer = serve({messages.LANE_SET.address: begin})
    peer.ask(messages.LANE_SET.pack(1, 0, "cfg", 2))
    assert done.wait(10)
    assert came == [1, 2]


# -- binding and secrets -----------------------------------------------------------------------------------------


def test_a_port_in_use_says_which_and_what_to_do(serve: Serve) -> None:
    endpoint, _ = serve()
    with pytest.raises(PortInUse, match=f"{endpoint.port}.*another port"):
        Endpoint(endpoint.port, {})


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("127.0.0.1", -1), ("203.0.113.9", 0)])
def test_a_socket_that_cannot_be_opened(host: str, port: int) -> None:
    """Invalid hosts and ports raise EndpointError."""
    with pytest.raises(EndpointError):
        Endpoint(port, {}, host=host, allow_network=True, secret="long enough")


def test_the_network_takes_a_flag_and_a_secret() -> None:
    with pytest.raises(UnsafeBind, match="explicitly"):
        Endpoint(0, {}, host="0.0.0.0")
    with pytest.raises(UnsafeBind, match="explicitly"):
        Endpoint(0, {}, host="0.0.0.0", secret="long enough")
    with pytest.raises(UnsafeBind, match="secret"):
        Endpoint(0, {}, host="0.0.0.0", allow_network=True)
    with pytest.raises(UnsafeBind, match="characters"):
        Endpoint(0, {}, host="0.0.0.0", allow_network=True, secret="short")


def test_without_the_secret_nothing_is_done(serve: Serve) -> None:
    done = []
    handlers = {messages.LANE_SET.address: lambda r: done.append(r) or lane_set(r)}
    endpoint, peer = serve(handlers, host="0.0.0.0", allow_network=True, secret="open sesame")
    assert code_of(peer.ask(messages.LANE_PROMPT.pack(1, 0, "let me in, please"))) == "not_allowed"
    assert code_of(peer.ask(messages.HELLO.pack(2, 0, "a name that is long"))) == "not_allowed"
    assert code_of(peer.ask(messages.HELLO.pack(3, 0, "x", "open sesamf"))) == "not_allowed"
    assert not done
    assert endpoint.clients == []
    assert peer.ask(messages.HELLO.pack(4, 0, "x", "open sesame")).address == messages.OK.address
    assert peer.ask(messages.LANE_SET.pack(5, 0, "cfg", 1)).address == messages.OK.address
    assert code_of(Peer(endpoint.port).ask(messages.LANE_PROMPT.pack(6, 0, "let me in, please"))) == "not_allowed"


def test_a_stranger_gets_nothing_longer_than_it_sent(serve: Serve) -> None:
    endpoint, peer = serve(SET, secret="open sesame")
    peer.socket.settimeout(0.3)
    sent = [
        encode("/segue/lane/plya", [3]), messages.STATUS.pack(1), messages.PING.pack(1), messages.CHALLENGE.pack(4),
        messages.HELLO.pack(1), messages.HELLO.pack(7, 0, "x", "open sesamf"),
        messages.LANE_PROMPT.pack(5, 0, "a" * 90),
        messages.CHALLENGE.pack(4, "." * PADDING_MIN), b"#bundle\0" + bytes(7) + b"\1", b"\0\0\0\0", b"/x",
        encode("/segue/" + "y" * 60, [1]),
    ]  # fmt: skip
    answered = 0
    for datagram in sent:
        peer.send(datagram)
        with contextlib.suppress(TimeoutError):
            assert len(peer.socket.recv(65535)) <= len(datagram)
            answered += 1
    assert answered >= 3
    assert endpoint.clients == []


def test_the_secret_is_proved_once_and_here(serve: Serve) -> None:
    """A captured proof is of no use to another sender, nor later."""
    endpoint, peer = serve(SET, secret="open sesame")
    challenge = str(peer.ask(messages.CHALLENGE.pack(1, "." * PADDING_MIN)).values[2])
    hello = messages.HELLO.pack(2, 0, "max", proof("open sesame", challenge, 0))
    other = Peer(endpoint.port)
    assert code_of(other.ask(hello)) == "not_allowed"
    assert peer.ask(hello).address == messages.OK.address
    assert peer.ask(hello).address == messages.OK.address  # its answer was lost
    assert code_of(other.ask(hello)) == "not_allowed"
    again = str(other.ask(messages.CHALLENGE.pack(3, "." * PADDING_MIN)).values[2])
    assert again != challenge
    wrong_port = messages.HELLO.pack(4, 9999, "max", proof("open sesame", again, 0))
    assert code_of(other.ask(wrong_port)) == "not_allowed"
    assert len(endpoint.clients) == 1


def test_secrets_cannot_be_guessed_fast(serve: Serve) -> None:
    endpoint, peer = serve(secret="open sesame")
    for guess in range(400):
        peer.send(messages.HELLO.pack(guess + 1, 0, "a name that is long", f"guess number {guess}"))
    assert endpoint.clients == []
    codes = []
    peer.socket.settimeout(0.5)
    with contextlib.suppress(TimeoutError):
        while True:
            codes.append(code_of(peer.receive()))
    assert codes.count("not_allowed") <= 7  # 5 at once, then one a second
    assert codes.count("not_allowed") >= 5


@pytest.mark.skipif(sys.platform != "linux", reason="speaks from many addresses of this machine")
def test_strangers_with_many_addresses_do_not_keep_others_out(serve: Serve) -> None:
    endpoint, peer = serve(secret="open sesame")
    for number in range(400):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.bind((f"127.9.{number // 200}.{number % 200 + 1}", 0))
            stranger.sendto(messages.CHALLENGE.pack(1, "." * PADDING_MIN), ("127.0.0.1", endpoint.port))
    assert peer.ask(messages.CHALLENGE.pack(1, "." * PADDING_MIN)).address == messages.OK.address


def test_handlers_of_unknown_addresses_are_our_fault() -> None:
    with pytest.raises(ValueError, match="/nobody"):
        Endpoint(0, {"/nobody": lane_set})
    with pytest.raises(ValueError):
        Endpoint(0, {messages.OK.address: lane_set})


def test_close_frees_the_port_and_the_thread() -> None:
    before = threading.active_count()
    endpoint = Endpoint(0, {})
    endpoint.start()
    endpoint.close()
    endpoint.close()
    assert threading.active_count() == before
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", endpoint.port))


def test_an_endpoint_that_was_never_started_closes_too() -> None:
    Endpoint(0, {}).close()
