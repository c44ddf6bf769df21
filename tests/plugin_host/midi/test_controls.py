"""What devices send, to moves of controls: pairs in any order, NRPN, running status, floods, halves."""

from __future__ import annotations

import random

import mido
import pytest

from plugin_host.midi.controls import HIGHEST, Control, parse_control
from plugin_host.midi.decoder import Decoder, Move
from plugin_host.midi.errors import MidiMapError
from plugin_host.midi.learner import Learner
from plugin_host.midi.lights import SHOWN, light_messages
from plugin_host.sync.midi_stream import SYSEX_MAX, MidiStream


def change(control: int, value: int, channel: int = 0) -> mido.Message:
    return mido.Message("control_change", control=control, value=value, channel=channel)


def values_of(
    kind: str, messages: list[mido.Message], every: float = 0.001, decoder: Decoder | None = None
) -> list[int]:
    """What a kind of control is said to be at, message by message."""
    one = decoder or Decoder()
    moves = [one.moves(message, n * every) for n, message in enumerate(messages)]
    return [move.raw for found in moves for move in found if move.control.kind == kind]


@pytest.mark.parametrize("text", ["cc 21", "ch 16 cc14 0", "nrpn 16383", "note 36", "program 3", "program", "bend",
                                  "aftertouch", "ch 2 keytouch 60"])  # fmt: skip
def test_a_control_is_named_as_it_is_written(text: str) -> None:
    assert parse_control(f" {text.upper()} ").name == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a control is"), ("knob 3", "a control is"), ("cc", "needs a number, 0 to 119"), ("cc 120", "0 to 119"),
        ("cc14 32", "0 to 31"), ("bend 3", "has no number"), ("ch 17 cc 1", "channels are 1 to 16"),
        ("ch 0 cc 1", "channels are 1 to 16"), ("nrpn 16384", "0 to 16383"), ("cc 1 2", "a control is"),
    ],
)  # fmt: skip
def test_a_wrong_control_says_what_is_allowed(text: str, said: str) -> None:
    with pytest.raises(MidiMapError, match=said):
        parse_control(text)


@pytest.mark.parametrize("upper_first", [True, False])
def test_a_pair_is_exact_in_either_order(upper_first: bool) -> None:
    decoder, last = Decoder(), 0
    for step, raw in enumerate((0, 127, 128, 8191, 8192, 16383, 8192, 8191, 3)):
        halves = [change(7, raw >> 7), change(39, raw & 127)]
        messages = halves if upper_first else halves[::-1]
        moves = [decoder.moves(message, step + n * 0.001) for n, message in enumerate(messages)]
        found = [move.raw for each in moves for move in each if move.control.kind == "cc14"]
        assert found[-1] == raw
        assert all(min(last, raw) - 127 <= each <= max(last, raw) + 127 for each in found)  # nothing jumps on its way
        last = raw


def test_a_fader_that_sends_the_upper_half_first_never_goes_back() -> None:
    decoder, seen = Decoder(), []
    for raw in range(8000, 8400, 7):
        seen += values_of("cc14", [change(7, raw >> 7), change(39, raw & 127)], 0.0001, decoder)
    assert seen == sorted(seen)


def test_an_nrpn_is_selected_and_deselected() -> None:
    select = [change(99, 2), change(98, 44)]
    assert values_of("nrpn", [*select, change(6, 64), change(38, 1)]) == [8192, 8193]
    assert values_of("nrpn", [*select, change(38, 1), change(6, 64)])[-1] == 8193  # the lower half first
    assert values_of("nrpn", [change(6, 64)]) == []  # nothing is selected
    assert values_of("nrpn", [*select, change(101, 0), change(100, 0), change(6, 64)]) == []  # an RPN is
    assert values_of("nrpn", [change(99, 127), change(98, 127), change(6, 64)]) == []
    assert values_of("nrpn", [*select, change(6, 64, channel=1)]) == []  # on another channel
    (move,) = [each for each in Decoder().moves(change(6, 3), 0.0) if each.control.kind == "cc"]
    assert move == Move(Control("cc", 6, 0), 3)  # also a control of its own


def test_the_ends_of_each_kind_are_reached() -> None:
    ends = {
        "bend": [mido.Message("pitchwheel", pitch=pitch) for pitch in (-8192, 8191)],
        "aftertouch": [mido.Message("aftertouch", value=value) for value in (0, 127)],
        "keytouch": [mido.Message("polytouch", note=5, value=value) for value in (0, 127)],
        "program": [mido.Message("program_change", program=value) for value in (0, 127)],
        "cc": [change(1, value) for value in (0, 127)],
    }
    for kind, messages in ends.items():
        found = values_of(kind, messages)
        assert (found[0], found[-1]) == (0, HIGHEST[kind][0])


def test_messages_for_the_whole_device_are_no_controls() -> None:
    decoder = Decoder()
    for message in (change(123, 0), change(120, 0), mido.Message("clock"), mido.Message("sysex", data=(1, 2)),
                    mido.Message("songpos", pos=3), mido.Message("active_sensing")):  # fmt: skip
        assert decoder.moves(message, 0.0) == []


