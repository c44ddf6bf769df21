"""One lane's stream while it plays: tokens to audio to the ring, at the host's positions.

    host position   now ........ margin ..... written               lead
                     |-- plays --|-- may be taken back --|-- to be made --|

A change that is to be heard (prompt, references, parameters, tempo) takes the stream back to a frame that the
host has not reached, and goes on from the tokens played before it: what is already in the ring up to there
still sounds. Where the host's tempo alone moves, the model goes on in its window, from the beats that are heard to
those that are wanted; a little of it is taken up by what is still to be made, and nothing is taken back.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from bridge import units
from bridge.ring import RingWriter
from engine.lm import Conditions
from engine.model import TEMPO, Ask, FollowsGrid, HeardExcerpt, LoadedModel
from engine.serve.chain import SoundChain
from engine.serve.outlet import FADE_SECONDS, Outlet
from engine.serve.place import Place, ask_at
from engine.serve.score import Score
from engine.serve.settings import HeardRegion, LaneSettings
from engine.serve.tuning import Prompt, TakenOver, make_prompt, stream_settings
from engine.stream import TokenStream
from engine.stream.resample import StreamResampler


class Player(Outlet):
    """Makes one stream and writes it to a lane's ring; all methods [generate]."""

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
        super().__init__(ring, place, settings.gain)
        self._first_seed = seed
        self.model, self.settings, self.seed, self.region = model, settings, seed, region
        self.prompt: Prompt | None = None
        self.prompt_frames = 0
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
        self.score = Score(self.place)
        self._from(self.chain.end_samples)
        self.version += 1

    # -- what it is and wants -------------------------------------------------------------------------

    def wants(self, position_samples: int, lead_seconds: float) -> bool:
        """Whether more is to be made for a host at `position_samples`: never more than the lead."""
        heard = max(position_samples - self.place.zero_samples, self.place.unheard_samples)
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
        self._put(audio, self.chain.end_samples - len(audio))

    # -- changing its mind ------------------------------------------------------------------------------

    def restart(self, settings: LaneSettings, place: Place, generation: int) -> None:
        """From the first frame again, at another place or otherwise; nothing of it was heard yet."""
        self.settings, self.place = settings, place
        self.begin()
        self.announce(place.start_samples, generation)

    def retake(self, host: int, cut_samples: int, settings: LaneSettings, place: Place, generation: int) -> None:
        """Make everything from `cut_samples` on anew for a host at `host`, with other settings, line or end.

        The cut lies on the first frame that begins there or later, or on the last one that is made. The beats that
        are heard up to there are led to those of `place` without a jump.
        """
        frame = self._known(max(0, self.place.frame_at(cut_samples)))
        self._cut(frame, settings, self._reached(place, self._own_of(frame)))
        self._go_on(host, generation)

    def retake_at(self, host: int, own: int, settings: LaneSettings, place: Place, generation: int) -> None:
        """Make everything from own sample `own` on anew, to the sample: up to it what was made sounds.

        The cut is in the frame that holds it, and what the new frames have before it is thrown away.
        """
        frame = self._known(own * self.resampler.orig // self.resampler.new // self._frame)
        hold = own * self.resampler.orig // self.resampler.new - frame * self._frame
        self._cut(frame, settings, self._reached(place, self._own_of(frame)), hold)
        self._from(max(own, self.written_own))
        self._go_on(host, generation)

    def move(
        self, host: int, own_samples: int, to_samples: int, settings: LaneSettings, place: Place, generation: int
    ) -> None:
        """After a jump, or far behind the host: own sample `own_samples` comes to lie on `to_samples`.

        What follows is made anew, from the frame that holds that sample; `place` is that of the present pass,
        its zero is set here.
        """
        seconds = units.samples_to_seconds(max(own_samples, 0), self.ring.form.sample_rate_hz)
        frame = self._known(int(units.seconds_to_frames(seconds)))
        self._cut(frame, settings, replace(place, zero_samples=to_samples - own_samples))
        self._go_on(host, generation)

    def shift(self, host: int, from_own: int, place: Place, generation: int) -> None:
        """What is made sounds elsewhere from own sample `from_own` on: not made anew, only written once more.

        `place` has another zero (the start moves), or `loop` was set to other bounds before.
        """
        frame = max(self.chain.first_kept_frame, from_own * self.resampler.orig // self.resampler.new // self._frame)
        begin, made = self._own_of(frame), self.made_own
        self.score.move(place.zero_samples - self.place.zero_samples)
        self.place = place
        self._from(min(begin, made))
        if made > begin:
            self._put(self.chain.replay(frame, made - begin), begin)
        skipped = min(max(0, from_own - self.written_own), len(self._pending))
        self._pending, self.written_own = self._pending[skipped:], self.written_own + skipped
        self._go_on(host, generation)
        self.write()

    def steer(self, place: Place) -> None:
        """What is still to be made lies on `place`, led there from the beats that are made; nothing is taken back."""
        own = self.free_own
        self.place = place = self._reached(place, own)
        same_pass = replace(place, zero_samples=self.writing.zero_samples, timeline=self.writing.timeline)
        self.writing = same_pass
        self.score.lay(own, same_pass)
        self._retime()
        frames = place.frames_to_end()
        self.stream.with_total(None if frames is None else self.prompt_frames + max(1, frames))

    def _reached(self, place: Place, own: int) -> Place:
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
    def first_kept_own(self) -> int:
        """First own sample whose sound is kept."""
        return self._own_of(self.chain.first_kept_frame)

    @property
    def _frame(self) -> int:
        return self.model.codec.frame_samples

    def _own_of(self, frame: int) -> int:
        """First own sample of an own frame."""
        return -(-frame * self._frame * self.resampler.new // self.resampler.orig)

    def _known(self, frame: int) -> int:
        """An own frame, or the last one that is made where that is earlier."""
        return min(frame, self.chain.audio_end // self._frame)

    def take_turn(self, host: int, generation: int) -> None:
        """What is made and not written yet takes over from what the ring holds."""
        self._go_on(host, generation)
        self.write()

    def _cut(self, frame: int, settings: LaneSettings, place: Place, hold_samples: int | None = None) -> None:
        """Forget own frames from `frame` on, and go on elsewhere or otherwise.

        What was made is heard for `hold_samples` more, at the codec's rate.
        """
        same = settings.heard() == self.settings.heard()
        if settings.dice != self.settings.dice:
            self.seed = settings.dice[1] if settings.dice[0] else self._first_seed
        self.settings, self.place = settings, place
        if frame <= 0:
            self.begin()
            return
        known = self.prompt_frames + frame
        self.chain = self.chain.again_from(frame, self.stream.codes(0, known), hold_samples)
        self._from(self.chain.end_samples)
        self.score.lay(self.chain.end_samples, place)
        tuned = stream_settings(self.model, settings, place, self.prompt_frames)
        if same and self._hears_grid and self.stream.again_from(known):
            self.stream.with_total(tuned.total_frames)
            self._retime()
        else:
            self.stream.rewind(known)
            self.stream.roll(settings=tuned)
            if not same:  # a change at a place gives the same music whenever it was told
                self.stream.reseed(self.seed + known)
        self.chain.with_level(self._level())
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
        own = self._own_of(frame)
        self.announce(self.place.zero_samples + own, generation)
        audio = self._loud(self.chain.replay(frame, max(0, self.end_own - own)), own)
        self.ring.write(self.place.zero_samples + own, audio.numpy(), generation, self.place.timeline)
        self._pending, self.written_own = self._pending[:0], max(self.written_own, self.end_own)

    def quiet_change(self, settings: LaneSettings) -> None:
        """Settings that need no new tokens; the fader is told by the agenda."""
        self.settings = settings
        self.chain.with_level(self._level())

    # -- for the stream -----------------------------------------------------------------------------------

    @property
    def _hears_grid(self) -> bool:
        return TEMPO in self.model.takes and isinstance(self.model.conditioner, FollowsGrid)

    def _ask(self, offset_frames: int, window_frames: int) -> Ask:
        """What is asked for in the window at a stream frame, on the beats that its frames were laid on."""
        grid = self.score.model_grid(self.prompt_frames, offset_frames, window_frames, self.loop)
        takes = self.model.takes
        return ask_at(self.settings, self.writing, self.prompt_frames, offset_frames, takes, self.seed, grid)

    def _conditions(self, offset_frames: int, window_frames: int) -> tuple[Conditions, ...]:
        """What the stream's next window hears."""
        self.windows += 1
        model, ask = self.model, self._ask(offset_frames, window_frames)
        self.excerpt = model.conditioner.excerpts([ask], offset_frames)[0] if ask.style is not None else None
        with torch.no_grad():
            return model.conditioner([ask], self.stream.settings.guidance, offset_frames, window_frames)[0]

    def _retime(self) -> None:
        """The frames that the open window has not drawn yet hear the score as it is now."""
        conditioner = self.model.conditioner
        if self._hears_grid and isinstance(conditioner, FollowsGrid):
            follows, size = conditioner, self.model.window_frames

            def renew(conditions: tuple[Conditions, ...], offset_frames: int, first_row: int) -> None:
                follows.retime(conditions, self._ask(offset_frames, size), offset_frames, first_row)

            self.stream.retime(renew)

    def _level(self) -> float:
        return 1.0 / self.gain
