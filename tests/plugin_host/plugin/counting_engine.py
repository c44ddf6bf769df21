"""An engine whose music is numbers: each sample is its position, which shows lost and doubled samples.

python counting_engine.py PORT [PROTOCOL [REFUSED]]    prints a JSON line for each message and host state

Connection, ring, plan and captures are the real ones (bridge); only the music is not.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable

import numpy as np

from bridge.control import messages
from bridge.control.packet import Packet, encode, parse
from bridge.region.capture import read_capture
from bridge.ring.form import PlaybackPlan
from bridge.ring.layout import ENDLESS_SAMPLES
from bridge.ring.writer import RingWriter
from bridge.time.transport import Grid, Transport

LEAD_SECONDS = 1.5
PERIOD = 1 << 20
PLAY_VALUES = {2: 4, 3: 4}  # arguments of a play in older versions of the table, the id included


def value_at(position: np.ndarray) -> np.ndarray:
    """The sample for a host position: exact in float32, 0 < value < 0.5."""
    return (((position % PERIOD) + 1) / (2.0 * PERIOD)).astype(np.float32)


class CountingLane:
    """One ring of numbers."""

    def __init__(self, number: int, rate_hz: int, channels: int) -> None:
        self.ring = RingWriter.create(number, rate_hz, channels, seconds=8.0)
        self.last = Transport(False, 0, Grid(rate_hz))
        self.start_beats: float | None = None
        self.bars = 0
        self.stop_beats: float | None = None
        self.end = ENDLESS_SAMPLES  # of the plan
        self.plan_revision = 0
        self.seek_id = -1
        self.grid: Grid | None = None
        self.next_pass: list[tuple[int, Callable[[], None]]] = []  # seek id of the pass, what is done there
        self.written = self.reached = 0
        self.references: set[str] = set()
        self.values: dict[str, float] = {}

    def transport(self) -> Transport:
        """The host's transport."""
        self.last = self.ring.transport() or self.last  # also None while the host is writing
        return self.last

    def play(self, at: object, bars: int) -> float:
        """Begin on a beat or the next bar line."""
        now = self.transport()
        margin = now.sample_rate_hz // 10 if now.playing else 0
        bar = now.grid.next_bar(now.position_samples + margin)
        if isinstance(at, str) and at.startswith("bar "):
            bar = max(bar, int(at.removeprefix("bar ")))
        start = float(now.grid.bar_start_beats(bar)) if isinstance(at, str) else float(str(at))
        if isinstance(at, str) and at.startswith("bar ") and now.loop_beats:
            wanted = float(now.grid.bar_start_beats(int(at.removeprefix("bar "))))
            if self.is_behind(wanted):  # met in the next pass
                self.next_pass.append((now.seek_id + 1, lambda: self.begin(wanted, bars)))
                return wanted
        self.begin(start, bars)
        return start

    def begin(self, start_beats: float, bars: int) -> None:
        """Play from a beat on."""
        self.start_beats, self.bars, self.seek_id, self.stop_beats = start_beats, bars, -1, None

    def is_behind(self, beats: float) -> bool:
        """Whether the host has passed a beat of its cycle."""
        now = self.transport()
        inside = now.loop_beats is not None and now.loop_beats[0] <= beats < now.loop_beats[1]
        return inside and now.grid.sample_at(beats) < now.position_samples

    def stop(self, at: str) -> None:
        """End on the line of "bar 7"; anything else: now."""
        if not at.startswith("bar "):
            self.start_beats = None
            return
        beats = float(self.transport().grid.bar_start_beats(int(at.removeprefix("bar "))))
        if self.is_behind(beats):
            self.next_pass.append((self.transport().seek_id + 1, lambda: self.end_on(beats)))
        else:
            self.end_on(beats)

    def end_on(self, beats: float) -> None:
        """End on a beat; what is written up to there stays."""
        self.stop_beats = beats

    def fail(self) -> None:
        """Nothing is due, like the engine's plan after a failed play."""
        self.ring.set_plan(PlaybackPlan(self.plan_revision + 1, False, 0, 0, 0, self.transport().seek_id))

    def work(self) -> None:
        """Plan for the host's timeline, and write ahead of it."""
        self.ring.beat()
        now = self.transport()
        for due in [each for each in self.next_pass if each[0] <= now.seek_id]:
            self.next_pass.remove(due)
            due[1]()
        if self.start_beats is None:
            return
        grid, per_bar = now.grid, float(now.grid.signature.beats_per_bar)
        start = grid.sample_at(self.start_beats)
        end = grid.sample_at(self.start_beats + self.bars * per_bar) if self.bars else ENDLESS_SAMPLES
        led_back = now.loop_beats is not None and now.position_samples < start <= self.reached
        if led_back and now.seek_id != self.seek_id >= 0:  # a stream that plays goes on in the next pass
            self.start_beats, self.bars = now.loop_beats[0], 0
            start, end = grid.sample_at(self.start_beats), ENDLESS_SAMPLES
        self.reached = now.position_samples
        if self.stop_beats is not None:
            end = min(end, grid.sample_at(self.stop_beats))
        if (now.seek_id, grid) != (self.seek_id, self.grid):
            self.seek_id, self.grid, self.plan_revision = now.seek_id, grid, self.plan_revision + 1
            self.written = max(start, now.position_samples)
            self.ring.set_plan(PlaybackPlan(self.plan_revision, True, self.written, start, end, now.seek_id))
            self.ring.set_reach(self.written)
        elif end < self.end:
            self.plan_revision += 1
            self.ring.set_plan(PlaybackPlan(self.plan_revision, True, end, start, end, now.seek_id))
        self.end = end
        until = min(end, now.position_samples + int(LEAD_SECONDS * now.sample_rate_hz))
        if until > self.written:
            wave = value_at(np.arange(self.written, until))
            audio = np.repeat(wave[:, None], self.ring.form.channels, axis=1)
            self.written += self.ring.write(self.written, np.ascontiguousarray(audio), self.plan_revision, now.seek_id)