# -- bytes of a cable -----------------------------------------------------------------------------------------


def fed(*pieces: bytes) -> list[str]:
    stream = MidiStream()
    return [message.hex() for piece in pieces for message in stream.feed(piece)]


def test_running_status_and_clock_inside_a_message() -> None:
    assert fed(bytes([0xB0, 7, 64, 65, 66, 8, 1])) == ["B0 07 40", "B0 41 42", "B0 08 01"]
    assert fed(bytes([0xB0, 7, 64, 7, 0xF8, 65])) == ["B0 07 40", "F8", "B0 07 41"]
    assert fed(bytes([0xC3, 1, 2])) == ["C3 01", "C3 02"]
    assert fed(bytes([0xB0, 7, 64, 0xF2, 1, 2, 7, 65])) == ["B0 07 40", "F2 01 02"]  # a song position ends it


def test_halves_come_together_and_what_was_cut_off_is_dropped() -> None:
    assert fed(b"\xb0", b"\x07", b"\x40") == ["B0 07 40"]
    assert fed(b"\xb0\x07", b"\x90\x3c\x40") == ["90 3C 40"]
    assert fed(b"\x07\x40\x41") == []  # no status yet
    assert fed(b"\xf0\x01\x02", b"\xb0\x07\x40", b"\xf7") == ["B0 07 40"]
    assert fed(b"\xf0\x01\xf8\x02\xf7") == ["F8", "F0 01 02 F7"]
    assert fed(b"\xf4\x01\xb0\x07\x40\xf5\x07\x41") == ["B0 07 40"]  # undefined ones


def test_a_flood_of_sysex_is_dropped_and_forgotten() -> None:
    stream = MidiStream()
    for _ in range(40):
        assert list(stream.feed(b"\xf0" + b"\x55" * (SYSEX_MAX // 2))) == []
    assert list(stream.feed(b"\x55" * (2 * SYSEX_MAX))) == []
    assert len(stream._data) <= SYSEX_MAX
    assert [message.hex() for message in stream.feed(b"\xf7\xb0\x07\x40")] == ["B0 07 40"]


def test_any_bytes_are_taken() -> None:
    rng, stream, decoder = random.Random(3), MidiStream(), Decoder()
    for _ in range(200):
        for message in stream.feed(rng.randbytes(50)):
            for move in decoder.moves(message, rng.random()):
                assert 0.0 <= move.position <= 1.0


# -- learning, lights -----------------------------------------------------------------------------------------


def learned(messages: list[mido.Message], rest: float = 1.0) -> list[str]:
    found: list[str] = []
    learner, decoder = Learner(lambda control: found.append(control.name)), Decoder()
    learner.begin()
    for n, message in enumerate(messages):
        learner.take(decoder.moves(message, 0.01 * n), 0.01 * n)
    learner.look(0.01 * len(messages) + rest)
    return found


@pytest.mark.parametrize(
    ("messages", "control"),
    [
        ([change(21, 5), change(21, 6)], "ch 1 cc 21"),
        ([change(7, 5), change(39, 6), change(7, 5), change(39, 7)], "ch 1 cc14 7"),
        ([change(39, 6), change(7, 5)], "ch 1 cc14 7"),
        ([change(99, 1), change(98, 2), change(6, 3), change(38, 4)], "ch 1 nrpn 130"),
        ([mido.Message("note_on", note=36, channel=9), mido.Message("note_off", note=36, channel=9)], "ch 10 note 36"),
        ([mido.Message("program_change", program=4)], "ch 1 program 4"),
        ([mido.Message("pitchwheel", pitch=9, channel=2)], "ch 3 bend"),
        ([change(1, 1), change(21, 5), change(21, 6)], "ch 1 cc 21"),  # a wheel that trembles
        ([mido.Message("clock"), mido.Message("sysex", data=(1,)), change(21, 0)], "ch 1 cc 21"),
    ],
)
def test_the_control_that_is_meant(messages: list[mido.Message], control: str) -> None:
    assert learned(messages) == [control]


def test_learning_waits_for_the_second_half_and_is_left() -> None:
    assert learned([change(7, 5)], rest=0.1) == []
    found: list[Control] = []
    learner = Learner(found.append)
    learner.begin()
    assert learner.leave()
    assert not learner.take(Decoder().moves(change(7, 1), 0.0), 0.0)
    learner.look(9.0)
    assert (found, learner.leave()) == ([], False)


@pytest.mark.parametrize("kind", SHOWN)
def test_a_light_reads_back_as_its_own_control(kind: str) -> None:
    control = Control(kind, -1 if kind == "bend" else 30, 4)
    for position in (0.0, 0.3, 1.0):
        raw, messages = light_messages(control, position, 0)
        decoder = Decoder()
        moves = [move for message in messages for move in decoder.moves(message, 0.0) if move.control == control]
        assert moves[-1].raw == raw == round(position * control.highest)
