"""Packets: any datagram is parsed or refused with PacketError, and other libraries read our datagrams."""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from bridge.control import messages
from bridge.control.packet import (
    DATAGRAM_BYTES_MAX,
    DEPTH_MAX,
    ELEMENTS_MAX,
    Packet,
    encode,
    parse,
    salvage,
)
from bridge.errors import PacketError
from plugin_host.bench.trust.hostile_osc import ATTACKS, bundle, mutated, nested, plain

PLAIN = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40)
FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
VALUES = st.lists(
    st.one_of(st.integers(-(2**31), 2**31 - 1), FLOATS, PLAIN, st.binary(min_size=1, max_size=40)),
    max_size=12,
)
ADDRESSES = st.from_regex(r"/[a-z0-9_/+-]{0,60}", fullmatch=True)


def outcome(datagram: bytes) -> list[Packet] | PacketError:
    """The result of `parse`; any exception but PacketError fails the test."""
    try:
        packets = parse(datagram)
    except PacketError as fault:
        return fault
    assert packets or datagram.startswith(b"#bundle\0")  # a bundle may be empty
    assert all(isinstance(packet, Packet) for packet in packets)
    return packets


def lines_run(work: Callable[[], object]) -> int:
    """The number of Python lines that `work` runs: a measure of its cost that does not depend on the machine."""
    count = 0

    def trace(frame: object, event: str, argument: object) -> object:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@given(ADDRESSES, VALUES)
def test_there_and_back(address: str, values: list[int | float | str | bytes]) -> None:
    assert parse(encode(address, values)) == [Packet(address, tuple(values))]


@given(ADDRESSES, VALUES)
def test_python_osc_writes_the_same_bytes_and_reads_ours(address: str, values: list[int | float | str | bytes]) -> None:
    builder = OscMessageBuilder(address=address)
    kinds = {int: "i", float: "f", str: "s", bytes: "b"}
    for value in values:
        builder.add_arg(value, kinds[type(value)])
    assert encode(address, values) == builder.build().dgram
    assert list(OscMessage(encode(address, values)).params) == values


@given(st.binary(max_size=400))
def test_any_bytes(datagram: bytes) -> None:
    outcome(datagram)
    address, id = salvage(datagram)
    assert isinstance(address, str)
    assert 0 <= id < 2**24


@given(st.binary(max_size=300), st.sampled_from([b"/", b"/a\0\0,", b"#bundle\0", b"#bundle\0\0\0\0\0\0\0\0\1"]))
def test_any_bytes_after_a_good_start(tail: bytes, head: bytes) -> None:
    outcome(head + tail)
    outcome(head + tail + bytes(-len(head + tail) % 4))
    salvage(head + tail)


@settings(max_examples=300)
@given(st.sampled_from(messages.REQUESTS), st.randoms(use_true_random=False))
def test_mutated_messages(row: messages.Message, rng: random.Random) -> None:
    datagram = mutated(rng, plain(row))
    outcome(datagram)
    salvage(datagram)


@given(st.integers(0, 200))
def test_cut_anywhere(cut: int) -> None:
    whole = messages.LANE_PROMPT.pack(7, 1, "a prompt of some length", "bar 4")
    result = outcome(whole[:cut])
    assert isinstance(result, PacketError) or cut >= len(whole)


@given(st.lists(st.tuples(ADDRESSES, VALUES), min_size=1, max_size=5))
def test_bundles_are_opened_in_order(contents: list[tuple[str, list[int | float | str | bytes]]]) -> None:
    flat = [Packet(address, tuple(values)) for address, values in contents]
    elements = [encode(address, values) for address, values in contents]
    assert parse(bundle(*elements)) == flat
    assert parse(bundle(bundle(*elements[:1]), *elements[1:])) == flat


@pytest.mark.parametrize("name", ATTACKS)
def test_named_attacks_are_refused(name: str) -> None:
    datagram = ATTACKS[name]
    with pytest.raises(PacketError):
        parse(datagram)
    assert isinstance(salvage(datagram)[1], int)


@pytest.mark.parametrize("name", ATTACKS)
def test_no_attack_costs_much_work(name: str) -> None:
    datagram = ATTACKS[name]
    assert lines_run(lambda: outcome(datagram)) <= 200 + 5 * min(len(datagram), DATAGRAM_BYTES_MAX)
    assert lines_run(lambda: salvage(datagram)) <= 100


def test_the_costliest_datagrams_cost_work_in_proportion() -> None:
    full = bundle(*[encode("/a", [1] * 25)] * ELEMENTS_MAX)
    assert len(full) <= DATAGRAM_BYTES_MAX
    assert lines_run(lambda: parse(full)) <= 5 * len(full)


def test_what_other_programs_send_is_taken() -> None:
    assert parse(b"/a\0\0,TF\0")[0].values == (1, 0)
    assert parse(b"/a\0\0,h\0\0" + struct.pack(">q", 2**40))[0].values == (2**40,)
    assert parse(b"/a\0\0,d\0\0" + struct.pack(">d", 0.1))[0].values == (0.1,)
    assert parse(b"/a\0\0,S\0\0sym\0")[0].values == ("sym",)
    assert len(parse(nested(DEPTH_MAX))) == 1


def test_timetags() -> None:
    when = int((2_208_988_800 + 1_700_000_000.5) * 2**32)
    assert parse(bundle(encode("/a", []), timetag=when))[0].due_seconds == 1_700_000_000.5
    assert parse(bundle(encode("/a", [])))[0].due_seconds is None


@pytest.mark.parametrize("value", [2**31, -(2**31) - 1, 1e39, "a\0b"])
def test_what_cannot_be_sent_is_our_fault(value: object) -> None:
    with pytest.raises(ValueError):
        encode("/a", [value])  # type: ignore[list-item]


def test_the_id_of_a_broken_message_is_found() -> None:
    whole = messages.LANE_PROMPT.pack(77, 1, "x" * 100)
    assert salvage(whole) == (messages.LANE_PROMPT.address, 77)
    assert salvage(whole[:-40]) == (messages.LANE_PROMPT.address, 77)
    assert salvage(encode("/a", [5.0, "x" * 20_000])) == ("/a", 5)
    assert salvage(encode("/a", ["x", 5])) == ("/a", 0)
    assert salvage(encode("/a", [-5])) == ("/a", 0)
    assert salvage(b"/broken\0") == ("/broken", 0)
    assert salvage(b"\xff\xff") == ("", 0)
