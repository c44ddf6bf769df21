"""Frames in pieces of any size; addresses."""

import pytest

from bridge.control.packet import Packet, parse
from bridge.far import frames, osc
from bridge.far.frames import Deframer, FrameError, Kind


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_frames_come_out_as_they_went_in_whatever_the_pieces(size: int) -> None:
    sent = frames.datagram(7, b"abc") + frames.ping(-5) + frames.words(Kind.LANE, form={"a": 1}) + frames.gone(3)
    deframer = Deframer()
    came = [each for at in range(0, len(sent), size) for each in deframer.feed(sent[at : at + size])]
    assert [kind for kind, _ in came] == [Kind.DATAGRAM, Kind.PING, Kind.LANE, Kind.GONE]
    assert frames.datagram_of(came[0][1]) == (7, b"abc")
    assert frames.words_of(came[2][1]) == {"form": {"a": 1}}


def test_a_file_in_parts_is_the_file() -> None:
    data = bytes(range(256)) * 600
    parts = [
        frames.file_part_of(payload) for part in frames.file_parts(4, data) for _, payload in Deframer().feed(part)
    ]
    assert b"".join(part for _, _, part in parts) == data
    assert [last for _, last, _ in parts] == [False, False, True]
    assert {number for number, _, _ in parts} == {4}


@pytest.mark.parametrize("wrong", [b"\xff\xff\xff\xff\x01", b"\0\0\0\0\xee"], ids=["too long", "no such kind"])
def test_what_is_no_frame_is_refused_before_it_is_read(wrong: bytes) -> None:
    with pytest.raises(FrameError):
        list(Deframer().feed(wrong))


def test_payloads_that_are_too_short_are_refused() -> None:
    for read in (frames.datagram_of, frames.file_part_of, frames.pong_of, lambda data: frames.pong(data, 0)):
        with pytest.raises(FrameError):
            read(b"\0")
    for text in (b"", b"[]", b"[" * 100_000):
        with pytest.raises(FrameError):
            frames.words_of(text)


def test_addresses() -> None:
    assert frames.address_of("studio.local") == ("studio.local", frames.FAR_PORT)
    assert frames.address_of("10.0.0.1:77") == ("10.0.0.1", 77)
    assert frames.address_of("[::1]:77") == ("::1", 77)
    assert frames.address_of("::1") == ("::1", frames.FAR_PORT)
    for wrong in ("", ":80", "a:b", "a:70000"):
        with pytest.raises(ValueError, match="must be ADDRESS"):
            frames.address_of(wrong)


def test_a_message_that_is_due_stays_due() -> None:
    for due in (None, 1_790_000_000.25):
        packet = Packet("/segue/lane/prompt", (1, 0, "calm", "now"), due)
        assert parse(osc.bytes_of(packet)) == [packet]
