"""What sounds in a jam, on the audio thread: the lane's ring, bars that are repeated, the clicks of the count-in.

    captured --------------------------------------------> tape
    ring --processor--> [ring] --gate, repeats--> played --> tape
                                                    +------> out <-- clicks

The timeline begins at the session sample where the count-in ends.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bridge.ring.form import Audio
from bridge.time.transport import Transport
from bridge.time.units import nearest, seconds_to_samples
from plugin_host.host.timeline import Timeline
from plugin_host.jam.session_audio import STANDING, BlockQueue
from plugin_host.playback.processor import Processor

FADE_SECONDS = 0.005
NEVER = 1 << 60
MOST_SAMPLES = 4096  # of a block that is rendered at once
CLICK_SECONDS = 0.03
CLICK_HZ = (1000.0, 1500.0)  # a beat, the first of a bar
CLICK_PEAK = 0.25


@dataclass(frozen=True, eq=False)
class Repeat:
    """Music [n, channels] that goes round from host sample `start` to `end`, in place of the ring's.

    No music is silence.
    """

    start: int
    end: int
    audio: Audio

    def fill(self, out: Audio, position: int) -> None:
        """Fill `out` with the music at a position.  [audio]"""
        n, length = len(out), len(self.audio)
        if not length:
            out[:] = 0
            return
        done = 0
        while done < n:
            at = (position + done - self.start) % length
            part = min(n - done, length - at)
            out[done : done + part] = self.audio[at : at + part]
            done += part


class JamDeck:
    """One jam's sound; `render` belongs to the audio thread, the rest to the session's.

    `sample` is the session's next one.
    """

    def __init__(
        self,
        processors: tuple[Processor, ...],
        timeline: Timeline,
        block_queue: BlockQueue,
        count_in: tuple[int, ...] = (),
    ) -> None:
        """`processors`: one for each lane. `count_in`: the clicks' session samples, and where the timeline begins.

        [main]
        """
        self.processors, self.timeline, self.block_queue = processors, timeline, block_queue
        processor = self.processor = processors[0]
        self.sample = 0
        self.starts_at = count_in[-1] if count_in else NEVER  # the session sample where the timeline runs by itself
        self.ends_at: int | None = None  # the session sample behind the last one that is recorded
        self.repeats: tuple[Repeat, ...] = ()
        self._clicks = [_Click(at, bar) for at, bar in _click_bars(count_in[:-1], timeline)]
        self._click_sounds = tuple(_click(hz, processor.sample_rate_hz) for hz in CLICK_HZ)
        self._fade = max(1, nearest(seconds_to_samples(FADE_SECONDS, processor.sample_rate_hz)))
        self._rise = np.linspace(0, 1, self._fade, endpoint=False, dtype=np.float32)[:, None]
        self._scratch: Audio = np.zeros((MOST_SAMPLES, processor.channels), np.float32)
        self._other: Audio = np.zeros((self._fade, processor.channels), np.float32)

    def render(self, captured: Audio, out: Audio) -> None:
        """Fill `out` [n, channels] with the next samples, `captured` [n, channels] came meanwhile.  [audio]"""
        self.timeline.take_changes()
        done, count = 0, len(out)
        while done < count:
            if self.sample == self.starts_at:
                self.timeline.play()
                self.timeline.take_changes()
            most = min(count - done, MOST_SAMPLES)
            if self.sample < self.starts_at:
                most = min(most, self.starts_at - self.sample)
            transport, n = self.timeline.block(most)
            part, position = out[done : done + n], transport.position_samples
            self._music(part, transport)
            if transport.playing:
                self._repeat(part, position)
            self._put(position if transport.playing else STANDING, captured[done : done + n], part)
            self.add_clicks(part, self.sample)
            self.timeline.advance(n)
            self.sample += n
            done += n

    def stand(self) -> None:
        """Tell the engine where the jam has ended, after its last block.  [main]"""
        here = replace(self.timeline.now, playing=False)
        for processor in self.processors:
            processor.process(self._scratch[:1], here)

    def _put(self, position: int, captured: Audio, played: Audio) -> None:
        n = len(played) if self.ends_at is None else max(0, min(len(played), self.ends_at - self.sample))
        if n:
            self.block_queue.put(self.sample, position, captured[:n], played[:n])

    def _music(self, out: Audio, transport: Transport) -> None:
        """All lanes together."""
        self.processor.process(out, transport)
        for other in self.processors[1:]:
            scratch = self._scratch[: len(out)]
            other.process(scratch, transport)
            out += scratch

    def _repeat(self, out: Audio, position: int) -> None:
        """Put repeated bars in the ring's place, with a short fade at both ends."""
        for repeat in self.repeats:
            begin, end = max(position, repeat.start), min(position + len(out), repeat.end + self._fade)
            at = begin
            while at < end:
                inside = repeat.start + self._fade if at < repeat.start + self._fade else repeat.end
                until = min(end, inside if at < repeat.end else repeat.end + self._fade)
                self._lay(repeat, out[at - position : until - position], at)
                at = until

    def _lay(self, repeat: Repeat, out: Audio, at: int) -> None:
        into, past = at - repeat.start, at - repeat.end
        if self._fade <= into and past < 0:
            repeat.fill(out, at)
            return
        n = len(out)
        other = self._other[:n]
        repeat.fill(other, at)
        rise = self._rise[into : into + n] if past < 0 else 1 - self._rise[past : past + n]
        out *= 1 - rise
        other *= rise
        out += other

    def add_clicks(self, out: Audio, sample: int) -> None:
        """Add the clicks of the count-in to music [n, channels] from a session sample on.  [any]"""
        for click in self._clicks:
            sound = self._click_sounds[click.bar]
            begin, end = max(sample, click.at), min(sample + len(out), click.at + len(sound))
            if begin < end:
                out[begin - sample : end - sample] += sound[begin - click.at : end - click.at]


@dataclass(frozen=True)
class _Click:
    at: int
    bar: int  # 1: the first beat of a bar


def _click_bars(clicks: tuple[int, ...], timeline: Timeline) -> list[tuple[int, int]]:
    """Clicks and whether each begins a bar: the count-in ends on a bar line."""
    signature = timeline.now.grid.signature
    per_bar = signature.numerator
    return [(at, int((len(clicks) - number) % per_bar == 0)) for number, at in enumerate(clicks)]


def _click(hz: float, rate_hz: int) -> Audio:
    n = nearest(seconds_to_samples(CLICK_SECONDS, rate_hz))
    t = np.arange(n) / rate_hz
    sound = CLICK_PEAK * np.sin(2 * np.pi * hz * t) * np.exp(-t * 120)
    return sound.astype(np.float32)[:, None]
