"""Subscriptions: what they carry is what the lane's own answers say, each client at its own rate, within limits."""

from __future__ import annotations

import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from lane_rig import BLOCK, RATE, HandClock, RigHost

from bridge.control import messages, state_rows
from bridge.control.arguments import At
from bridge.control.clients import Client
from bridge.control.packet import parse
from bridge.control.parameters import PARAMETERS
from bridge.time.transport import Grid, Transport
from bridge.time.units import Signature
from engine.serve.control.feed.beats import Beats
from engine.serve.control.feed.collector import Collector
from engine.serve.control.feed.dump import Dump
from engine.serve.control.feed.feed import SENT_AT_ONCE, TURN_SECONDS, Feed
from engine.serve.control.feed.feed_handlers import FeedHandlers
from engine.serve.control.feed.meter import Meter
from engine.serve.control.lane_handlers import LaneHandlers
from engine.serve.control.open_lanes import OpenLanes
from engine.serve.lane.command import Command
from engine.serve.state import READY, EngineState

ANNA, BERT = Client("127.0.0.1", 5000, True, "anna"), Client("127.0.0.1", 5001, True, "bert")
LEVEL_DB = 20 * math.log10(0.5)


class FeedRig:
    """A feed without a socket and with a clock that is set by hand."""

    def __init__(self, *hosts: RigHost) -> None:
        self.clock = hosts[0].clock if hosts else HandClock()
        self.lanes = OpenLanes()
        for host in hosts:
            self.lanes.add(host.lane)
        self.loading = None
        loader = SimpleNamespace(progress=lambda: self.loading)
        self.collector = Collector(EngineState(READY, "", "cpu"), self.lanes, loader)  # type: ignore[arg-type]
        self.sent: list[tuple[Client, str, tuple]] = []
        self.feed = Feed(self.collector, self._send, self.clock)
        self.dump = Dump(self._send, self.clock)
        self.events = SimpleNamespace(take_made=lambda *made: None)
        self.handlers = FeedHandlers(self.feed, self.events, self.dump, lambda watch: None)  # type: ignore[arg-type]

    def _send(self, datagram: bytes, where: tuple[str, int]) -> None:
        (packet,) = parse(datagram)
        assert len(datagram) <= messages.REQUEST_BYTES_MAX
        messages.TABLE[packet.address].check(packet.values)  # as the table says
        self.sent.append((Client(*where, True), packet.address, packet.values))

    def ask(self, row: messages.Message, *values: object, client: Client = ANNA) -> tuple:
        checked = row.check([1, *values])
        request = messages_request(row, checked, client)
        return self.handlers.handlers()[row.address](request)

    def turn(self, seconds: float = TURN_SECONDS) -> list[tuple[str, tuple]]:
        """One turn later; what was sent."""
        self.clock.sleep(seconds)
        self.sent = []
        self.feed.turn()
        return [(address, values) for _, address, values in self.sent]


def messages_request(row: messages.Message, values: dict, client: Client):
    from bridge.control.requests import Request, Responder

    return Request(row, 1, values, client, client.address, Responder(row, 1, client, lambda *sent: None))


def of(sent: list[tuple[str, tuple]], row: messages.Message) -> list[tuple]:
    return [values for address, values in sent if address == row.address]


@pytest.fixture
def rig(host: RigHost) -> FeedRig:
    made = FeedRig(host)
    yield made
    made.collector.close()


def answer(host: RigHost, rig: FeedRig, row: messages.Message, *values: object) -> tuple:
    """What a request about the host's lane is answered with at this moment."""
    handlers = LaneHandlers.__new__(LaneHandlers)
    handlers.lanes = rig.lanes
    by_row = {messages.LANE_STATUS: handlers.lane_status, messages.LANE_GET: handlers.get}
    return by_row[row](messages_request(row, row.check([1, host.lane.number, *values]), ANNA))


# -- contract: as the answers say ---------------------------------------------------------------------


