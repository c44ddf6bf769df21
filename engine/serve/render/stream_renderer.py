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
from engine.model import HeardExcerpt, LoadedModel
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
        placement: StreamPlacement,
        seed: int,
        region: ReferenceAudio | None = None,
        taken_over: HandoverPrompt | None = None,
    ) -> None:
        """Begin after the end of `region`, or with `taken_over` in the middle of another model's music."""
        super().__init__(ring, placement, settings.gain)
        self.model, self.settings, self.seed, self._first_seed, self.region = model, settings, seed, seed, region
        self.prompt: Prompt | None = None
        self.prompt_frames = self.windows = 0
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
        own_curve = conditioning.prompt_curve(self.placement, self.region) if before is not None and not frame else None
        self.beat_map, model = BeatMap(self.placement, own_curve), self.model
        bend = bending.bend_for(self, frame, audio)
        self._reserved = False  # frames for a sound that is bent
        tuned = stream_settings(model, self.settings, bending.enough(self.placement, bend), self.prompt_frames)
        heard = partial(conditioning.conditions, proxy(self))  # the stream is ours: nothing keeps us alive but the lane
        self.stream = TokenStream.begin(model.executor, heard, codes, tuned, self.seed, first_frame)
        device, channels, level = model.lm.out_norm.weight.device, self.ring.form.channels, 1.0 / self.gain
        self.codec_output = CodecOutput(
            model.codec, self.resampler, channels, audio, codes, frame, level, device, bend=bend
        )
        self.codec_output.go_on_from(None if before is None else before.ahead)
        self._from(self.codec_output.end_samples)
        self.taken_frames, self.stream_settled = self.prompt_frames + frame, self.codec_output.end_samples
        self.listening = GuardInput(
            self.codec_output, codes, self.placement.curve.tempo_at(self.placement.zero_samples)
        )
        self._tune()
        self.version += 1

    # -- what it is and wants -------------------------------------------------------------------------

    def wants(self, position_samples: int, lead_seconds: float) -> bool:
        """Whether more is to be made for a host at `position_samples`: never more than the lead."""
        heard = max(position_samples - self.placement.zero_samples, self.placement.unheard_samples)
        due = min(heard + int(lead_seconds * self.ring.form.sample_rate_hz), self.stream_end)
        return self.stream_made < due and not len(self._pending) and not self.stream.finished

    def take(self, codes: Tensor) -> None:
        """New frames [K, n] of the stream: decode, resample, write."""
        self.keep(codes)
        self.write()

    def keep(self, codes: Tensor) -> None:
        """New frames [K, n] of the stream: decode and resample; `write` later."""
        heard, self.taken_frames = self.codec_output.audio_end, self.taken_frames + codes.shape[1]
        audio = self.codec_output.push(codes, last=self.stream.finished)
        self._reserved = bending.reserve(self, self._reserved)
        self.listening.hear(
            self.codec_output, codes, self.codec_output.audio_end - heard, self.beat_map.tempo_at(self.stream_made)
        )
        self._put(audio, self.codec_output.end_samples - len(audio))

    # -- changing its mind ------------------------------------------------------------------------------

    def restart(self, settings: LaneSettings, placement: StreamPlacement, generation: int) -> None:
        """From the first frame again, at another place or otherwise; nothing of it was heard yet."""
        self.settings, self.placement = settings, placement
        self.fader.moved()
        self.begin()
        self.announce(placement.start_samples, generation)

    def retake(
        self, host: int, cut_samples: int, settings: LaneSettings, placement: StreamPlacement, generation: int
    ) -> None:
        """Make everything from `cut_samples` on anew for a host at `host`, with other settings, line or end.

        The cut lies on the first frame that begins there or later, or on the last one that is made. The beats that
        are heard up to there are led to those of `placement` without a jump.
        """
        self._cut_from(max(0, self.placement.frame_at(cut_samples)) * self._frame, settings, placement)
        self._go_on(host, generation)

    def retake_at(
        self, host: int, stream_sample: int, settings: LaneSettings, placement: StreamPlacement, generation: int
    ) -> None:
        """Make everything from `stream_sample` on anew, to the sample: up to it what was made sounds.

        The cut is in the frame that holds it, and what the new frames have before it is thrown away.
        """
        frame = self._known(self.codec_output.frame_at(self._coded(stream_sample)))
        hold = self._coded(stream_sample) - self.codec_output.out_of(frame)
        self._cut(frame, settings, self._reached(placement, self._stream_of(frame)), hold, placed=True)
        self._from(max(stream_sample, self.stream_written))
        self._go_on(host, generation)

    def move(
        self,
        host: int,
        stream_samples: int,
        to_samples: int,
        settings: LaneSettings,
        placement: StreamPlacement,
        generation: int,
    ) -> None:
        """After a jump, or far behind the host: `stream_samples` comes to lie on `to_samples`.

        What follows is made anew, from the frame that holds that sample; `placement` is that of the present pass,
        its zero is set here.
        """
        frame = self._known(self.codec_output.frame_at(self._coded(max(stream_samples, 0))))
        self.fader.moved()
        unheard = min(placement.unheard_samples, stream_samples)  # it is heard from there on, its beginning too
        self._cut(
            frame, settings, replace(placement, zero_samples=to_samples - stream_samples, unheard_samples=unheard)
        )
        self._go_on(host, generation)

    def take_back(self, host: int, stream_sample: int, dice: Callable[[int], int], generation: int) -> None:
        """Make everything from `stream_sample` on anew with other dice: a seed for the frame where it begins."""
        self.stream.reseed(dice(self._cut_from(self._coded(stream_sample), self.settings, self.placement)))
        self._go_on(host, generation)

    def shift(self, host: int, from_stream_sample: int, placement: StreamPlacement, generation: int) -> None:
        """What is made sounds elsewhere from `from_stream_sample` on: not made anew, only written once more.

        `placement` has another zero (the start moves), or `loop` was set to other bounds before.
        """
        fed = self._finish.stream_fed
        begin = min(max(from_stream_sample, self.recent_audio.stream_begin), fed)
        self.beat_map.move(placement.zero_samples - self.placement.zero_samples)
        self.placement = placement
        self._from(begin)
        self._feed(self.recent_audio.between(begin, fed), begin)
        self._go_on(host, generation)
        self.write()

    def steer(self, placement: StreamPlacement) -> None:
        """What is still to be made lies on `placement`, led there from what is made; nothing is taken back."""
        stream_sample = self.stream_free
        self.placement = placement = self._reached(placement, stream_sample)
        same_pass = replace(placement, zero_samples=self.writing.zero_samples, timeline=self.writing.timeline)
        self.writing = same_pass
        self.beat_map.lay(stream_sample, same_pass)
        conditioning.retime(self)
        self.set_total()

    def _reached(self, placement: StreamPlacement, stream_sample: int) -> StreamPlacement:
        """A place whose line is come to from the beat that was laid at a stream sample."""
        if stream_sample <= self.placement.unheard_samples and not self.prompt_frames:
            return placement
        beats = self.beat_map.beats_at(stream_sample)
        entry = self.beat_map.at(stream_sample)
        position = round(entry.position(stream_sample))
        return replace(placement, curve=placement.curve.reached(position, beats))

    @property
    def stream_free(self) -> int:
        """First stream sample whose frame no step has begun to draw."""
        return self._stream_of(self.stream.free_frame - self.prompt_frames)

    @property
    def _frame(self) -> int:
        return self.model.codec.frame_samples

    def _stream_of(self, frame: int) -> int:
        """First stream sample of an own frame, as it is heard."""
        return -(-self.codec_output.out_of(frame) * self.resampler.new // self.resampler.orig)

    def _coded(self, stream_sample: int) -> int:
        """A stream sample at the codec's rate."""
        return stream_sample * self.resampler.orig // self.resampler.new

    def _known(self, frame: int) -> int:
        """An own frame, or the last one that is made where that is earlier."""
        return min(frame, self.codec_output.frame_at(self._coded(self.stream_made)))

    def set_total(self) -> None:
        """Tell the stream where the music ends."""
        frames = bending.enough(self.placement, self.codec_output.bend).frames_to_end()
        self.stream.with_total(None if frames is None else self.prompt_frames + max(1, frames))

    def take_turn(self, host: int, generation: int) -> None:
        """What is made and not written yet takes over from what the ring holds."""
        self._go_on(host, generation)
        self.write()

    def _cut_from(self, coded: int, settings: LaneSettings, placement: StreamPlacement) -> int:
        """Cut on the first own frame that begins at a sample of the codec's rate or later; that frame.

        On the last one that is made where that is earlier: all that was made of it sounds, a host may be waiting there.
        """
        frame, made = self._known(self.codec_output.frame_from(coded)), self.stream_made
        hold = self._coded(made) - self.codec_output.out_of(frame) if coded >= self._coded(made) else None
        self._cut(frame, settings, self._reached(placement, self._stream_of(frame)), hold)
        if hold is not None:
            self._from(max(made, self.stream_written))
        return frame

    def _cut(
        self,
        frame: int,
        settings: LaneSettings,
        placement: StreamPlacement,
        hold_samples: int | None = None,
        placed: bool = False,
    ) -> None:
        """Forget own frames from `frame` on, and go on elsewhere or otherwise.

        What was made is heard for `hold_samples` more, at the codec's rate. A change that is `placed` begins a window:
        it gives the same music whenever it was told.
        """
        same = settings.regenerating() == self.settings.regenerating()
        stays = conditioning.window_stays(self, settings, placement) and (same or not placed)
        if settings.dice != self.settings.dice:
            self.seed = settings.dice[1] if settings.dice[0] else self._first_seed
        self.settings, self.placement = settings, placement
        if frame <= 0:
            self.begin()
            return
        known = self.prompt_frames + frame
        self.codec_output = self.codec_output.again_from(frame, self.stream.codes(0, known), hold_samples)
        self.listening.back_to(self.codec_output)
        self.taken_frames = known
        self._from(self.codec_output.end_samples)
        self.beat_map.lay(self.codec_output.end_samples, placement)
        tuned = stream_settings(
            self.model, settings, bending.enough(placement, self.codec_output.bend), self.prompt_frames
        )
        self.in_window = stays and self.stream.again_from(known, tuned)
        if self.in_window:
            self.stream.with_total(tuned.total_frames)
            conditioning.retime(self)
        else:
            self.stream.rewind(known)
            self.stream.roll(settings=tuned)
        if not same:
            self.stream.reseed(self.seed + known)
        self.stream_settled = min(
            self.codec_output.end_samples, self.stream_settled if same else self.codec_output.end_samples
        )
        self._tune()
        self.version += 1

    def end_at(self, end_samples: int, generation: int) -> None:
        """End the music at a host position, with a short fade; what is made beyond it is taken back."""
        made, self.version = self.stream_made, self.version + 1
        self.placement = replace(self.placement, end_samples=max(end_samples, self.placement.zero_samples))
        self.set_total()
        self._end_early(made, end_samples, generation)

    def quiet_change(self, settings: LaneSettings) -> None:
        """Settings that need no new tokens; the fader is told by the scheduler."""
        self.settings = settings
        self._tune()

    def _tune(self) -> None:
        """What the settings say of the sound itself."""
        channels = self.model.codec.channels, self.ring.form.channels
        target = target_lufs(self.settings, self.region, self.gain, *channels)
        self.codec_output.with_loudness(target).with_level(1.0 / self.gain)
        if self.codec_output.bend is not None:
            self.codec_output.bend.active = bending.wanted(self.settings)
