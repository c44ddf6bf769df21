"""Alignment of a stream's audio to the host's beat, before it is heard; independent of how the input is cut.

    made   --onsets--> estimate --> course --> joints      every 0.2 s of the input, from what is known by then
           --------------------------------> output        0.06 to 0.26 s later; unchanged if nothing is bent

No library is used: of those that stream in Python none keeps exact counts and times (PyAV's atempo and audiostretchy's
TDHS lose or withhold samples when the rate changes, Rubber Band is under the GPL and 1 to 5 ms off, python-stretch
restarts at every call), while ring positions, regeneration and handover need the exact position of each sample.
Skipping and repeating short pieces at similar places, away from onsets, is exact, keeps transients, and changes nothing
if nothing is bent. The renderer uses only `Bend`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.beat import onsets
from engine.beat.estimate import WINDOW_SECONDS, Estimate, estimate
from engine.beat.onsets import HOP_SAMPLES, RATE_HZ, WINDOW_SAMPLES
from engine.beat.splice import EDGE_SAMPLES, FADE_SAMPLES, SKIP_MOST, Joint, crossfade, find_joint, places
from engine.beat.steer import BeatCourse, wanted_skip
from engine.beat.time_map import MapStretch, TimeMap

STEP_SAMPLES = 6400
HOLD_SAMPLES = 2048  # a joint's crossfade and its longest skip
PAST_SAMPLES = 14 * RATE_HZ  # how far back it can continue
LOOK_STEPS = 3  # steps between searches for an unknown beat
KNOT_SAMPLES = 8000  # interval of grid values, linear in between
GUARD_SAMPLES = 64  # a jump ends this long before the bar line
LEAP_MOST_BEATS = 4.0
BEND_RESERVE = 0.1  # largest share of input in excess of the output

Samples = NDArray[np.float32]


class BeatLine(Protocol):
    """The host's beats along the output, in samples at the model's rate.  [any]"""

    def beats_at(self, out: int) -> float:
        """Beat of the host's grid at an output sample."""
        ...

    def next_bar(self, out: int) -> int:
        """The first output sample, at `out` or after it, on which a bar begins."""
        ...