def test_what_a_lane_sends_is_what_its_answers_say(host: RigHost, rig: FeedRig) -> None:
    rig.ask(state_rows.SUBSCRIBE, "all", 50)
    host.lane.update(lambda settings: settings.with_prompt("slow waltz").with_value("level_db", -6.0).with_mute(True))
    host.play(bars=4)
    host.settle()
    host.start()
    host.render(RATE)
    host.lane.controller.change(Command(At("bar"), 7, "/root/lane/prompt", lambda s: s, about="x", arrived_seconds=0.0))
    host.settle()
    sent, number = rig.turn(), host.lane.number
    status = answer(host, rig, messages.LANE_STATUS)
    ((lane, state, generation, seed, references, muted, heard, fault),) = of(sent, state_rows.STATE_LANE)
    assert (lane, state, generation, seed, references, fault) == (number, status[0], *status[2:5], status[6])
    assert (muted, heard) == (1, 1)
    assert of(sent, state_rows.STATE_PROMPT) == [(number, "slow waltz")]
    values = {name: value for _, name, value in of(sent, state_rows.STATE_PARAMETER)}
    assert values == {name: answer(host, rig, messages.LANE_GET, name)[1] for name in PARAMETERS}
    ((_, fill_ms, fill_beats, written_beats, late, underruns),) = of(sent, state_rows.STATE_RING)
    assert (fill_ms, written_beats) == (pytest.approx(1000 * host.lane.view.fill_seconds), pytest.approx(status[1]))
    assert (fill_beats, late, underruns) == (pytest.approx(fill_ms / 500), 0, 0)
    waiting, text = host.lane.controller.scheduler.commands.listed()
    ((_, *pending),) = of(sent, state_rows.STATE_PENDING)
    assert pending == [waiting, text, "prompt", 4.0, pytest.approx(4.0 - host.transport.position_beats, abs=0.01)]
    ((_, playing, beats, bar, beat, bpm, *meter, seek),) = of(sent, state_rows.STATE_TIME)
    assert (playing, bar, bpm, meter, seek) == (1, 0, 120.0, [4, 4], 0)
    assert beats == beat == pytest.approx(host.transport.position_beats, abs=0.05)  # the rig's clock went on a turn
    assert of(sent, state_rows.STATE_ENGINE) == [("ready", "", "cpu", 1, "")]


def test_a_closed_lane_is_reported_once_and_a_new_one_at_once(host: RigHost, rig: FeedRig) -> None:
    rig.ask(state_rows.SUBSCRIBE, "lane", 50)
    assert of(rig.turn(), state_rows.STATE_LANE)[0][1] == "idle"
    rig.lanes.remove(host.lane)
    assert of(rig.turn(), state_rows.STATE_LANE)[0][:2] == (host.lane.number, "closed")
    assert rig.turn() == []
    rig.lanes.add(host.lane)
    assert of(rig.turn(), state_rows.STATE_LANE)[0][1] == "idle"


# -- when it is sent ----------------------------------------------------------------------------------


def test_changes_come_at_once_and_not_more_often_than_asked(host: RigHost, rig: FeedRig) -> None:
    rig.ask(state_rows.SUBSCRIBE, "parameters", 5)
    assert len(rig.turn()) == len(PARAMETERS)  # all at once
    assert rig.turn(0.5) == []  # nothing has changed
    host.lane.update(lambda settings: settings.with_value("cfg", 4.5))
    assert rig.turn() == [(state_rows.STATE_PARAMETER.address, (host.lane.number, "cfg", 4.5))]
    host.lane.update(lambda settings: settings.with_value("cfg", 5.5))
    assert rig.turn() == []  # not before 0.2 s are over
    assert rig.turn(0.2) == [(state_rows.STATE_PARAMETER.address, (host.lane.number, "cfg", 5.5))]
    assert len(rig.turn(state_rows.REFRESH_SECONDS)) == len(PARAMETERS)  # again: a datagram may have been lost


