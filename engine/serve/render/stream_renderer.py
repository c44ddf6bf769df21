"""One lane's stream while it plays: tokens to audio to the ring, at the host's positions.

    host position   now ........ margin ..... written               lead
                     |-- plays --|-- may be taken back --|-- to be made --|

A change that is to be heard (prompt, references, parameters, tempo) takes the stream back to a frame that the
host has not reached, and goes on from the tokens played before it: what is already in the ring up to there
still sounds. Where the host's tempo alone moves, the model goes on in its window, from the beats that are heard to
those that are wanted; a little of it is taken up by what is still to be made, and nothing is taken back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from weakref import proxy

from torch import Tensor

from bridge.ring.writer import RingWriter
from engine.audio.resample import StreamResampler
from engine.models.model import HeardExcerpt, LoadedModel
from engine.serve.lane_settings import LaneSettings, ReferenceAudio
from engine.serve.render import bending, conditioning
from engine.serve.render.codec_output import CodecOutput
from engine.serve.render.guard_input import GuardInput
from engine.serve.render.loudness_target import target_lufs
from engine.serve.render.ring_output import RingOutput
from engine.serve.render.stream_settings import HandoverPrompt, Prompt, make_prompt, stream_settings
from engine.serve.timeline.beat_map import BeatMap
from engine.serve.timeline.placement import StreamPlacement
from engine.stream import TokenStream


class StreamRenderer(RingOutput):
    """Makes one stream and writes it to a lane's ring; all methods [generate]."""

    def __init__(
        self,
        model: LoadedModel,
        ring: RingWriter,
        settings: LaneSettings,
        place: StreamPlacement,
        seed: int,
        region: ReferenceAudio | None = None,
        taken_over: HandoverPrompt | None = None,
    ) -> None:
        """Begin after the end of `region`, or with `taken_over` in the middle of another model's music."""
        super().__init__(ring, place, settings.gain)
        self._first_seed = seed
        self.model, self.settings, self.seed, self.region = model, settings, seed, region
        self.prompt: Prompt | None = None
        self.prompt_frames = 0
        self.windows = 0
        self.version = 0  # counts what was taken back or made anew
        self.in_window = False  # what was made anew last went on in the open window, without reading what came before
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

    def _take_over(self, before: HandoverPrompt) -> None:
        """Start at an own frame in the middle of what another model has played."""
        self.prompt_frames, self.gain = before.prompt_frames, before.heard.gain
        known = before.prompt_frames + before.frame
        self._start(before.heard, before.frame, known - before.heard.codes.shape[1])

    def _start(self, before: Prompt | None, frame: int, first_frame: int) -> None:
        """Stream and sound from an own frame on; `before` is what sounds right before it."""
        codes, audio = (None, None) if before is None else (before.codes, before.audio)
        own_line = conditioning.prompt_line(self.place, self.region) if before is not None and not frame else None
        self.score, model = BeatMap(self.place, own_line), self.model
        bend = bending.bend_for(self, frame, audio)
        self._reserved = False  # frames for a sound that is bent
        tuned = stream_settings(model, self.settings, bending.enough(self.place, bend), self.prompt_frames)
        heard = partial(conditioning.conditions, proxy(self))  # the stream is ours: nothing keeps us alive but the lane
        self.stream = TokenStream.begin(model.lm, heard, codes, tuned, self.seed, first_frame)
        device, channels, level = model.lm.out_norm.weight.device, self.ring.form.channels, 1.0 / self.gain
        self.chain = CodecOutput(model.codec, self.resampler, channels, audio, codes, frame, level, device, bend=bend)
        self.chain.go_on_from(None if before is None else before.ahead)
        self._from(self.chain.end_samples)
        self.taken_frames, self.settled_own = self.prompt_frames + frame, self.chain.end_samples
        self.listening = GuardInput(self.chain, codes, self.place.line.tempo_at(self.place.zero_samples))
        self._tune()
        self.version += 1

    # -- what it is and wants -------------------------------------------------------------------------

    def wants(self, position_samples: int, lead_seconds: float) -> bool:
        """Whether more is to be made for a host at `position_samples`: never more than the lead."""
        heard = max(position_samples - self.place.zero_samples, self.place.unheard_samples)
        due = min(heard + int(lead_seconds * self.ring.form.sample_rate_hz), self.end_own)
        return self.made_own < due and not len(self._pending) and not self.stream.finished

    def take(self, codes: Tensor) -> None:
        """New frames [K, n] of the stream: decode, resample, write."""
        self.keep(codes)
        self.write()

    def keep(self, codes: Tensor) -> None:
        """New frames [K, n] of the stream: decode and resample; `write` later."""
        heard, self.taken_frames = self.chain.audio_end, self.taken_frames + codes.shape[1]
        audio = self.chain.push(codes, last=self.stream.finished)
        self._reserved = bending.reserve(self, self._reserved)
        self.listening.hear(self.chain, codes, self.chain.audio_end - heard, self.score.tempo_at(self.made_own))
        self._put(audio, self.chain.end_samples - len(audio))

    # -- changing its mind ------------------------------------------------------------------------------

    def restart(self, settings: LaneSettings, place: StreamPlacement, generation: int) -> None:
        """From the first frame again, at another place or otherwise; nothing of it was heard yet."""
        self.settings, self.place = settings, place
        self.begin()
        self.announce(place.start_samples, generation)

    def retake(
        self, host: int, cut_samples: int, settings: LaneSettings, place: StreamPlacement, generation: int
    ) -> None:
        """Make everything from `cut_samples` on anew for a host at `host`, with other settings, line or end.

        The cut lies on the first frame that begins there or later, or on the last one that is made. The beats that
        are heard up to there are led to those of `place` without a jump.
        """
        self._cut_from(max(0, self.place.frame_at(cut_samples)) * self._frame, settings, place)
        self._go_on(host, generation)

    def retake_at(self, host: int, own: int, settings: LaneSettings, place: StreamPlacement, generation: int) -> None:
        """Make everything from own sample `own` on anew, to the sample: up to it what was made sounds.

        The cut is in the frame that holds it, and what the new frames have before it is thrown away.
        """
        frame = self._known(self.chain.frame_at(self._coded(own)))
        hold = self._coded(own) - self.chain.out_of(frame)
        self._cut(frame, settings, self._reached(place, self._own_of(frame)), hold, placed=True)
        self._from(max(own, self.written_own))
        self._go_on(host, generation)

    def move(
        self,
        host: int,
        own_samples: int,
        to_samples: int,
        settings: LaneSettings,
        place: StreamPlacement,
        generation: int,
    ) -> None:
        """After a jump, or far behind the host: own sample `own_samples` comes to lie on `to_samples`.

        What follows is made anew, from the frame that holds that sample; `place` is that of the present pass,
        its zero is set here.
        """
        frame = self._known(self.chain.frame_at(self._coded(max(own_samples, 0))))
        unheard = min(place.unheard_samples, own_samples)  # it is heard from there on, its beginning too
        self._cut(frame, settings, replace(place, zero_samples=to_samples - own_samples, unheard_samples=unheard))
        self._go_on(host, generation)

    def take_back(self, host: int, own: int, dice: Callable[[int], int], generation: int) -> None:
        """Make everything from own sample `own` on anew with other dice: a seed for the frame where it begins."""
        self.stream.reseed(dice(self._cut_from(self._coded(own), self.settings, self.place)))
        self._go_on(host, generation)

    def shift(self, host: int, from_own: int, place: StreamPlacement, generation: int) -> None:
        """What is made sounds elsewhere from own sample `from_own` on: not made anew, only written once more.

        `place` has another zero (the start moves), or `loop` was set to other bounds before.
        """
        fed = self._finish.fed_own
        begin = min(max(from_own, self.tape.begin_own), fed)
        self.score.move(place.zero_samples - self.place.zero_samples)
        self.place = place
        self._from(begin)
        self._feed(self.tape.between(begin, fed), begin)
        self._go_on(host, generation)
        self.write()

    def steer(self, place: StreamPlacement) -> None:
        """What is still to be made lies on `place`, led there from the beats that are made; nothing is taken back."""
        own = self.free_own
        self.place = place = self._reached(place, own)
        same_pass = replace(place, zero_samples=self.writing.zero_samples, timeline=self.writing.timeline)
        self.writing = same_pass
        self.score.lay(own, same_pass)
        conditioning.retime(self)
        self.set_total()

    def _reached(self, place: StreamPlacement, own: int) -> StreamPlacement:
        """A place whose line is come to from the beat that was laid at an own sample."""
        if own <= self.place.unheard_samples and not self.prompt_frames:
            return place
        beats = self.score.beats_at(own)
        entry = self.score.at(own)
        position = round(entry.position(own))
        return replace(place, line=place.line.reached(position, beats))

    @property
    def free_own(self) -> int:
        """First own sample whose frame no step has begun to draw."""
        return self._own_of(self.stream.free_frame - self.prompt_frames)

    @property
    def _frame(self) -> int:
        return self.model.codec.frame_samples

    def _own_of(self, frame: int) -> int:
        """First own sample of an own frame, as it is heard."""
        return -(-self.chain.out_of(frame) * self.resampler.new // self.resampler.orig)

    def _coded(self, own: int) -> int:
        """An own sample at the codec's rate."""
        return own * self.resampler.orig // self.resampler.new

    def _known(self, frame: int) -> int:
        """An own frame, or the last one that is made where that is earlier."""
        return min(frame, self.chain.frame_at(self._coded(self.made_own)))

    def set_total(self) -> None:
        """Tell the stream where the music ends."""
        frames = bending.enough(self.place, self.chain.bend).frames_to_end()
        self.stream.with_total(None if frames is None else self.prompt_frames + max(1, frames))

    def take_turn(self, host: int, generation: int) -> None:
        """What is made and not written yet takes over from what the ring holds."""
        self._go_on(host, generation)
        self.write()

    def _cut_from(self, coded: int, settings: LaneSettings, place: StreamPlacement) -> int:
        """Cut on the first own frame that begins at a sample of the codec's rate or later; that frame.

        On the last one that is made where that is earlier: all that was made of it sounds, a host may be waiting there.
        """
        frame, made = self._known(self.chain.frame_from(coded)), self.made_own
        hold = self._coded(made) - self.chain.out_of(frame) if coded >= self._coded(made) else None
        self._cut(frame, settings, self._reached(place, self._own_of(frame)), hold)
        if hold is not None:
            self._from(max(made, self.written_own))
        return frame

    def _cut(
        self,
        frame: int,
        settings: LaneSettings,
        place: StreamPlacement,
        hold_samples: int | None = None,
        placed: bool = False,
    ) -> None:
        """Forget own frames from `frame` on, and go on elsewhere or otherwise.

        What was made is heard for `hold_samples` more, at the codec's rate. A change that is `placed` begins a window:
        it gives the same music whenever it was told.
        """
        same = settings.heard() == self.settings.heard()
        stays = conditioning.window_stays(self, settings, place) and (same or not placed)
        if settings.dice != self.settings.dice:
            self.seed = settings.dice[1] if settings.dice[0] else self._first_seed
        self.settings, self.place = settings, place
        if frame <= 0:
            self.begin()
            return
        known = self.prompt_frames + frame
        self.chain = self.chain.again_from(frame, self.stream.codes(0, known), hold_samples)
        self.listening.back_to(self.chain)
        self.taken_frames = known
        self._from(self.chain.end_samples)
        self.score.lay(self.chain.end_samples, place)
        tuned = stream_settings(self.model, settings, bending.enough(place, self.chain.bend), self.prompt_frames)
        self.in_window = stays and self.stream.again_from(known, tuned)
        if self.in_window:
            self.stream.with_total(tuned.total_frames)
            conditioning.retime(self)
        else:
            self.stream.rewind(known)
            self.stream.roll(settings=tuned)
        if not same:
            self.stream.reseed(self.seed + known)
            self.settled_own = self.chain.end_samples
        self._tune()
        self.version += 1

    def end_at(self, end_samples: int, generation: int) -> None:
        """End the music at a host position, with a short fade; what is made beyond it is taken back."""
        made, self.version = self.made_own, self.version + 1
        self.place = replace(self.place, end_samples=max(end_samples, self.place.zero_samples))
        self.set_total()
        self._end_early(made, end_samples, generation)

    def quiet_change(self, settings: LaneSettings) -> None:
        """Settings that need no new tokens; the fader is told by the agenda."""
        self.settings = settings
        self._tune()

    def _tune(self) -> None:
        """What the settings say of the sound itself."""
        channels = self.model.codec.channels, self.ring.form.channels
        target = target_lufs(self.settings, self.region, self.gain, *channels)
        self.chain.with_loudness(target).with_level(1.0 / self.gain)
        if self.chain.bend is not None:
            self.chain.bend.active = bending.wanted(self.settings)
