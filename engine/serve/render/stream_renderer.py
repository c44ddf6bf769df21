"""One lane's stream while it plays: tokens to audio to the ring, at the host's positions.

    host position   now ........ margin ..... written               lead
                     |-- plays --|-- may be taken back --|-- to be made --|

An audible change (prompt, references, parameters, tempo) takes the stream back to a frame that the host has not
reached and continues from the tokens before it: the ring's music up to there still plays. When only the host's tempo
changes, the model continues in its window, from the old beats to the new; a small change affects only music still to
be made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from bridge.ring.writer import RingWriter
from engine.audio.resample import StreamResampler
from engine.beat.bend import Bend
from engine.model import LoadedModel
from engine.serve.journal.recorder import journal_of, recorded
from engine.serve.lane_settings import LaneSettings, ReferenceAudio
from engine.serve.render import bending
from engine.serve.render.codec_output import CodecOutput
from engine.serve.render.conditioning import Conditioning, follows_grid, prompt_curve
from engine.serve.render.guard_input import GuardInput
from engine.serve.render.loudness_target import target_lufs
from engine.serve.render.ring_output import RingOutput
from engine.serve.render.stream_settings import HandoverPrompt, Prompt, make_prompt, stream_settings
from engine.serve.timeline.placement import FIRST, StreamPlacement
from engine.serve.timeline.samples import CodecSample, HostSample, StreamSample
from engine.stream import StreamSettings, TokenStream


def _state(renderer: StreamRenderer) -> dict[str, Any]:
    """What recorded operations depend on besides earlier ones."""
    output, stream = renderer.output, renderer.stream
    sound = {"behind": output.catch_up.stream_behind or None, "gain": output.fader.set_to[0]}
    sound["held"] = output.held.samples or None
    return sound | {"free": stream.free_frame, "finished": stream.finished or None}


operation = recorded("renderer", lambda renderer: renderer.output.ring, _state)


class StreamRenderer:
    """Makes one stream: tokens, audio, and through `output` a lane's ring; all methods [generate]."""

    token_stream = TokenStream

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
        """Begin after the end of `region`, or with `taken_over` within another model's music."""
        self.model, self.settings, self.seed, self._first_seed, self.region = model, settings, seed, seed, region
        self.output = RingOutput(ring, placement, settings.gain)
        self.conditioning = Conditioning(self)
        self.prompt: Prompt | None = None
        self.prompt_frames = 0
        self.version = 0  # counts rewinds and regenerations
        self.in_window = False  # the last regeneration went on in the open window, without a prefill
        self.resampler = StreamResampler(model.codec.sample_rate, ring.form.sample_rate_hz)
        if taken_over is None:
            self._begin(placement)
        else:
            self.prompt_frames, self.gain = taken_over.prompt_frames, taken_over.prompt.gain
            first = taken_over.prompt_frames + taken_over.frame - taken_over.prompt.codes.shape[1]
            self._start(placement, taken_over.prompt, taken_over.frame, first)
        _note_begin(self, placement, taken_over)

    def _begin(self, placement: StreamPlacement) -> None:
        """(Re)start from the first frame: same seed and inputs, same music."""
        if self.prompt is None and self.region is not None:
            self.prompt = make_prompt(self.model, self.region)
        self.prompt_frames = 0 if self.prompt is None else self.prompt.codes.shape[1]
        self.conditioning.begin(self.settings)
        self.gain = 1.0 if self.prompt is None else self.prompt.gain
        self._start(placement, self.prompt, 0, 0)

    def _start(self, placement: StreamPlacement, before: Prompt | None, frame: int, first_frame: int) -> None:
        """Start stream and codec output at a frame; `before` is the music right before it."""
        codes, audio = (None, None) if before is None else (before.codes, before.audio)
        own_curve = prompt_curve(placement, self.region) if before is not None and not frame else None
        self.output.begin(placement, own_curve)
        bend = bending.bend_for(self.model, self.output, self.settings, frame, audio)
        self._reserved = False  # spare frames for bent audio
        model, tuned = self.model, self._tuned(self.settings, placement, bend)
        self.stream = self.token_stream.begin(model.executor, self.conditioning, codes, tuned, self.seed, first_frame)
        device, channels, level = model.lm.out_norm.weight.device, self.output.ring.form.channels, 1.0 / self.gain
        self.codec_output = CodecOutput(
            model.codec, self.resampler, channels, audio, codes, frame, level, device, bend=bend
        )
        self.codec_output.go_on_from(None if before is None else before.ahead)
        self.output.go_on_at(self.codec_output.end_samples)
        self.taken_frames, self.stream_settled = self.prompt_frames + frame, self.codec_output.end_samples
        self.guard_input = GuardInput(self.codec_output, codes, placement.curve.tempo_at(placement.zero_samples))
        self._tune()
        self.version += 1

    def _tuned(self, settings: LaneSettings, placement: StreamPlacement, bend: Bend | None) -> StreamSettings:
        """The stream's sampling and end, by settings and placement."""
        return stream_settings(self.model, settings, bending.enough(placement, bend), self.prompt_frames)

    # -- state and new frames -------------------------------------------------------------------------

    @property
    def placement(self) -> StreamPlacement:
        """The placement in the host's present pass of the timeline."""
        return self.output.placement

    def wants(self, position_samples: HostSample, lead_seconds: float) -> bool:
        """Whether more music is needed for a host at `position_samples`: never more than the lead."""
        return not self.stream.finished and self.output.wants(position_samples, lead_seconds)

    @operation
    def keep(self, codes: Tensor) -> None:
        """Decode and resample new frames [K, n] of the stream; `output.write` comes later."""
        before, self.taken_frames = self.codec_output.audio_end, self.taken_frames + codes.shape[1]
        audio = self.codec_output.push(codes, last=self.stream.finished)
        if not self._reserved and bending.engaged(self.codec_output.bend):
            self._reserved = True
            self._set_total()
        tempo = self.output.beat_map.tempo_at(self.output.stream_made)
        self.guard_input.add(self.codec_output, codes, self.codec_output.audio_end - before, tempo)
        self.output.put(audio, StreamSample(self.codec_output.end_samples - len(audio)))

    def adopt_candidate(self, stream: TokenStream) -> None:
        """Continue with a fork of the stream."""
        self.stream = stream

    def window_stays(self, settings: LaneSettings, placement: StreamPlacement) -> bool:
        """Whether the open window can continue with other settings and another placement."""
        same, known = settings.regenerating() == self.settings.regenerating(), self.settings.conditioned()
        moves = follows_grid(self.model) or (not same and placement.curve == self.placement.curve)
        return moves and settings.conditioned() == known

    # -- regeneration -----------------------------------------------------------------------------------

    @operation
    def restart(
        self, settings: LaneSettings, placement: StreamPlacement, plan_revision: int, host: HostSample | None = None
    ) -> None:
        """Restart from the first frame, with other settings or another placement; nothing was heard yet.

        For a host at `host`; the music then may begin a loop pass later.
        """
        self.settings = settings
        self.output.fader.moved()
        self._begin(placement)
        self.output.announce(placement.start_samples, plan_revision, host=host)

    @operation
    def redraw(self, settings: LaneSettings) -> bool:
        """Draw frames that no step has begun with other settings, without rewind or prefill.

        Returns False, and changes nothing, if the settings need more than that.
        """
        tuned = self._tuned(settings, self.placement, self.codec_output.bend)
        stays = self.window_stays(settings, self.placement) and settings.reseeds == self.settings.reseeds
        if self.stream.finished or not stays or not tuned.guidance.same_rows(self.stream.settings.guidance):
            return False
        self.stream.draw_by(tuned)
        self.conditioning.weights.follow(settings, self.stream.free_frame)
        self.quiet_change(settings)
        self.stream_settled = self.stream_free
        self.version += 1
        return True

    @operation
    def retake(
        self,
        host: HostSample,
        cut_samples: HostSample,
        settings: LaneSettings,
        placement: StreamPlacement,
        plan_revision: int,
    ) -> None:
        """Regenerate everything from `cut_samples` on for a host at `host`, with other settings, tempo curve or end.

        The cut lies on the first frame that begins there or later, or on the last one made. The beats up to there are
        led to those of `placement` without a jump.
        """
        self._cut_from(
            self.codec_output.rates.start_of(max(0, self.placement.frame_at(cut_samples))), settings, placement
        )
        self.output.announce_here(host, plan_revision)

    @operation
    def retake_at(
        self,
        host: HostSample,
        stream_sample: StreamSample,
        settings: LaneSettings,
        placement: StreamPlacement,
        plan_revision: int,
    ) -> None:
        """Regenerate everything from exactly `stream_sample` on; the old music sounds up to it.

        The cut is in the frame that holds it; the new frames' samples before it are discarded.
        """
        frame = self._known(self.codec_output.frame_of(stream_sample))
        hold = self.codec_output.rates.codec_of(stream_sample) - self.codec_output.out_of(frame)
        self._cut(frame, settings, self._reached(placement, self.codec_output.stream_of(frame)), hold, placed=True)
        self.output.go_on_at(max(stream_sample, self.output.stream_written))
        self.output.announce_here(host, plan_revision)

    @operation
    def move(
        self,
        host: HostSample,
        stream_samples: StreamSample,
        to_samples: HostSample,
        settings: LaneSettings,
        placement: StreamPlacement,
        plan_revision: int,
    ) -> None:
        """After a jump, or when late: move `stream_samples` to `to_samples`.

        Music is regenerated from the frame that holds that sample; `placement` is that of the present pass, its zero
        is set here.
        """
        frame = self._known(self.codec_output.frame_of(max(stream_samples, FIRST)))
        self.output.fader.moved()
        unheard = min(placement.unheard_samples, stream_samples)  # heard from there on, its beginning too
        zero = HostSample(to_samples - stream_samples)
        self._cut(frame, settings, replace(placement, zero_samples=zero, unheard_samples=unheard))
        self.output.announce_here(host, plan_revision)

    @operation
    def make_again(
        self,
        host: HostSample,
        stream_sample: StreamSample,
        seed_of: Callable[[int], int],
        context_frames: int | None,
        plan_revision: int,
    ) -> None:
        """Regenerate everything from `stream_sample` on with another seed: `seed_of` the frame where it begins.

        The model is conditioned on `context_frames` of the music before it; None: on all it keeps.
        """
        frame = self._cut_from(self.codec_output.rates.codec_of(stream_sample), self.settings, self.placement)
        self.stream.reseed(seed_of(frame))
        self.output.announce_here(host, plan_revision)
        if context_frames is not None:
            self.stream.rewind(self.stream.n_frames, context_frames)

    @operation
    def steer(self, placement: StreamPlacement) -> None:
        """Align music still to be made to `placement`, led there from made music; nothing is taken back."""
        stream_sample = self.stream_free
        self.output.steer(stream_sample, self._reached(placement, stream_sample))
        self.conditioning.retime()
        self._set_total()

    def _reached(self, placement: StreamPlacement, stream_sample: StreamSample) -> StreamPlacement:
        """`placement` with a tempo curve led there from the beat of a stream sample."""
        if stream_sample <= self.placement.unheard_samples and not self.prompt_frames:
            return placement
        return self.output.beat_map.led_to(placement, stream_sample)

    @property
    def stream_free(self) -> StreamSample:
        """First stream sample whose frame no step has begun to draw."""
        return self.codec_output.stream_of(self.stream.free_frame - self.prompt_frames)

    def _known(self, frame: int) -> int:
        """A frame, or the last one made if that is earlier."""
        return min(frame, self.codec_output.frame_of(self.output.stream_made))

    def _set_total(self) -> None:
        """Set the stream's length in frames."""
        self.stream.with_total(self._tuned(self.settings, self.placement, self.codec_output.bend).total_frames)

    def _cut_from(self, coded: CodecSample, settings: LaneSettings, placement: StreamPlacement) -> int:
        """Cut on the first frame that begins at a codec sample or later; returns that frame.

        If the last one made is earlier, cut on it: all of its audio sounds, as a host may be waiting there.
        """
        frame, made = self._known(self.codec_output.frame_from(coded)), self.output.stream_made
        end = self.codec_output.rates.codec_of(made)
        hold = end - self.codec_output.out_of(frame) if coded >= end else None
        self._cut(frame, settings, self._reached(placement, self.codec_output.stream_of(frame)), hold)
        if hold is not None:
            self.output.go_on_at(max(made, self.output.stream_written))
        return frame

    def _cut(
        self,
        frame: int,
        settings: LaneSettings,
        placement: StreamPlacement,
        hold_samples: int | None = None,
        placed: bool = False,
    ) -> None:
        """Drop frames from `frame` on, and continue with other settings or another placement.

        The old music is heard for `hold_samples` more, at the codec's rate. A change that is `placed` begins a window,
        so that it gives the same music whenever it was sent.
        """
        same = settings.regenerating() == self.settings.regenerating()
        stays = self.window_stays(settings, placement) and (same or not placed)
        if settings.reseeds != self.settings.reseeds:
            self.seed = settings.reseeds[1] if settings.reseeds[0] else self._first_seed
        self.settings = settings
        if frame <= 0:
            self._begin(placement)
            return
        known = self.prompt_frames + frame
        self.conditioning.weights.follow(settings, known)
        self.codec_output = self.codec_output.again_from(frame, self.stream.codes(0, known), hold_samples)
        self.guard_input.back_to(self.codec_output)
        self.taken_frames = known
        self.output.cut(self.codec_output.end_samples, placement)
        tuned = self._tuned(settings, placement, self.codec_output.bend)
        self.in_window = stays and self.stream.again_from(known, tuned)
        if self.in_window:
            self.stream.with_total(tuned.total_frames)
            self.conditioning.retime()
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

    @operation
    def end_at(self, end_samples: HostSample, plan_revision: int) -> None:
        """End the music at a host position, with a short fade; made music beyond it is dropped."""
        self.version += 1
        self.output.end_at(end_samples, plan_revision)
        self._set_total()

    @operation
    def quiet_change(self, settings: LaneSettings) -> None:
        """Change settings that need no new tokens; the scheduler sets the fader."""
        self.settings = settings
        self._tune()

    def _tune(self) -> None:
        """Apply the settings of the audio itself: loudness, level, bend."""
        channels = self.model.codec.channels, self.output.ring.form.channels
        target = target_lufs(self.settings, self.region, self.gain, *channels)
        self.codec_output.with_loudness(target).with_level(1.0 / self.gain)
        if self.codec_output.bend is not None:
            self.codec_output.bend.switch(bending.wanted(self.settings))


def _note_begin(renderer: StreamRenderer, placement: StreamPlacement, taken_over: HandoverPrompt | None) -> None:
    """Record a stream's beginning; another model's music in between ends the journal."""
    journal, model = journal_of(renderer.output.ring), renderer.model
    if journal is not None and taken_over is not None:
        journal.end("another model goes on with the music")
    elif journal is not None:
        about = {"model": model.name, "codec": model.codec_runtime, "threads": torch.get_num_threads()}
        about["precision"] = model.executor.precision
        inputs = {"settings": renderer.settings, "seed": renderer.seed, "region": renderer.region}
        journal.note("begin", placement=placement, **inputs, **about)