class CountingEngine:
    """Answers the plugin's requests."""

    def __init__(self, port: int, protocol: int) -> None:
        self.protocol = protocol
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", port))
        self.socket.settimeout(0.002)
        self.lanes: dict[int, CountingLane] = {}
        self.answered: dict[tuple[object, int], bytes] = {}
        self.seen: dict[int, tuple[object, ...]] = {}
        self.refused: dict[str, list[str]] = json.loads((*sys.argv, "{}", "{}")[3])  # code and text by message
        threading.Thread(target=self.read_refusals, daemon=True).start()

    def read_refusals(self) -> None:
        """Read refusals from the test: a JSON line [message, code, text], or [message] to end one."""
        for line in sys.stdin:
            name, *why = json.loads(line)
            self.refused[name] = why

    def serve(self) -> None:
        """Run until it is killed."""
        say(ready=self.socket.getsockname()[1])
        while True:
            try:
                datagram, sender = self.socket.recvfrom(65535)
            except TimeoutError:
                pass
            else:
                for packet in parse(datagram):
                    self.take(packet, sender)
            for number, lane in self.lanes.items():
                lane.work()
                self.look(number, lane)

    def look(self, number: int, lane: CountingLane) -> None:
        """Report the host's position when its state changes."""
        now = lane.transport()
        loop = now.loop_beats
        state = (now.playing, now.tempo_bpm, str(now.signature), loop, now.seek_id)
        if state != self.seen.get(number):
            self.seen[number] = state
            meter = [now.signature.numerator, now.signature.denominator]
            flags = int(lane.ring._words.get("transport_flags"))
            say(lane=number, playing=now.playing, bpm=now.tempo_bpm, meter=meter, loop=loop, flags=flags,
                seek_id=now.seek_id, position=now.position_samples, beats=now.position_beats)  # fmt: skip

    def take(self, packet: Packet, sender: object) -> None:
        """Answer one request, a repeated one as before."""
        number = int(packet.values[0])
        if packet.address != messages.HELLO.address and (sender, number) in self.answered and number:
            self.socket.sendto(self.answered[sender, number], sender)
            return
        row = messages.TABLE[packet.address]
        values = row.check(packet.values)
        say(message=packet.address.removeprefix("/segue/"), values=[str(value) for value in packet.values[1:]])
        refusal = self.refused.get(packet.address.removeprefix("/segue/"))
        fewer = PLAY_VALUES.get(self.protocol, 5) if row is messages.LANE_PLAY else len(packet.values)
        if len(packet.values) > fewer:
            text = f"{packet.address} got {len(packet.values)} arguments, takes: id lane [at] [bars]"
            datagram = encode("/segue/error", [number, packet.address, "wrong_count", text])
        elif refusal:
            if row is messages.LANE_PLAY and values["lane"] in self.lanes:
                self.lanes[values["lane"]].fail()
            datagram = encode("/segue/error", [number, packet.address, *refusal])
        elif values.get("lane", -1) >= 0 and packet.address != "/segue/lane/open" and values["lane"] not in self.lanes:
            datagram = encode("/segue/error", [number, packet.address, "no_such_lane", "it is not open"])
        else:
            datagram = encode("/segue/ok", [number, packet.address, *self.answer(packet.address, values)])
        self.answered[sender, number] = datagram
        self.socket.sendto(datagram, sender)

    def answer(self, address: str, values: dict) -> list:
        """The values of an answer."""
        match address.removeprefix("/segue/"):
            case "hello":
                self.answered.clear()
                return [self.protocol, "counting", 30.0]
            case "ping":
                return [time.monotonic() % 1000]
            case "lane/open":
                return self.open(values["lane"], values["rate_hz"], values["channels"])
            case "lane/set":
                self.lanes[values["lane"]].values[values["name"]] = float(values["value"])
                return [values["name"], float(values["value"]), 0.0, 0]
            case "lane/play":
                lane = self.lanes[values["lane"]]
                at = values["at"]
                start = lane.play(at.wire() if at.word not in ("", "now") else at.beats, max(values["bars"], 0))
                lane.work()
                return [start, lane.plan_revision, 4711, 0, 0.0]
            case "lane/status":
                lane = self.lanes[values["lane"]]
                state = "idle" if lane.start_beats is None and not lane.next_pass else "playing"
                return [state, 0.0, lane.plan_revision, 4711, " ".join(sorted(lane.references))]
            case "lane/get":
                return [values["name"], self.lanes[values["lane"]].values.get(values["name"], 0.0)]
            case "lane/stop":
                self.lanes[values["lane"]].stop(str(values["at"].wire()))
                return [0.0]
            case "lane/close":
                self.lanes.pop(values["lane"]).ring.close()
            case "region/clear":
                self.lanes[values["lane"]].references.discard(values["role"])
                return [0.0, 0]
            case "region/capture":
                found = read_capture(values["name"])
                say(captured=found.audio[:, 0].tolist()[:8], samples=len(found.audio), channels=found.audio.shape[1],
                    bpm=found.bpm, start=found.start_beats, role=values["role"])  # fmt: skip
                self.lanes[values["lane"]].references.add(values["role"])
                return [len(found.audio) / found.rate_hz, 2, found.rate_hz, 4.0, "", 0.0, 0]
        return []

    def open(self, number: int, rate_hz: int, channels: int) -> list:
        """Open a lane, or return the open one."""
        number = next(n for n in range(64) if n not in self.lanes) if number < 0 else number
        if number not in self.lanes:
            self.lanes[number] = CountingLane(number, rate_hz, channels)
        return [number, self.lanes[number].ring.name]


def say(**what: object) -> None:
    """Print a line for the test."""
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    CountingEngine(int(sys.argv[1]), int((*sys.argv, messages.PROTOCOL)[2])).serve()
