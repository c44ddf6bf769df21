"""Moves to messages: pickup, switches, endless encoders, the rate, and values that others change."""

from __future__ import annotations

import mido
import pytest

from bridge.control import messages
from bridge.control.jam_rows import JAM_VERBS
from plugin_host.midi.binding import Binding, bind
from plugin_host.midi.defaults import default_map
from plugin_host.midi.mapper import OWN_SECONDS, SEND_SECONDS, Lit, Mapper
from plugin_host.midi.targets import Target


class Rig:
    """A mapper, what it sent, and what its lights show."""

    def __init__(self, *bindings: Binding) -> None:
        self.sent: list[tuple[str, float | None]] = []
        self.lit: list[float] = []
        self.now = 0.0
        self.mapper = Mapper(self._send, self._light)
        self.mapper.use(bindings)

    def _send(self, target: Target, value: float | None) -> None:
        target.row.check(target.values(value))  # what the engine would refuse fails here
        self.sent.append((target.name, None if value is None else round(value, 6)))

    def _light(self, lit: Lit) -> int:
        self.lit.append(lit.position)
        return round(lit.position * lit.binding.control.highest)

    def play(self, *moves: mido.Message, every: float = 0.1) -> list[tuple[str, float | None]]:
        """Send messages, one after the other; what they caused."""
        before = len(self.sent)
        for message in moves:
            self.mapper.act(self.mapper.decode(message, self.now), self.now)
            self.now += every
            self.mapper.flush(self.now)
        return self.sent[before:]

    def know(self, value: float, name: str = "temperature", after: float = 1.0) -> None:
        """The engine says a value."""
        self.now += after
        self.mapper.know(0, name, value, self.now)


def cc(*values: int, control: int = 21) -> list[mido.Message]:
    return [mido.Message("control_change", control=control, value=value) for value in values]


def notes(*velocities: int, note: int = 36) -> list[mido.Message]:
    return [mido.Message("note_on", note=note, velocity=velocity) for velocity in velocities]


TEMPERATURE = bind("cc 21", "temperature", low=0.0, high=1.27)


def test_a_knob_has_no_effect_before_it_passes_the_value() -> None:
    rig = Rig(TEMPERATURE)
    rig.know(0.5)
    assert rig.play(*cc(10, 30, 40, 48)) == []
    assert rig.play(*cc(52, 60)) == [("temperature", 0.52), ("temperature", 0.6)]  # it passed 50 on the way
    assert rig.play(*cc(10)) == [("temperature", 0.1)]


def test_a_knob_at_the_value_has_it_at_once() -> None:
    rig = Rig(TEMPERATURE)
    rig.know(0.5)
    assert rig.play(*cc(49, 20)) == [("temperature", 0.49), ("temperature", 0.2)]


def test_a_knob_whose_value_is_unknown_waits() -> None:
    rig = Rig(TEMPERATURE)
    assert rig.play(*cc(1, 127)) == []
    rig.know(0.5)
    assert rig.play(*cc(1)) == [("temperature", 0.01)]  # from 127 to 1: it passed


def test_another_client_takes_the_value_away_and_moves_the_fader() -> None:
    rig = Rig(TEMPERATURE)
    rig.know(0.5)
    rig.play(*cc(50, 60))
    rig.know(1.0)
    assert rig.lit[-1] == pytest.approx(100 / 127)
    assert rig.play(*cc(61, 70)) == []
    assert rig.play(*cc(101)) == [("temperature", 1.01)]


def test_a_motor_fader_needs_no_pickup_and_its_echo_is_ignored() -> None:
    rig = Rig(bind("bend", "temperature", low=0.0, high=2.0, pickup=False))
    rig.know(1.5)
    shown = round(0.75 * 16_383) - 8192
    assert rig.play(mido.Message("pitchwheel", pitch=shown)) == []  # the motor says where it went
    assert rig.play(mido.Message("pitchwheel", pitch=8191)) == [("temperature", 2.0)]


def test_own_values_that_come_back_late_change_nothing() -> None:
    rig = Rig(TEMPERATURE)
    rig.know(0.5)
    rig.play(*cc(50, 60, 70), every=0.01)
    rig.know(0.5, after=OWN_SECONDS / 2)  # read before the engine had the new one
    assert rig.play(*cc(71)) == [("temperature", 0.71)]


def test_a_fast_knob_sends_its_last_value() -> None:
    rig = Rig(bind("cc 21", "temperature", low=0.0, high=1.27, pickup=False))
    sent = rig.play(*cc(*range(128)), every=0.001)
    rig.now += SEND_SECONDS
    rig.mapper.flush(rig.now)
    assert len(sent) <= 0.128 / SEND_SECONDS + 2
    assert (rig.sent[0], rig.sent[-1]) == (("temperature", 0.0), ("temperature", 1.27))


@pytest.mark.parametrize(
    ("mode", "up", "down"), [("twos", (1, 2), (127, 126)), ("offset", (65, 66), (63, 62)), ("sign", (1, 2), (65, 66))]
)
def test_endless_encoders(mode: str, up: tuple[int, int], down: tuple[int, int]) -> None:
    rig = Rig(bind("cc 21", "temperature", mode=mode, low=0.0, high=1.0))
    assert rig.play(*cc(up[0])) == []  # from where is not known
    rig.know(0.5)
    assert [value for _, value in rig.play(*cc(*up, *down))] == [0.51, 0.53, 0.52, 0.5]
    rig.know(0.9)  # another client
    assert rig.play(*cc(up[1])) == [("temperature", 0.92)]
    assert [value for _, value in rig.play(*cc(*[up[1]] * 9))][-1] == 1.0  # it ends there


