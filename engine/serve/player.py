"""One lane's stream while it plays: tokens to audio to the ring, at the host's positions.

    host position   now ........ margin ..... written               lead
                     |-- plays --|-- may be taken back --|-- to be made --|

A change that is to be heard (prompt, references, parameters, tempo) takes the stream back to a frame that the
host has not reached, and goes on from the tokens played before it: what is already in the ring up to there
still sounds.

Where the host loops, the stream goes on while positions start again: what lies behind the loop's end is
written for the next pass, that is for the next number of the timeline, before the host gets there.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from bridge import units
from bridge.ring import ENDLESS_SAMPLES, Plan, RingWriter
from bridge.transport import Transport
from engine.lm import Conditions
from engine.model import HeardExcerpt, LoadedModel
from engine.serve.chain import SoundChain
from engine.serve.place import Place, ask_at
from engine.serve.settings import HeardRegion, LaneSettings
from engine.serve.tuning import Prompt, TakenOver, make_prompt, stream_settings
from engine.stream import TokenStream
from engine.stream.resample import StreamResampler

FADE_SECONDS = 0.01  # at the end of the music
PASS_SECONDS = 0.5  # a loop pass is seen this long after it at the latest


class Player:
    """Makes one stream and writes it to a lane's ring; all methods [generate].

    "Own" samples and frames are counted from where the stream's music begins; `place` says where they lie in
    the host's present pass of the timeline, `writing` where they lie at the end of what is written.
    """

    def __init__(
        self,
        model: LoadedModel,
        ring: RingWriter,
        settings: LaneSettings,
        place: Place,
        seed: int,
        region: HeardRegion | None = None,
        taken_over: TakenOver | None = None,
    ) -> None:
        """Begin after the end of `region`, or with `taken_over` in the middle of another model's music."""
        self.model, self.ring, self.settings, self.place, self.seed = model, ring, settings, place, seed
        self.region = region
        self.prompt: Prompt | None = None
        self.prompt_frames = 0
        self.loop: tuple[int, int] | None = None  # first sample and the one behind the last
        self.windows = 0
        self.version = 0  # counts what was taken back or made anew
        self.excerpt: HeardExcerpt | None = None  # of the style region, that the newest window hears
        self.resampler = StreamResampler(model.codec.sample_rate, ring.form.sample_rate_hz)
        if taken_over is None:
            self.begin()
        else:
            self._take_over(taken_over)

    def begin(self) -> None:
        """(Re)start from the first frame: same seed and inputs, same music."""
        if self.prompt is None and self.region is not None:
            self.prompt = make_prompt(self.model, self.region)
        self.prompt_frames = 0 if self.prompt is None else self.prompt.codes.shape[1]
        self.gain = 1.0 if self.prompt is None else self.prompt.gain
        self._start(self.prompt, 0, 0)

    def _take_over(self, before: TakenOver) -> None:
        """Start at an own frame in the middle of what another model has played."""
        self.prompt_frames = before.prompt_frames
        self.gain = before.heard.gain
        known = before.prompt_frames + before.frame
        self._start(before.heard, before.frame, known - before.heard.codes.shape[1])

    def _start(self, before: Prompt | None, frame: int, first_frame: int) -> None:
        """Stream and sound from an own frame on; `before` is what sounds right before it."""
        codes, audio = (None, None) if before is None else (before.codes, before.audio)
        model, tuned = self.model, stream_settings(self.model, self.settings, self.place, self.prompt_frames)
        self.stream = TokenStream.begin(model.lm, self._conditions, codes, tuned, self.seed, first_frame)
        device, channels = model.lm.out_norm.weight.device, self.ring.form.channels
        level = self._level()
        self.chain = SoundChain(model.codec, self.resampler, channels, audio, codes, frame, level, device)
        self._pending = torch.zeros(0, channels)
        self.writing = self.place
        self.version += 1

    # -- what it is and wants -------------------------------------------------------------------------

    @property
    def end_own(self) -> int:
        """Own sample behind the music's last."""
        return min(self.place.end_samples - self.place.zero_samples, ENDLESS_SAMPLES)

    @property
    def made_own(self) -> int:
        """Own samples that are made, in the ring or about to be."""
        return min(self.chain.end_samples, self.end_own)

    @property
    def written_own(self) -> int:
        """Own samples that are in the ring."""
        return self.made_own - len(self._pending)

    @property
    def finished(self) -> bool:
        """True when the music has an end and all of it is in the ring."""
        return self.written_own >= self.end_own

    def ahead_samples(self, position_samples: int) -> int:
        """How far what is written reaches beyond a position of the present pass; negative: behind it."""
        return self.written_own - (position_samples - self.place.zero_samples)

    def wants(self, position_samples: int, lead_seconds: float) -> bool:
        """Whether more is to be made for a host at `position_samples`: never more than the lead."""
        heard = max(position_samples - self.place.zero_samples, 0)
        due = min(heard + int(lead_seconds * self.ring.form.sample_rate_hz), self.end_own)
        return self.made_own < due and not len(self._pending) and not self.stream.finished

    # -- making -----------------------------------------------------------------------------------------

    def take(self, codes: Tensor) -> None:
        """New frames [K, n] of the stream: decode, resample, write."""
        self.keep(codes)
        self.write()

    def keep(self, codes: Tensor) -> None:
        """New frames [K, n] of the stream: decode and resample; `write` later."""
        audio = self.chain.push(codes, last=self.stream.finished)
        begin = self.chain.end_samples - len(audio)
        audio = self._faded(audio[: max(0, self.end_own - begin)], begin)
        self._pending = torch.cat([self._pending, audio])

    def _faded(self, audio: Tensor, begin_own: int) -> Tensor:
        """A short fade right before the end of the music."""
        if self.place.end_samples == ENDLESS_SAMPLES or not len(audio):
            return audio
        fade = max(1, int(FADE_SECONDS * self.ring.form.sample_rate_hz))
        left = self.end_own - begin_own - torch.arange(len(audio))
        return audio * (left.clamp(max=fade) / fade)[:, None]

    def write(self) -> int:
        """Put what waits into the ring as far as there is room; returns how many samples."""
        total = 0
        while len(self._pending):
            begin = self.writing.zero_samples + self.written_own
            count = len(self._pending)
            if self.loop is not None and begin < self.loop[1]:
                count = min(count, self.loop[1] - begin)
            part = self._pending[:count].numpy()
            shift = self.place.zero_samples - self.writing.zero_samples
            taken = self.ring.write(begin, part, self.ring.plan.generation, self.writing.timeline, shift)
            self._pending = self._pending[taken:]
            total += taken
            self._wrap(begin)
            if taken < count:
                break
        return total

    def _wrap(self, from_samples: int) -> None:
        """Where writing came from `from_samples` to the loop's end, it goes on at its start, a pass later."""
        if self.loop is None:
            return
        start, end = self.loop
        while from_samples < end <= self.writing.zero_samples + self.written_own:
            zero = self.writing.zero_samples - (end - start)
            self.writing = replace(self.writing, zero_samples=zero, timeline=self.writing.timeline + 1)
            from_samples = start

    def passed(self, transport: Transport) -> bool:
        """The host's timeline has another number: True when that is the loop pass that was written for."""
        passes = transport.timeline - self.place.timeline
        if self.loop is None or not 0 < passes <= self.writing.timeline - self.place.timeline:
            return False
        start, end = self.loop
        if not 0 <= transport.position_samples - start < PASS_SECONDS * transport.sample_rate_hz:
            return False
        zero = self.place.zero_samples - passes * (end - start)
        self.place = replace(self.place, zero_samples=zero, timeline=transport.timeline)
        plan = self.ring.plan
        if plan.timeline <= transport.timeline:  # else it is for a pass still to come, as it stands
            begin = plan.from_samples if plan.timeline == transport.timeline else start
            self.announce(begin, plan.generation)
        self.ring.set_reach(zero + self.written_own)
        return True

    def announce(self, from_samples: int, generation: int, place: Place | None = None) -> None:
        """Tell the host the plan: older blocks count up to `from_samples`."""
        place = place or self.place
        self.ring.set_plan(Plan(generation, True, from_samples, place.zero_samples, place.end_samples, place.timeline))

    # -- changing its mind ------------------------------------------------------------------------------

    def restart(self, settings: LaneSettings, place: Place, generation: int) -> None:
        """From the first frame again, at another place or otherwise; nothing of it was heard yet."""
        self.settings, self.place = settings, place
        self.begin()
        self.announce(place.zero_samples, generation)

    def retake(self, host: int, cut_samples: int, settings: LaneSettings, place: Place, generation: int) -> None:
        """Make everything from `cut_samples` on anew for a host at `host`, with other settings, grid or end.

        The cut lies on the first frame that begins there or later, or on the last one that is made.
        """
        self._cut(max(0, self.place.frame_at(cut_samples)), settings, place)
        self._go_on(host, generation)

    def move(self, host: int, own_samples: int, to_samples: int, place: Place, generation: int) -> None:
        """After a jump, or far behind the host: own sample `own_samples` comes to lie on `to_samples`.

        What follows is made anew, from the frame that holds that sample; `place` is that of the present pass,
        its zero is set here.
        """
        seconds = units.samples_to_seconds(max(own_samples, 0), self.ring.form.sample_rate_hz)
        frame = int(units.seconds_to_frames(seconds))
        self._cut(frame, self.settings, replace(place, zero_samples=to_samples - own_samples))
        self._go_on(host, generation)

    def join(self, place: Place, loop: tuple[int, int] | None, host: int) -> None:
        """Lie on another player's line: the same own samples at the same positions, for a host at `host`."""
        self.place = self.writing = place
        self.loop = loop
        self._wrap(host)

    def take_turn(self, host: int, generation: int) -> None:
        """What is made and not written yet takes over from what the ring holds."""
        self._go_on(host, generation)
        self.write()

    def _go_on(self, host: int, generation: int) -> None:
        """After a cut: where writing goes on, maybe behind the loop's end, and the plan that says so."""
        self._wrap(host)
        self.announce(self.writing.zero_samples + self.written_own, generation, self.writing)
        self.ring.set_reach(self.place.zero_samples + self.written_own)

    def _cut(self, frame: int, settings: LaneSettings, place: Place) -> None:
        """Forget own frames from `frame` on (or the last made), and go on elsewhere or otherwise."""
        frame = min(frame, self.chain.audio_end // self.model.codec.frame_samples)
        self.settings, self.place = settings, place
        if frame <= 0:
            self.begin()
            return
        known = self.prompt_frames + frame
        self.chain = self.chain.again_from(frame, self.stream.codes(0, known))
        self.stream.rewind(known)
        self.stream.roll(settings=stream_settings(self.model, settings, place, self.prompt_frames))
        self._pending = self._pending[:0]
        self.chain.with_level(self._level())
        self.writing = place
        self.version += 1

    def end_at(self, end_samples: int, generation: int) -> None:
        """End the music at a host position, with a short fade; what is made beyond it is taken back."""
        made = self.made_own
        self.version += 1
        self.place = replace(self.place, end_samples=max(end_samples, self.place.zero_samples))
        self.stream.with_total(self.prompt_frames + max(1, self.place.frames_to_end() or 0))
        if self.end_own >= made:
            self.announce(self.place.zero_samples + made, generation)
            return
        seconds = FADE_SECONDS + units.SAMPLES_PER_FRAME / units.CODEC_RATE_HZ
        begin = end_samples - int(seconds * self.ring.form.sample_rate_hz)
        frame = max(self.chain.first_kept_frame, self.place.frame_at(begin))
        own = -(-frame * self.model.codec.frame_samples * self.resampler.new // self.resampler.orig)
        self.announce(self.place.zero_samples + own, generation)
        audio = self._faded(self.chain.replay(frame, max(0, self.end_own - own)), own)
        self.ring.write(self.place.zero_samples + own, audio.numpy(), generation, self.place.timeline)
        self._pending = self._pending[:0]

    def end_before(self, end_samples: int) -> None:
        """Let the music end at a position that is not made yet, where another stream takes over."""
        self.version += 1
        self.place = replace(self.place, end_samples=end_samples)

    def quiet_change(self, settings: LaneSettings) -> None:
        """Settings that need no new tokens: the level."""
        self.settings = settings
        self.chain.with_level(self._level())

    # -- for the stream -----------------------------------------------------------------------------------

    def _conditions(self, offset_frames: int, window_frames: int) -> tuple[Conditions, ...]:
        """What the stream's next window hears."""
        self.windows += 1
        model = self.model
        ask = ask_at(self.settings, self.writing, self.prompt_frames, offset_frames, model.takes, self.seed)
        self.excerpt = model.conditioner.excerpts([ask], offset_frames)[0] if ask.style is not None else None
        with torch.no_grad():
            return model.conditioner([ask], self.stream.settings.guidance, offset_frames, window_frames)[0]

    def _level(self) -> float:
        return float(10.0 ** (self.settings.values.get("level_db", 0.0) / 20.0)) / self.gain
