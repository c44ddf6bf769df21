"""Farms of any size, with the farm's own placement and service times that were measured: one engine of two threads with
the embedded model in int8 (docs/bench.md), and the door's answer on a busy machine.

Players come and go, steer, and now and then an engine dies. An engine's second of work is what its lanes' frames,
prompts and first sounds take; what does not fit is backlog, and music is late once that is longer than the ring is
full. One thing is not simulated: engines of one machine share its memory; `--contention` is by how much slower that
makes each of them. `python -m plugin_host.bench.farm.simulate`: the table; the seeds are fixed.
"""

from __future__ import annotations

import argparse
import itertools
import random
import statistics
from dataclasses import dataclass, field

from plugin_host.console.screen import print_line
from plugin_host.farm.placement import Full, Place, Placement

FRAMES_PER_SECOND = 50.0
STEP_MS, CODEC_MS = 1.0, 0.75  # of one lane's frame
STEP_TIMES = ((1, 1.0), (2, 1.4), (4, 2.3), (8, 4.1))  # lanes, and times one lane's step
PROMPT_MS, FIRST_SOUND_MS = 74.0, 93.0
STEER_SECONDS = 10.0  # between two prompts of a player
STAY_SECONDS = 1800.0
SPREAD = 0.2  # of a second's work, as a part of it
READY_SECONDS = 2.0  # music in the ring: as long a backlog is not heard
DEATH_SECONDS = 14_400.0  # between two deaths of one engine
DOOR_SECONDS = 0.004  # of the door for one question
START_SECONDS = 20.0  # of an engine that is started again
NOTICE_SECONDS, RETRY_SECONDS, BAR_SECONDS = 0.3, 0.5, 2.0


def step_times(lanes: int) -> float:
    """A step of so many lanes, in times one lane's; straight lines between the measured ones, and beyond.  [any]"""
    for (n0, t0), (n1, t1) in itertools.pairwise(STEP_TIMES):
        if lanes <= n1 or n1 == STEP_TIMES[-1][0]:
            return t0 + (t1 - t0) * (lanes - n0) / (n1 - n0)
    raise AssertionError


def frame_ms(lanes: int) -> float:
    """A frame of all lanes of one engine.  [any]"""
    return STEP_MS * step_times(lanes) + CODEC_MS * lanes if lanes else 0.0


def lanes_that_fit(part: float) -> int:
    """The most lanes whose frames take this part of the time.  [any]"""
    return max(n for n in range(1, 65) if frame_ms(n) <= part * 1000 / FRAMES_PER_SECOND)


@dataclass
class Found:
    """What a farm did."""

    lane_seconds: int = 0
    late: int = 0
    waiting: int = 0
    waits: list[float] = field(default_factory=list)
    rejoins: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)