def test_an_encoder_steps_through_whole_numbers() -> None:
    rig = Rig(bind("cc 21", "section", mode="twos"))
    rig.know(-1.0, "section")
    assert [value for _, value in rig.play(*cc(1, 1, 127, 1, 1))] == [0, 1, 0, 1, 2]


@pytest.mark.parametrize(
    "moves", [cc(127, 0, 127, 0), notes(90, 0, 90, 0), [*notes(90), mido.Message("note_off", note=36)] * 2]
)
def test_a_switch_toggles(moves: list[mido.Message]) -> None:
    control = "cc 21" if moves[0].type == "control_change" else "note 36"
    rig = Rig(bind(control, "guard"))
    assert rig.play(*moves) == [("guard", 1), ("guard", 0)]
    assert rig.lit == [1, 0]
    rig.know(1.0, "guard")  # another client
    assert rig.lit[-1] == 1
    assert rig.play(*moves[:2]) == [("guard", 0)]


def test_play_and_stop_on_one_switch_follow_the_lane() -> None:
    rig = Rig(bind("cc 64", "lane/play", given={"at": "bar", "bars": 8}, other="lane/stop"))
    (binding,) = (row[0] for row in rig.mapper.state)
    assert binding.other is not None
    assert binding.other.given == {"lane": 0, "at": "bar"}
    press = cc(127, 0, control=64)
    assert rig.play(*press, *press) == [("lane/play", None), ("lane/stop", None)]
    rig.now += 2
    rig.mapper.know_playing(0, True, rig.now)  # another client plays it
    assert rig.play(*press) == [("lane/stop", None)]


def test_momentary_and_trigger() -> None:
    rig = Rig(bind("note 36", "lane/mute", moves="on", mode="momentary"))
    assert rig.play(*notes(80, 0)) == [("lane/mute", 1), ("lane/mute", 0)]
    rig = Rig(bind("program 3", "section", low=0, high=3))
    assert rig.play(mido.Message("program_change", program=3), mido.Message("program_change", program=2)) == [
        ("section", 3)
    ]
    rig = Rig(bind("program", "top_k", low=0, high=127, pickup=False))
    assert rig.play(mido.Message("program_change", program=12)) == [("top_k", 12)]


def test_a_device_that_comes_back_is_shown_what_is_known() -> None:
    rig = Rig(TEMPERATURE, bind("note 36", "guard"), bind("note 37", "lane/reseed"), bind("cc 22", "cfg"))
    rig.know(1.27)
    rig.know(1.0, "guard")
    rig.play(*notes(90, 0, note=37))  # a trigger has no light
    rig.lit.clear()
    rig.mapper.show_all(rig.now)
    assert rig.lit == [1.0, 1.0]


def test_of_pads_for_one_parameter_the_one_in_use_is_lit() -> None:
    rig = Rig(*(bind(f"note {36 + section}", "section", low=-1, high=section) for section in range(3)))
    assert rig.play(*notes(90, 0, note=38), *notes(90, 0, note=36)) == [("section", 2), ("section", 0)]
    rig.lit.clear()
    rig.know(1.0, "section")
    assert sorted(rig.lit) == [0.0, 0.0, 1.0]


def test_a_bouncing_contact_presses_once() -> None:
    rig = Rig(bind("note 36", "lane/reseed"))
    assert len(rig.play(*notes(80, 80, 80), every=0.01)) == 1


def test_channels_and_several_targets() -> None:
    one, two = bind("ch 2 cc 21", "cfg", pickup=False), bind("cc 21", "temperature", pickup=False)
    rig = Rig(one, two, bind("cc 21", "level_db", pickup=False))
    assert [name for name, _ in rig.play(*cc(5))] == ["temperature", "level_db"]
    on_two = mido.Message("control_change", control=21, value=5, channel=1)
    assert [name for name, _ in rig.play(on_two)] == ["cfg"]


def test_curves_go_both_ways() -> None:
    for curve in ("linear", "geometric", 3.0, 0.3):
        for low, high in ((0.5, 6.0), (6.0, 0.5)):
            shape = bind("cc 1", "lead_seconds", low=low, high=high, curve=curve).curve
            assert shape is not None
            assert (shape.value(0.0), shape.value(1.0)) == pytest.approx((low, high))
            for position in (0.0, 0.2, 0.9, 1.0):
                assert shape.position(shape.value(position)) == pytest.approx(position)


def test_the_built_in_maps_reach_what_they_name() -> None:
    for found in (default_map(2), default_map(2, jam=True)):
        rig = Rig(*found.bindings)
        for binding in found.bindings:
            assert binding.target.lane in (2, -1)
            for target in filter(None, (binding.target, binding.other)):
                target.row.check(target.values(binding.curve.high if binding.curve else None))
        assert rig.play(*cc(127, control=80))
    verbs = {binding.target.row for binding in default_map(jam=True).bindings if binding.control.kind == "note"}
    assert verbs == set(JAM_VERBS)


def test_every_message_of_the_table_can_be_a_target() -> None:
    """Arguments without a default are given; nothing of the table is left out."""
    usual = {"s": "x", "i": 1, "f": 1.0, "at": "bar"}
    for row in (*messages.REQUESTS, *JAM_VERBS):
        given = {
            argument.name: (argument.choices[0] if argument.choices and argument.kind == "s" else
                            max(usual[argument.kind], argument.low) if argument.kind in "if" else usual[argument.kind])
            for argument in row.arguments if argument.default is None and argument.name not in ("id", "lane")
        }  # fmt: skip
        if row in (messages.LANE_GET, messages.LANE_SET):
            given["name"] = "cfg"
        target = bind("note 1", row.address.removeprefix("/segue/"), given=given).target
        row.pack(*target.values())
