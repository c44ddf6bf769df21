"""Commands at bar lines, one lane end to end on one thread: music before the line stays, music after it is new.

At 120 bpm a beat has 24,000 samples and no frame of 960 begins on bar lines of 7/8 at 93.7 bpm.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from lane_rig import BLOCK, RATE, RigHost

from bridge.control.arguments import At
from bridge.time.transport import Grid, Transport
from bridge.time.units import Signature
from engine.serve.lane.command import Command
from engine.serve.lane.meeting import Meeting
from plugin_host.playback.processor import BlockState, Processor

ODD = Grid(RATE, 93.7, Signature(7, 8))
ADDRESS = "/root/lane/"


def command(host: RigHost, at: str | float, update, id: int = 1, kind: str = "prompt", **more) -> Command:
    return Command(At.read(at), id, ADDRESS + kind, update, arrived_seconds=host.clock.seconds, **more)


def give(host: RigHost, at: str | float, update, id: int = 1, kind: str = "prompt") -> tuple[float, int]:
    made = command(host, at, update, id, kind)
    return host.lane.controller.change(made)


def prompt(text: str):
    return lambda settings: settings.with_prompt(text)


def playing(host: RigHost, grid: Grid = ODD, loop: tuple[float, float] | None = None) -> None:
    host.lane.update(lambda s: s.with_value("seed", 7).with_value("guard", 0.0))
    host.transport = Transport(False, 0, grid)
    host.settle()
    host.play(At(beats=0.0))
    host.start(loop)
    host.settle()


@pytest.fixture(scope="module")
def alone() -> np.ndarray:
    """Five bars of the same music without commands."""
    host = RigHost()
    host.publish()
    playing(host)
    sound = host.render(ODD.bar_start(5))
    host.close()
    return sound


def first_difference(sound: np.ndarray, alone: np.ndarray) -> int:
    assert np.isfinite(sound).all()
    off = np.flatnonzero(np.abs(sound - alone[: len(sound)]).max(axis=1) > 1e-6)
    return int(off[0]) if len(off) else -1


@pytest.mark.parametrize("word", ["bar 3", "bars 3", 10.5])
def test_a_prompt_is_heard_exactly_from_its_line_on(host, alone, word):
    heard = host.events.heard
    playing(host)
    before = host.render(RATE)
    assert give(host, word, prompt("else")) == (10.5, 0)
    assert host.lane.controller.scheduler.commands.listed() == (1, "1 prompt 10.5")
    sound = np.concatenate([before, host.render(ODD.bar_start(4) - RATE)])
    curve = ODD.bar_start(3)
    assert (curve * 50) % RATE  # in the middle of a frame
    assert first_difference(sound, alone) == curve
    assert [said[:3] for said in heard] == [(1, ADDRESS + "prompt", 10.5)]
    assert host.lane.settings.prompt == "else"
    assert host.lane.controller.scheduler.commands.listed() == (0, "")
    steps = np.abs(np.diff(sound[:, 0]))
    assert steps[curve - 2 : curve + 2].max() <= np.delete(steps, np.arange(curve - 3, curve + 3)).max()  # no click


def test_the_same_command_gives_the_same_music_whenever_it_is_reported(host, alone):
    playing(host)
    give(host, "bar 3", prompt("else"))
    first = host.render(ODD.bar_start(4))
    other = RigHost()
    other.publish()
    playing(other)
    before = other.render(3 * RATE)
    give(other, "bar 3", prompt("else"))
    second = np.concatenate([before, other.render(ODD.bar_start(4) - 3 * RATE)])
    other.close()
    np.testing.assert_allclose(first, second, atol=1e-6)


@pytest.mark.parametrize(
    ("kind", "update"),
    [
        ("reseed", lambda s: s.with_seed(5)),
        ("set", lambda s: s.with_value("temperature", 0.5)),
        ("set", lambda s: s.with_value("level_db", -12.0)),
        ("mute", lambda s: s.with_mute(True)),
    ],
)
def test_every_change_begins_on_the_line(host, alone, kind, update):
    heard = host.events.heard
    playing(host)
    give(host, "bar 2", update, 4, kind)
    sound = host.render(ODD.bar_start(3))
    assert first_difference(sound, alone) == ODD.bar_start(2)
    assert [said[:3] for said in heard] == [(4, ADDRESS + kind, 7.0)]


def test_a_mute_fades_and_the_music_goes_on_underneath(host, alone):
    playing(host)
    give(host, "bar 1", lambda s: s.with_mute(True), kind="mute")
    give(host, "bar 2", lambda s: s.with_mute(False), kind="mute")
    sound = host.render(ODD.bar_start(3))
    begin, end, glide = ODD.bar_start(1), ODD.bar_start(2), RATE // 100
    assert first_difference(sound, alone) == begin
    assert not sound[begin + glide : end].any()
    assert sound[begin : begin + glide // 2].any()
    np.testing.assert_allclose(sound[end + glide :], alone[end + glide : len(sound)], atol=1e-6)  # in phase
    assert np.abs(np.diff(sound[:, 0])).max() <= 1.1 * np.abs(np.diff(alone[:, 0])).max()


def test_a_mute_now_is_soon_and_reported(host, alone):
    heard = host.events.heard
    playing(host)
    host.render(RATE)
    give(host, "now", lambda s: s.with_mute(True), 9, "mute")
    sound = host.render(RATE)
    loud = np.flatnonzero(sound.any(axis=1))
    assert loud[-1] < RATE * 0.1
    assert [said[:2] for said in heard] == [(9, ADDRESS + "mute")]
    give(host, "now", lambda s: s.with_mute(True), 10, "mute")  # already mute: no audible change
    host.render(RATE)
    assert len(heard) == 1


def test_changes_for_one_line_are_taken_together(host):
    heard = host.events.heard
    playing(host)
    host.render(RATE // 2)
    version = host.lane.controller.renderer.version
    give(host, "bar 2", prompt("one"), 1)
    give(host, 7.0, lambda s: s.with_value("cfg", 2.0), 2, "set")
    give(host, "bars 2", lambda s: s.with_mute(True), 3, "mute")
    assert np.isfinite(host.render(ODD.bar_start(3))).all()
    assert host.lane.controller.renderer.version == version + 1
    assert sorted(said[0] for said in heard) == [1, 2, 3]
    assert {said[2] for said in heard} == {7.0}
    assert (host.lane.settings.prompt, host.lane.settings.values["cfg"]) == ("one", 2.0)


def test_too_late_goes_to_the_next_one_and_says_so(host, alone):
    playing(host)
    host.render(ODD.bar_start(1) - 1000)
    assert give(host, "bar", prompt("else")) == (7.0, 1)
    assert give(host, "bar 1", prompt("else")) == (7.0, 1)
    sound = host.render(ODD.bar_start(3) - host.transport.position_samples)
    assert first_difference(sound, alone[ODD.bar_start(1) - 1000 :]) == ODD.bar_start(2) - ODD.bar_start(1) + 1000


def test_a_change_now_does_not_bring_a_later_one_forward(host):
    heard = host.events.heard
    playing(host)
    give(host, "bar 2", prompt("second"), 1)
    host.render(ODD.bar_start(2) - RATE)  # already made: the lead is two seconds
    assert host.lane.controller.scheduler.commands.made
    give(host, "now", prompt("first"), 2)
    host.render(RATE // 4)
    host.render(2 * RATE)
    asked = [ask.text for ask, _, _ in host.generate_loop.model.conditioner.asked]
    turns = [text for text, before in zip(asked, ["", *asked], strict=False) if text != before]
    assert turns == [None, "second", "first", "second"]  # regenerated for its bar line
    assert [said[0] for said in heard] == [2, 1]
    assert heard[1][2] == 7.0
    assert host.lane.settings.prompt == "second"


def test_cancelled_commands_are_not_heard(host, alone):
    heard = host.events.heard
    playing(host)
    give(host, "bar 2", prompt("else"), 1)
    give(host, "bar 3", prompt("other"), 2)
    controller = host.lane.controller
    assert controller.scheduler.commands.listed() == (2, "1 prompt 7, 2 prompt 10.5")
    before = host.render(ODD.bar_start(2) - RATE)
    assert controller.cancel(7) == 0
    assert controller.cancel(1) == 1  # already made, and far enough ahead
    assert controller.cancel(0) == 1
    sound = np.concatenate([before, host.render(ODD.bar_start(4) - len(before))])
    assert not heard
    assert first_difference(sound, alone) in (-1, ODD.bar_start(2))  # made music is regenerated
    assert controller.renderer.settings.prompt == ""


def looped(host: RigHost, passes: int) -> np.ndarray:
    """Whole passes of a loop of two bars, from where the host is."""
    return np.concatenate(host.render_looped(passes))


def test_a_place_in_a_loop_is_the_next_time_the_host_gets_there(host):
    heard = host.events.heard
    grid, loop = Grid(RATE, 137.0), (0.0, 8.0)
    playing(host, grid, loop)
    other = RigHost()
    other.publish()
    playing(other, grid, loop)
    same = np.concatenate([other.render(grid.sample_at(5.0)), looped(other, 3)])
    other.close()
    before = host.render(grid.sample_at(5.0))
    assert give(host, "bar 1", prompt("else")) == (4.0, 0)
    sound = np.concatenate([before, looped(host, 3)])
    assert first_difference(sound, same) == grid.sample_at(8.0) + grid.sample_at(4.0)  # of the second pass
    assert [said[:3] for said in heard] == [(1, ADDRESS + "prompt", 4.0)]
    assert give(host, "bar 7", prompt("never")) == (28.0, 0)  # behind the loop's end
    assert np.isfinite(looped(host, 2)).all()
    assert host.lane.controller.scheduler.commands.listed()[0] == 1
    assert len(heard) == 1


def test_a_jump_keeps_named_places_and_finds_the_next_ones_anew(host):
    heard = host.events.heard
    grid = Grid(RATE)
    playing(host, grid)
    give(host, "bar 4", prompt("named"), 1)
    give(host, "bar", prompt("next"), 2)
    host.render(RATE // 2)
    host.transport = Transport(True, grid.bar_start(6) + 1000, grid, seek_id=1)  # beyond both
    host.settle()
    host.render(3 * RATE)
    assert [said[0] for said in heard] == [2]
    assert heard[0][2] == 28.0  # bar 7
    assert host.lane.controller.scheduler.commands.listed() == (1, "1 prompt 16")  # it waits
    host.transport = Transport(True, grid.bar_start(3), grid, seek_id=2)
    host.settle()
    host.render(3 * RATE)
    assert [said[0] for said in heard] == [2, 1]
    assert heard[1][2] == 16.0
    assert host.lane.settings.prompt == "named"


def test_play_and_stop_at_their_lines_and_mid_stream(host):
    heard = host.events.heard
    grid = Grid(RATE)
    playing(host, grid)
    controller = host.lane.controller
    host.render(RATE // 2)
    controller.stop(At.read("bar 2"), command(host, "bar 2", None, 5, "stop"))
    host.lane.update(lambda s: s.with_prompt("again"))
    play = command(host, "bar 4", None, 6, "play")
    controller.play(play.at, 1, lambda *a: host.answers.append(a), host.answers.append, play)
    assert host.answers[-1][0] == 16.0  # answered at once
    sound = host.render(12 * RATE - host.transport.position_samples)
    silent = np.isnan(sound[:, 0])
    first = RATE // 2
    assert not silent[: 4 * RATE - first].any()
    assert silent[4 * RATE - first : 8 * RATE - first].all()
    assert not silent[8 * RATE - first : 10 * RATE - first].any()
    assert silent[10 * RATE - first :].all()
    assert [said[:3] for said in heard] == [(5, ADDRESS + "stop", 8.0), (6, ADDRESS + "play", 16.0)]


def test_what_waits_for_the_place_of_a_play_is_heard_with_it(host):
    heard = host.events.heard
    grid = Grid(RATE)
    host.transport = Transport(True, 0, grid)
    host.settle()
    give(host, "bar 2", prompt("with it"), 1)
    play = command(host, "bar 2", None, 2, "play")
    host.lane.controller.play(play.at, 0, lambda *a: host.answers.append(a), host.answers.append, play)
    host.settle()
    assert host.generate_loop.model.conditioner.asked[-1][0].text == "with it"
    host.render(5 * RATE)
    assert sorted((said[0], said[2]) for said in heard) == [(1, 8.0), (2, 8.0)]


def test_a_stop_takes_back_what_was_scheduled_behind_it(host):
    playing(host, Grid(RATE))
    give(host, "bar 2", prompt("before"), 1)
    give(host, "bar 5", prompt("behind"), 2)
    host.lane.controller.stop(At.read("bar 3"))
    names = host.lane.controller.scheduler.commands.listed()[1]
    assert "1 prompt 8" in names
    assert "2 prompt" not in names


def test_on_a_lane_that_does_not_play_settings_change_when_the_host_is_there(host):
    heard = host.events.heard
    host.transport = Transport(True, 0, Grid(RATE))
    host.settle()
    give(host, 3.0, prompt("later"))
    host.render(RATE)
    assert host.lane.settings.prompt == ""
    host.render(RATE)
    assert host.lane.settings.prompt == "later"
    assert not heard  # no audible change


def test_the_time_from_command_to_sound_is_measured(host, monkeypatch):
    heard = host.events.heard
    playing(host, Grid(RATE))
    host.render(RATE // 2)
    made = command(host, "bar 1", prompt("else"))
    made.arrived_seconds = 100.0
    written = []

    def said():  # a host on a clock of its own: a second is a second of music
        now = host.lane.ring.transport()
        written.append(now)
        return now, 99.5 + now.position_samples / RATE

    monkeypatch.setattr(host.lane.ring, "transport_said", said)
    host.lane.controller.change(made)
    host.render(4 * RATE)
    assert written
    assert heard[0][3] == pytest.approx(1.5)  # bar 1 lies at 2 s, where that clock says 101.5
    host.settle()
    assert host.lane.view.heard == "prompt 1.500 1.500 1"


@pytest.mark.parametrize(("at", "begins"), [("bar", 3.5), (5.25, 5.25), ("beat", 2.0)])
def test_a_mute_lasts_as_long_as_it_says(host, at, begins):
    heard = host.events.heard
    playing(host)
    before = host.render(RATE)  # beat 1.56
    mute = mute_for(host, at, 2.5)
    assert host.lane.controller.change(mute) == (begins, 0)
    sound = np.concatenate([before, host.render(6 * RATE)])
    silent = np.flatnonzero(np.abs(sound).max(axis=1) == 0.0)
    glide = RATE // 100
    assert silent[0] == pytest.approx(ODD.sample_at(begins) + glide, abs=2)
    assert silent[-1] == pytest.approx(ODD.sample_at(begins + 2.5), abs=2)
    assert [said[:3] for said in heard] == [(5, ADDRESS + "mute", begins), (5, ADDRESS + "mute", begins + 2.5)]
    assert not host.lane.settings.muted


def test_a_mute_that_is_longer_than_what_is_left_of_a_loop_ends_in_the_next_pass(host):
    playing(host, Grid(RATE, 120.0), loop=(0.0, 4.0))
    mute = mute_for(host, 3.0, 2.0)
    host.lane.controller.change(mute)
    first, second = host.render_looped(2)
    beat = RATE // 2
    assert np.abs(first[: 3 * beat]).max() > 0
    assert np.abs(first[3 * beat + RATE // 100 :]).max() == 0
    assert np.abs(second[:beat]).max() == 0
    assert np.abs(second[beat + RATE // 100 : 2 * beat]).max() > 0


def test_a_mute_ends_though_the_music_is_stopped_before_that(host):
    playing(host, Grid(RATE, 120.0))
    host.lane.controller.change(mute_for(host, 2.0, 4.0))
    host.render(RATE + RATE // 4)
    assert host.lane.settings.mutes
    host.lane.controller.stop(At(beats=6.0))  # the beat on which it ends
    host.lane.controller.change(mute_for(host, 8.0, 4.0))
    host.lane.controller.stop(At(beats=7.0))  # this one has not begun: it goes with its end
    assert host.lane.controller.scheduler.commands.listed()[1].count("mute") == 1
    host.render(3 * RATE)
    assert not host.lane.settings.mutes


def test_commands_sent_together_for_lanes_whose_margins_differ_land_together(host):
    """One of them is handled so late that alone it would be due a beat later."""
    playing(host, Grid(RATE, 120.0))
    other = RigHost(host.generate_loop)
    other.publish()
    playing(other, Grid(RATE, 120.0))
    meeting = Meeting()
    host.render(RATE // 2 - 11_000)
    other.transport = host.transport
    other.publish()
    first, second, alone = (
        command(host, "beat", lambda s: s.with_mute(True), 6, "mute", meeting=each) for each in (meeting, meeting, None)
    )
    begins = host.lane.controller.change(first)
    assert begins == (1.0, 0)
    other.transport = other.transport.advanced(7_000)  # 83 ms before the beat
    other.publish()
    assert other.lane.controller.change(alone) == (2.0, 1)
    other.lane.controller.cancel(0)
    assert other.lane.controller.change(second) == begins
    other.close()


@pytest.mark.parametrize("begun", [False, True], ids=["at once", "when one of them has its first music"])
def test_plays_sent_together_begin_together_though_one_comes_too_late_for_its_bar(host, begun):
    other, meeting = RigHost(host.generate_loop), Meeting()
    other.transport = host.transport = Transport(True, 4 * RATE // 2 - RATE, Grid(RATE, 120.0))
    for each in (host, other):
        each.lane.update(lambda s: s.with_value("seed", 7).with_value("guard", 0.0))
        each.publish()

    def play(each: RigHost) -> float:
        order = command(each, "bar", None, 3, "play", meeting=meeting)
        return float(each.lane.controller.play(order.at, 0, print, print, order).beats)

    assert play(host) == 4.0
    if begun:
        host.settle()
        assert host.states[-1] == "playing"
    host.transport = other.transport = host.transport.advanced(RATE - 7_000)  # 146 ms before the bar
    host.publish()
    other.publish()
    assert play(other) == 8.0
    first = host.render(7_000 + 2 * RATE + RATE)
    other.settle()
    second = other.render(7_000 + 2 * RATE + RATE)
    bar = 7_000 + 2 * RATE
    for sound in (first, second):
        assert not np.nan_to_num(sound[:bar]).any()
        assert np.isfinite(sound[bar:]).all()
        assert np.abs(sound[bar : bar + RATE // 4]).max() > 0
    assert [said[1:3] for said in host.events.heard] == [(ADDRESS + "play", 8.0)]
    other.close()


@pytest.mark.parametrize(
    ("bpm", "start_beats", "from_beats", "to_beats"),
    [(120.0, 4.0, 16, 3), (60.0, 0.0, 8, 3)],
    ids=["from its start again", "from music that was made before the mute"],
)
def test_a_muted_lane_stays_muted_when_its_host_jumps(host, bpm, start_beats, from_beats, to_beats):
    grid = Grid(RATE, bpm)
    host.transport = Transport(False, 0, grid)
    host.settle()
    host.play(At(beats=start_beats))
    host.start()
    host.render(grid.sample_at(Fraction(from_beats)))
    give(host, "now", lambda s: s.with_mute(True), 9, "mute")
    host.render(RATE // 4)
    host.transport = Transport(True, grid.sample_at(Fraction(to_beats)), grid, None, 1)
    host.publish()
    host.settle()
    sound = host.render(3 * RATE)
    assert np.isfinite(sound[2 * RATE :]).all()
    assert not np.nan_to_num(sound).any()
    give(host, "now", lambda s: s.with_mute(False), 10, "mute")
    host.render(RATE // 2)
    assert np.abs(host.render(RATE)).max() > 0


def hold(host: RigHost, processor: Processor, n_samples: int) -> np.ndarray:
    """A host plays on with an engine that takes commands and makes no music."""
    sound = np.zeros((n_samples, 2), np.float32)
    for begin in range(0, n_samples, BLOCK):
        out = sound[begin : begin + BLOCK]
        processor.process(out, host.transport)
        host.transport = host.transport.advanced(len(out))
        host.clock.seconds += len(out) / RATE
        if begin % (4 * BLOCK) == 0:
            host.lane.controller.tick()
    return sound


def mute_for(host: RigHost, at: str | float, beats: float) -> Command:
    undo, length = (lambda s: s.with_mute(False)), Fraction(beats)
    return command(host, at, lambda s: s.with_mute(True), 5, "mute", undo=undo, length_beats=length)


def test_a_held_bar_obeys_mute_on_its_beats(host):
    heard, beat = host.events.heard, RATE // 2
    playing(host, Grid(RATE, 120.0))
    processor = Processor(RATE)
    processor.offer(host.reader)
    before = hold(host, processor, 5 * beat)  # two seconds were made
    assert processor.state == BlockState.HOLDING
    assert host.lane.controller.change(mute_for(host, 7.25, 2.5)) == (7.25, 0)
    sound = np.concatenate([before, hold(host, processor, 7 * beat)])
    assert processor.state == BlockState.HOLDING
    silent = np.flatnonzero(np.abs(sound).max(axis=1) == 0.0)
    silent = silent[silent > RATE // 10]
    glide = RATE // 200
    assert silent[0] == pytest.approx(7.25 * beat + glide, abs=2)
    assert silent[-1] == pytest.approx(9.75 * beat, abs=2)
    assert len(silent) == pytest.approx(2.5 * beat - glide, abs=4)
    assert [said[:3] for said in heard] == [(5, ADDRESS + "mute", 7.25), (5, ADDRESS + "mute", 9.75)]


def test_a_held_bar_obeys_a_mute_now_and_a_level(host):
    heard, beat = host.events.heard, RATE // 2
    playing(host, Grid(RATE, 120.0))
    processor = Processor(RATE)
    processor.offer(host.reader)
    hold(host, processor, 6 * beat)
    loud = hold(host, processor, 4 * beat)
    give(host, "now", lambda s: s.with_value("level_db", -20.0), 8, "set")
    hold(host, processor, 4 * beat)
    assert hold(host, processor, 4 * beat) == pytest.approx(loud / 10, abs=1e-6)
    give(host, "now", lambda s: s.with_mute(True), 9, "mute")
    hold(host, processor, beat)
    assert not hold(host, processor, 4 * beat).any()
    assert [said[0] for said in heard] == [8, 9]
    assert max(said[3] for said in heard) < 0.2
    give(host, "now", lambda s: s.with_mute(False).with_value("level_db", 0.0), 10, "mute")
    hold(host, processor, 3 * beat)
    assert hold(host, processor, 4 * beat) == pytest.approx(loud, abs=1e-6)
    assert processor.state == BlockState.HOLDING


@pytest.mark.parametrize(("waits", "due"), [(False, (10.5, 1)), (True, (7.0, 0))])
def test_for_a_host_that_waits_no_command_comes_too_late(host, waits, due):
    host.lane.waits = waits
    playing(host)
    host.render(ODD.bar_start(2) - RATE // 50)
    assert give(host, "bar 2", prompt("else")) == due