class Farm:
    """A farm of so many engines, second by second."""

    def __init__(self, engines: int, lanes: int, load: float, contention: float, seed: int) -> None:
        """`load`: players that want to play, as a part of all lanes."""
        self._random, self._contention = random.Random(seed), contention
        self.placement, self.found, self._lanes = Placement(), Found(), lanes
        self._players: dict[str, set[str]] = {f"e{number}": set() for number in range(engines)}
        self._waiting: dict[str, float] = {}  # since when
        self._backlog = dict.fromkeys(self._players, 0.0)
        self._down: dict[str, float] = {}  # until when
        self._arrivals = load * engines * lanes / STAY_SECONDS  # a second
        self._names = itertools.count()
        self._extra_ms = dict.fromkeys(self._players, 0.0)
        self._lost: set[str] = set()

    def run(self, seconds: int) -> Found:
        """So many seconds after as many as a player stays.  [any]"""
        for now in range(-int(STAY_SECONDS), seconds):
            if now == 0:
                self.found = Found()
            self._second(float(now + STAY_SECONDS))
        return self.found

    def _second(self, now: float) -> None:
        draw = self._random
        for name in self._players:
            up = self._down.get(name, 0.0) <= now
            self.placement.set(Place(name, name if up else "", len(self._players[name]), self._lanes))
        for _ in range(_poisson(draw, self._arrivals)):
            self._waiting[f"p{next(self._names)}"] = now
        for name in self._players:
            if draw.random() < 1 / DEATH_SECONDS:
                self._die(name, now)
        asked = 0
        for token, since in list(self._waiting.items()):
            place = self.placement.place(token, now)
            asked += 1
            if isinstance(place, Full):
                continue
            del self._waiting[token]
            self._players[place.name].add(token)
            self._extra_ms[place.name] += FIRST_SOUND_MS
            queue_seconds = asked * DOOR_SECONDS
            if token in self._lost:
                self._lost.discard(token)
                first = (self._extra_ms[place.name] + frame_ms(len(self._players[place.name]))) / 1000
                opened = NOTICE_SECONDS + draw.random() * RETRY_SECONDS + queue_seconds + first
                self.found.rejoins.append(now - since + opened + draw.random() * BAR_SECONDS)
            else:
                self.found.waits.append(now - since)
        self.found.waiting += len(self._waiting)
        for name, players in self._players.items():
            self._work(name, players, draw)

    def _work(self, name: str, players: set[str], draw: random.Random) -> None:
        for token in [token for token in players if draw.random() < 1 / STAY_SECONDS]:
            players.discard(token)
        steers = sum(draw.random() < 1 / STEER_SECONDS for _ in players)
        own = FRAMES_PER_SECOND * frame_ms(len(players)) + steers * PROMPT_MS + self._extra_ms[name]
        self._extra_ms[name] = 0.0
        work = own / 1000 * (1 + self._contention) * draw.lognormvariate(-(SPREAD**2) / 2, SPREAD)
        self._backlog[name] = max(0.0, self._backlog[name] + work - 1.0) if players else 0.0
        self.found.lane_seconds += len(players)
        self.found.late += len(players) if self._backlog[name] > READY_SECONDS else 0
        self.found.busy.append(min(work, 1.0))

    def _die(self, name: str, now: float) -> None:
        self._down[name] = now + START_SECONDS
        for token in self._players[name]:
            self._waiting[token] = now
            self._lost.add(token)
        self._players[name], self._backlog[name] = set(), 0.0
        self.placement.set(Place(name))


def _poisson(draw: random.Random, mean: float) -> int:
    left, count = draw.expovariate(1.0), 0
    while left < mean:
        left, count = left + draw.expovariate(1.0), count + 1
    return count


def row(engines: int, options: argparse.Namespace) -> str:
    """A farm's row of the table.  [any]"""
    found = Farm(engines, options.lanes, options.load, options.contention, options.seed).run(options.seconds)
    on_time = found.lane_seconds - found.late
    wanted = found.lane_seconds + found.waiting
    rejoins = statistics.quantiles(found.rejoins, n=100) if len(found.rejoins) > 1 else [0.0] * 99
    waits = statistics.quantiles(found.waits, n=100) if len(found.waits) > 1 else [0.0] * 99
    return (f"{engines:>8} {engines * options.lanes:>6} {found.lane_seconds / options.seconds:>9.1f} "
            f"{100 * on_time / wanted:>11.1f} {100 * found.late / max(found.lane_seconds, 1):>8.3f} "
            f"{100 * statistics.mean(found.busy):>6.0f} {waits[98]:>11.1f} {len(found.rejoins):>8} "
            f"{rejoins[49]:>9.1f} {rejoins[98]:>9.1f}")  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engines", default="1,2,4,16,91,182")
    parser.add_argument("--lanes", type=int, default=lanes_that_fit(0.7), help="of each engine")
    parser.add_argument("--load", type=float, default=0.8, help="players, as a part of all lanes")
    parser.add_argument("--contention", type=float, default=0.0, help="how much slower engines are beside each other")
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--seed", type=int, default=1)
    said = parser.parse_args()
    frames = ", ".join(f"{frame_ms(n):.2f}" for n in (1, 2, 4, 8, said.lanes))
    print_line(f"frames of 1, 2, 4, 8, {said.lanes} lanes: {frames} ms of 20; contention {said.contention:g}")
    print_line(" engines  lanes   playing  efficiency   late % busy % wait p99 s  rejoins  p50 s     p99 s")
    for engines in map(int, said.engines.split(",")):
        print_line(row(engines, said))