def test_each_client_has_its_own_rate_and_lane(host: RigHost, rig: FeedRig) -> None:
    rig.ask(state_rows.SUBSCRIBE, "ring", 50)
    rig.ask(state_rows.SUBSCRIBE, "ring", 1, (host.lane.number + 1) % 64, client=BERT)
    rig.turn()
    assert {client for client, _, _ in rig.sent} == {ANNA}
    rig.ask(state_rows.SUBSCRIBE, "ring", 1, host.lane.number, client=BERT)  # replaces the other
    assert len(rig.feed.subscriptions.now) == 2
    rig.turn()
    assert {client for client, _, _ in rig.sent} == {BERT}


def test_what_arrives_while_nobody_has_subscribed_costs_nothing(host: RigHost, rig: FeedRig) -> None:
    assert rig.turn() == []
    rig.ask(state_rows.SUBSCRIBE, "all")
    assert rig.turn()
    assert rig.ask(state_rows.UNSUBSCRIBE, "beat") == (len(state_rows.WHAT) - 1,)
    assert rig.ask(state_rows.UNSUBSCRIBE) == (0,)
    assert rig.turn(5.0) == []


def test_too_much_is_held_and_sent_later_and_nobody_starves(host: RigHost, rig: FeedRig) -> None:
    clients = [Client("127.0.0.1", 6000 + each, True) for each in range(64)]
    for client in clients:
        rig.ask(state_rows.SUBSCRIBE, "all", 50, client=client)
    seen: Counter[Client] = Counter()
    for turn in range(200):
        rig.turn()
        assert len(rig.sent) <= SENT_AT_ONCE
        seen.update(client for client, _, _ in rig.sent)
        if turn == 0:
            assert rig.feed.n_held
    assert seen.keys() == set(clients)
    assert max(seen.values()) < 3 * min(seen.values())


def test_a_client_that_leaves_or_is_refused_loses_its_subscriptions(host: RigHost, rig: FeedRig) -> None:
    for client in (ANNA, BERT):
        rig.ask(state_rows.SUBSCRIBE, "all", client=client)
    rig.handlers.gone(ANNA)
    rig.handlers.refused(BERT.address)
    rig.handlers.refused(BERT.address)
    own, n_clients, n_subscriptions, _, _, n_gone = rig.ask(state_rows.SUBSCRIPTIONS)
    assert (own, n_clients, n_subscriptions, n_gone) == ("", 0, 0, 1)
    assert rig.turn() == []


def test_reports_of_other_programs_are_passed_on(rig: FeedRig) -> None:
    rig.ask(state_rows.SUBSCRIBE, "takes", 50)
    rig.ask(state_rows.SUBSCRIBE, "progress", 50)
    rig.turn()
    rig.ask(messages.TAKE_MADE, 3, "drums", "/tmp/a.wav")
    rig.ask(state_rows.REPORT, "stems", "song", 2, 12, "drums 2")
    rig.loading = ("small", 412, 1000, "reading 412 of 1000 MB")
    sent = rig.turn()
    assert of(sent, state_rows.STATE_TAKE) == [(1, 3, "drums", "/tmp/a.wav")]
    assert of(sent, state_rows.STATE_PROGRESS) == [
        ("loading", "small", 412, 1000, "reading 412 of 1000 MB"), ("stems", "song", 2, 12, "drums 2"),
    ]  # fmt: skip


# -- beats --------------------------------------------------------------------------------------------


def announced(transport: Transport, samples: int, step: int = 960) -> list[tuple]:
    """Beats that are announced while a host plays on, with the sample on which each sounds by its `ms`."""
    beats, found = Beats(0), []
    for passed in range(0, samples, step):
        now = transport.advanced(passed)
        for values in beats.turn(now):
            found.append((values[1:3], now.position_samples + round(values[3] * RATE / 1000), values))
    return found