class Bend:
    """Takes the model's audio and returns it aligned to the beat; `map` relates their samples.  All [generate]."""

    def __init__(self, line: BeatLine, start: int, before: Samples) -> None:
        """Begin at sample `start` of input and output, after the music `before` [C, n], whose beat is detected."""
        self.line = line
        self.active = True  # otherwise the input passes unchanged, at once
        self.map = TimeMap((MapStretch(start, start),))
        self.out_end = start
        self.course = BeatCourse()
        self._expected: Estimate | None = None
        self._past: list[tuple[int, BeatCourse, Estimate | None]] = []  # by the end of each step
        length = before.shape[1] // HOP_SAMPLES * HOP_SAMPLES
        self._first = start - length  # number of the first stored sample
        self.made = np.ascontiguousarray(before[:, before.shape[1] - length :], np.float32)
        self._state = onsets.begin()
        self._strengths = np.zeros(0)
        self._first_hop = self._first // HOP_SAMPLES
        self._detected = self._first
        self._looked = 0
        self._next = (start // STEP_SAMPLES + 1) * STEP_SAMPLES
        self._detect_before(start)

    @property
    def made_end(self) -> int:
        """Samples made so far.  [generate]"""
        return self._first + self.made.shape[1]

    @property
    def detected(self) -> Estimate:
        """How far the music is off at the last step; confidence 0 if the beat is not followed.  [generate]"""
        return self.course.detected

    def switch(self, active: bool) -> None:
        """Bend from now on, or output the input unchanged."""
        self.active = active

    def push(self, audio: Samples, last: bool = False) -> Samples:
        """Push made audio [C, n]; returns final audio [C, m], with `last` all the rest."""
        self.made = np.concatenate([self.made, audio], axis=1)
        parts = [self.made[:, :0]]
        while self._next <= self.made_end:
            parts += self._step(self._next)
            self._next += STEP_SAMPLES
        if last or not self.active:
            parts.append(self._pass(self.made_end))
        self._forget()
        return np.concatenate(parts, axis=1)

    def again_from(self, made: int, line: BeatLine) -> Bend:
        """A bend that continues where sample `made` is output, with the state of that time.

        Raises ValueError if that sample was not output, or is no longer stored.
        """
        out = self.map.out_at(made)
        if not self._first <= made <= self.made_end or out > self.out_end:
            raise ValueError(f"sample {made} is not within what was put out and kept")
        again = Bend.__new__(Bend)
        again.line, again.map, again.out_end, again.active = line, self.map.cut(out, made), out, self.active
        again._first, again.made = self._first, self.made[:, : made - self._first].copy()
        again._past = [past for past in self._past if past[0] <= made]
        again.course, again._expected = again._past[-1][1:] if again._past else (BeatCourse(), None)
        again._looked, again._next = 0, (made // STEP_SAMPLES + 1) * STEP_SAMPLES
        again._relisten(self, made)
        return again

    # -- detection ----------------------------------------------------------------------------------------

    def _detect_before(self, start: int) -> None:
        """Detect the beat of the music before the first sample, which the stream continues."""
        for looks in (2 * LOOK_STEPS, LOOK_STEPS, 0):
            end = start - looks * STEP_SAMPLES
            if end > self._first:
                self._detect(end)
                self._look(end, LOOK_STEPS * STEP_SAMPLES)
        self._past.append((start, self.course, self._expected))

    def _detect(self, end: int) -> None:
        mono = self._mono(self._detected, end)
        found, self._state = onsets.step(mono.astype(np.float64), self._state)
        self._strengths = np.concatenate([self._strengths, found])
        self._detected = end

    def _relisten(self, other: Bend, made: int) -> None:
        """Copy another's onsets as far as they are complete at `made`."""
        hops = min(len(other._strengths), max(0, (made - WINDOW_SAMPLES) // HOP_SAMPLES + 1 - other._first_hop))
        self._strengths, self._first_hop = other._strengths[:hops].copy(), other._first_hop
        from_hop = max(self._first_hop + hops - onsets.LAG_HOPS, -(-self._first // HOP_SAMPLES))
        mono = self._mono(from_hop * HOP_SAMPLES, made).astype(np.float64)
        _, self._state = onsets.step(mono, onsets.begin())
        self._detected = made

    def _mono(self, first: int, end: int) -> Samples:
        return np.asarray(self.made[:, first - self._first : end - self._first].mean(axis=0), np.float32)

    def _look(self, now: int, passed: int) -> None:
        """The beat at sample `now`, on the grid as seen from there."""
        count = min(len(self._strengths), int(WINDOW_SECONDS * RATE_HZ) // HOP_SAMPLES)
        first = self._first_hop + len(self._strengths) - count
        at = onsets.places(first, count)
        shift = self.map.last.shift
        knots = np.arange(now, now - int((WINDOW_SECONDS + 1) * RATE_HZ), -KNOT_SAMPLES)[::-1]
        known = np.array([self.line.beats_at(int(knot) - shift) for knot in knots])
        beats = np.interp(np.append(at, now), knots, known)
        near = self._expected if self.course.followed else None
        found = estimate(np.append(self._strengths[len(self._strengths) - count :], 0.0), beats, self._beat(now), near)
        self.course = self.course.after(found, passed / self._beat_samples(now))

    def _beat_samples(self, now: int) -> float:
        """The length of the host's beat at an input sample."""
        out = now - self.map.last.shift
        return RATE_HZ / (self.line.beats_at(out) - self.line.beats_at(out - RATE_HZ))

    def _beat(self, now: int) -> float:
        return self._beat_samples(now) / RATE_HZ

    # -- output --------------------------------------------------------------------------------------

    def _step(self, now: int) -> list[Samples]:
        """Detect up to `now`, decide, and output what is final."""
        self._detect(now)
        if not self.active:
            self.course, self._expected = BeatCourse(), None
            return []
        self._looked += 1
        if self.course.followed or self._looked % LOOK_STEPS == 0:
            self._look(now, STEP_SAMPLES if self.course.followed else LOOK_STEPS * STEP_SAMPLES)
        beat = self._beat_samples(now)
        before, was = self.map.last.shift, self.course
        parts = self._leap(now, beat) if self.course.leaps else self._bent(now, beat)
        skipped = 0.0 if self.course is not was else (self.map.last.shift - before) / beat
        self._expected = self.course.expected(STEP_SAMPLES / beat, skipped)
        self._past.append((now, self.course, self._expected))
        return parts

    def _bent(self, now: int, beat_samples: float) -> list[Samples]:
        """The next stretch, with a joint if the beat is off."""
        limit, wanted = now - HOLD_SAMPLES, wanted_skip(self.course, beat_samples, STEP_SAMPLES)
        joint = self._joint(wanted, limit) if wanted else None
        parts = [self._join(joint)] if joint is not None else []
        return [*parts, self._pass(limit)]

    def _joint(self, wanted: int, limit: int) -> Joint | None:
        """The best joint in the audio that can be output now."""
        first = self.map.made_at(self.out_end)
        begin = max(first - SKIP_MOST, self._first)
        mono = self._mono(begin, limit + HOLD_SAMPLES)
        low, high = first - begin, limit - begin - FADE_SAMPLES - max(0, SKIP_MOST)
        at = [place + begin for place in places(low, high)]
        found = find_joint(mono, low, high, wanted, np.array([self._onset(place, wanted) for place in at]))
        return None if found is None else Joint(found.position + begin, found.skip)

    def _onset(self, place: int, skip: int) -> float:
        """The strongest onset in a joint at a sample, relative to recent ones."""
        low, high = min(0, skip) - EDGE_SAMPLES, max(0, skip) + FADE_SAMPLES + EDGE_SAMPLES
        first = max(0, (place + low - onsets.CENTRE_SAMPLES) // HOP_SAMPLES - self._first_hop)
        last = (place + high - onsets.CENTRE_SAMPLES) // HOP_SAMPLES - self._first_hop + 1
        lately = self._strengths[-2 * RATE_HZ // HOP_SAMPLES :]
        return float(self._strengths[first:last].max(initial=0.0) / (lately.max(initial=0.0) + 1e-9))

    def _join(self, joint: Joint) -> Samples:
        """Output up to a joint, and its crossfade."""
        before = self._pass(joint.position)
        at = joint.position - self._first
        new = at + joint.skip
        faded = crossfade(self.made[:, at : at + FADE_SAMPLES], self.made[:, new : new + FADE_SAMPLES])
        self.map.jump(self.out_end, joint.skip)
        self.out_end += FADE_SAMPLES
        return np.concatenate([before, faded], axis=1)

    def _pass(self, limit: int) -> Samples:
        """Output the input up to a sample, unchanged."""
        first = self.map.made_at(self.out_end)
        if limit <= first:
            return self.made[:, :0]
        self.out_end += limit - first
        return self.made[:, first - self._first : limit - self._first]

    def _leap(self, now: int, beat_samples: float) -> list[Samples]:
        """Continue unchanged up to the next bar line, then jump to the music of that beat, once it is made."""
        limit, reach = now - HOLD_SAMPLES, FADE_SAMPLES + GUARD_SAMPLES
        bar = self.line.next_bar(self.out_end + reach)
        place = self.map.made_at(bar - reach) if bar - reach < self.out_end + now else now
        off = min(max(self.course.detected.off_beats, -LEAP_MOST_BEATS), LEAP_MOST_BEATS)
        skip = round(off * beat_samples)
        if place > limit:
            return [self._pass(limit)]
        if place + skip + FADE_SAMPLES > limit or place + skip < self._first:
            return [self._pass(place)]
        self.course = self.course.leapt(skip / beat_samples)
        return [self._join(Joint(place, skip)), self._pass(limit)]

    def _forget(self) -> None:
        """Drop audio too far back to continue from."""
        surplus = (self.made.shape[1] - PAST_SAMPLES) // HOP_SAMPLES * HOP_SAMPLES
        if surplus > 0:
            self.made, self._first = self.made[:, surplus:], self._first + surplus
            self.map.forget_before(self.map.out_at(self._first))
        hops = len(self._strengths) - (PAST_SAMPLES + int(WINDOW_SECONDS * RATE_HZ)) // HOP_SAMPLES
        if hops > 0:
            self._strengths, self._first_hop = self._strengths[hops:], self._first_hop + hops
        self._past = [past for past in self._past if past[0] >= self._first]