def test_each_beat_is_announced_once_before_it_sounds_on_its_sample() -> None:
    transport = Transport(True, 0, Grid(RATE, 137.5, Signature(7, 8)))
    found = announced(transport, 10 * RATE)
    assert [place for place, _, _ in found][:9] == [
        (0, 0),
        (0, 1),
        (0, 2),
        (0, 3),
        (1, 0),
        (1, 1),
        (1, 2),
        (1, 3),
        (2, 0),
    ]
    for (bar, beat), sounds, values in found:
        sample = transport.grid.sample_at(transport.grid.bar_start_beats(bar) + beat)
        assert abs(sounds - sample) <= 1
        assert values[5] * RATE + values[6] == sample
        assert 0 <= values[3] <= state_rows.AHEAD_MS
    assert min(values[3] for _, _, values in found[1:]) > state_rows.AHEAD_MS - 21


def test_beats_of_a_loop_go_on_at_its_start_and_a_jump_announces_anew() -> None:
    grid = Grid(RATE, 120.0)
    beats, found = Beats(0), []
    position, seek = grid.sample_at(6), 0
    for _ in range(150):  # three seconds: beats 6 and 7, then the loop's 4 to 7, once each
        if position >= grid.sample_at(8):
            position, seek = position - 4 * grid.sample_at(1), seek + 1
        found += beats.turn(Transport(True, position, grid, (4.0, 8.0), seek))
        position += 960
    assert [(values[4], values[10]) for values in found] == [
        (6.0, 0), (7.0, 0), (4.0, 1), (5.0, 1), (6.0, 1), (7.0, 1), (4.0, 2)
    ]  # fmt: skip
    assert [values[4] for values in beats.turn(Transport(True, grid.sample_at(100), grid, None, 9))] == [100.0]
    assert beats.turn(Transport(False, grid.sample_at(101), grid, None, 9)) == []
    assert [values[4] for values in beats.turn(Transport(True, grid.sample_at(101), grid, None, 9))] == [101.0]


# -- levels -------------------------------------------------------------------------------------------


def test_the_meter_hears_what_the_host_hears(host: RigHost) -> None:
    meter, ring = Meter(host.lane.ring.name), host.lane.ring
    host.start()
    at = lambda samples: Transport(True, samples, Grid(RATE))  # noqa: E731
    loud = np.full((RATE, 2), 0.5, np.float32)
    ring.write(0, loud, 1)
    ring.write(RATE, np.zeros((RATE, 2), np.float32), 1)
    meter.read()
    assert meter.level_db(at(RATE // 2), ring.plan) == pytest.approx((LEVEL_DB, LEVEL_DB), abs=0.01)
    assert meter.level_db(at(2 * RATE - BLOCK), ring.plan) == (state_rows.SILENCE_DB, state_rows.SILENCE_DB)
    ring.write(RATE // 2, 0.1 * loud[: RATE // 4], 2)  # a newer plan replaces it
    meter.read()
    assert meter.level_db(at(RATE * 7 // 10), ring.plan)[0] == pytest.approx(LEVEL_DB - 20, abs=0.01)
    late = Meter(ring.name)  # who comes later hears what is still to come
    late.read()
    assert late.level_db(at(RATE // 4), ring.plan)[0] == pytest.approx(LEVEL_DB, abs=0.01)
    meter.close()
    late.close()


def test_levels_are_silent_while_the_host_stands(host: RigHost, rig: FeedRig) -> None:
    rig.ask(state_rows.SUBSCRIBE, "levels", 50)
    host.play(bars=2)
    host.settle()
    host.start()
    host.render(RATE // 2)
    assert of(rig.turn(), state_rows.STATE_LEVELS)[0][1] > -60
    host.transport = Transport(False, host.transport.position_samples, host.transport.grid)
    host.publish()
    assert of(rig.turn(), state_rows.STATE_LEVELS) == [(host.lane.number, *2 * (state_rows.SILENCE_DB,))]


# -- a long prompt fits -------------------------------------------------------------------------------


def test_the_longest_texts_fit_a_datagram(host: RigHost, rig: FeedRig) -> None:
    host.lane.update(lambda settings: settings.with_prompt("é" * 1000))
    rig.ask(state_rows.SUBSCRIBE, "all", 50)
    ((_, prompt),) = of(rig.turn(), state_rows.STATE_PROMPT)
    assert prompt.startswith("éé")
    assert prompt.endswith("...")
