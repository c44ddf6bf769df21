"""One lane's stream while it plays: tokens to audio to the ring, at the host's positions.

    host position   now ........ margin ..... written_end           lead
                     |-- plays --|-- may be taken back --|-- to be made --|

A change that is to be heard (prompt, references, parameters, tempo) takes the stream back to a frame that the host
has not reached, and goes on from the tokens played before it: what is already in the ring up to there still sounds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bridge import units
from bridge.ring import ENDLESS_SAMPLES, Plan, RingWriter
from engine.guidance import Guidance
from engine.lm import Conditions
from engine.model import LoadedModel
from engine.sampling import Sampling
from engine.serve.chain import SoundChain
from engine.serve.place import Place, ask_at
from engine.serve.settings import LaneSettings
from engine.stream import StreamSettings, TokenStream, WindowSize
from engine.stream.resample import StreamResampler

FADE_SECONDS = 0.01  # at the end of the music


@dataclass(frozen=True)
class Prompt:
    """The music right before a stream: codes [K, P] and audio [C, n] at the model's rate that end where it begins."""

    codes: Tensor
    audio: Tensor


class Player:
    """Makes one stream and writes it to a lane's ring; all methods [generate]."""

    def __init__(
        self,
        model: LoadedModel,
        ring: RingWriter,
        settings: LaneSettings,
        place: Place,
        seed: int,
        prompt: Prompt | None = None,
    ) -> None:
        self.model, self.ring, self.settings, self.place, self.seed = model, ring, settings, place, seed
        self.prompt = prompt
        self.prompt_frames = 0 if prompt is None else prompt.codes.shape[1]
        self.rolls = 0
        self.resampler = StreamResampler(model.codec.sample_rate, ring.form.sample_rate_hz)
        self.begin()

    def begin(self) -> None:
        """(Re)start from the first frame: same seed and inputs, same music."""
        codes = None if self.prompt is None else self.prompt.codes
        self.stream = TokenStream.begin(self.model.lm, self._conditions, codes, self._stream_settings(), self.seed)
        audio = None if self.prompt is None else self.prompt.audio
        self.chain = SoundChain(
            self.model.codec,
            self.resampler,
            self.ring.form.channels,
            audio,
            codes,
            level=self._level(),
            device=self.model.lm.out_norm.weight.device,
        )
        self._pending = torch.zeros(0, self.ring.form.channels)
        self._windows = 0

    # -- what it is and wants -------------------------------------------------------------------------

    @property
    def made_end_samples(self) -> int:
        """Host position right behind the last sample that is made, in the ring or about to be."""
        return min(self.place.zero_samples + self.chain.end_samples, self.place.end_samples)

    @property
    def written_end_samples(self) -> int:
        """Host position right behind the last sample that is in the ring."""
        return self.made_end_samples - len(self._pending)

    @property
    def finished(self) -> bool:
        """True when the music has an end and all of it is in the ring."""
        return self.written_end_samples >= self.place.end_samples

    def wants(self, position_samples: int, lead_seconds: float) -> bool:
        """Whether more is to be made for a host at `position_samples`: never more than the lead."""
        rate = self.ring.form.sample_rate_hz
        due = max(position_samples, self.place.zero_samples) + int(lead_seconds * rate)
        more = self.made_end_samples < min(due, self.place.end_samples)
        return more and not self._pending.numel() and not self.stream.finished

    # -- making -----------------------------------------------------------------------------------------

    def take(self, codes: Tensor) -> None:
        """New frames [K, n] of the stream: decode, resample, write."""
        audio = self.chain.push(codes, last=self.stream.finished)
        begin = self.place.zero_samples + self.chain.end_samples - audio.shape[0]
        keep = max(0, min(audio.shape[0], self.place.end_samples - begin))
        audio = self._faded(audio[:keep], begin)
        self._pending = torch.cat([self._pending, audio])
        self.write()

    def _faded(self, audio: Tensor, begin_samples: int) -> Tensor:
        """A short fade right before the end of the music."""
        if self.place.end_samples == ENDLESS_SAMPLES or not len(audio):
            return audio
        fade = max(1, int(FADE_SECONDS * self.ring.form.sample_rate_hz))
        left = self.place.end_samples - begin_samples - torch.arange(len(audio))
        return audio * (left.clamp(max=fade) / fade)[:, None]

    def write(self) -> int:
        """Put what waits into the ring as far as there is room; returns how many samples."""
        if not len(self._pending):
            return 0
        begin = self.written_end_samples
        taken = self.ring.write(begin, self._pending.numpy(), self.ring.plan.generation, self.place.timeline)
        self._pending = self._pending[taken:]
        return taken

    def announce(self, from_samples: int, generation: int) -> None:
        """Tell the host the plan: older blocks count up to `from_samples`."""
        self.ring.set_plan(
            Plan(
                generation=generation,
                sounding=True,
                from_samples=from_samples,
                start_samples=self.place.zero_samples,
                end_samples=self.place.end_samples,
                timeline=self.place.timeline,
            )
        )

    # -- changing its mind ------------------------------------------------------------------------------

    def restart(self, settings: LaneSettings, place: Place, generation: int) -> None:
        """From the first frame again, at another place or otherwise; nothing of it was heard yet."""
        self.settings, self.place = settings, place
        self.begin()
        self.announce(place.zero_samples, generation)

    def retake(self, position_samples: int, settings: LaneSettings, place: Place, generation: int) -> int:
        """Make everything from `position_samples` on anew, with other settings, grid or end.

        The cut lies on the first frame that begins there or later and is known; returns its host position.
        """
        made = self.chain.audio_end // self.model.codec.frame_samples
        frame = max(0, min(self.place.frame_at(position_samples), made))
        self._cut(frame, settings, place)
        at = self.place.zero_samples + self.chain.end_samples
        self.announce(at, generation)
        return at

    def move(self, heard_samples: int, to_samples: int, place: Place, generation: int) -> None:
        """After a jump of the host: go on at `to_samples` of `place` with what follows `heard_samples`.

        The place is that of the new stretch of the timeline; its zero is set here.
        """
        made = self.chain.audio_end // self.model.codec.frame_samples
        frame = max(0, min(self.place.frame_at(heard_samples), made))
        own = -(-frame * self.model.codec.frame_samples * self.resampler.new // self.resampler.orig)
        self._cut(frame, self.settings, replace(place, zero_samples=to_samples - own))
        self.announce(to_samples, generation)

    def end_at(self, end_samples: int, generation: int) -> None:
        """End the music at a host position; what is made beyond it is taken back, with a short fade before it."""
        made = self.made_end_samples
        self.place = replace(self.place, end_samples=max(end_samples, self.place.zero_samples))
        frames = self.place.frames_to_end() or 0
        self.stream.with_total(self.prompt_frames + max(1, frames))
        if end_samples >= made:
            self.announce(made, generation)
            return
        seconds = FADE_SECONDS + units.SAMPLES_PER_FRAME / units.CODEC_RATE_HZ
        begin = end_samples - int(seconds * self.ring.form.sample_rate_hz)
        frame = max(0, self.place.frame_at(begin))
        own = -(-frame * self.model.codec.frame_samples * self.resampler.new // self.resampler.orig)
        position = self.place.zero_samples + own
        self.announce(position, generation)
        audio = self.chain.replay(frame, max(0, self.place.end_samples - position))
        self.ring.write(position, self._faded(audio, position).numpy(), generation, self.place.timeline)
        self._pending = self._pending[:0]

    def _cut(self, frame: int, settings: LaneSettings, place: Place) -> None:
        """Forget own frames from `frame` on and go on from there, elsewhere or otherwise."""
        self.settings, self.place = settings, place
        known = self.prompt_frames + frame
        if frame == 0:
            self.begin()
        else:
            self.chain = self.chain.again_from(frame, self.stream.codes(0, known))
            self.stream.rewind(known)
            self.stream.roll(settings=self._stream_settings())
        self._pending = self._pending[:0]
        self.chain.with_level(self._level())
        self.rolls += 1

    def quiet_change(self, settings: LaneSettings) -> None:
        """Settings that need no new tokens: the level."""
        self.settings = settings
        self.chain.with_level(self._level())

    # -- for the stream -----------------------------------------------------------------------------------

    def _conditions(self, offset_frames: int, window_frames: int) -> tuple[Conditions, ...]:
        """What the stream's next window hears."""
        self._windows += 1
        model = self.model
        ask = ask_at(self.settings, self.place, self.prompt_frames, offset_frames, model.takes)
        with torch.no_grad():
            return model.conditioner([ask], self.stream.settings.guidance, offset_frames, window_frames)[0]

    def _stream_settings(self) -> StreamSettings:
        values, model = self.settings.values, self.model
        beta = values.get("cfg_beta", 0.0)
        frames = self.place.frames_to_end()
        return StreamSettings(
            Sampling(
                temperature=values.get("temperature", 1.0),
                top_k=min(int(values.get("top_k", 250)), model.lm.config.card),
                top_p=values.get("top_p", 0.0),
            ),
            Guidance(values.get("cfg", model.cfg_coef), beta if beta > 0 else None),
            WindowSize(model.window_frames, model.stride_frames),
            None if frames is None else self.prompt_frames + max(1, frames),
        )

    def _level(self) -> float:
        return float(10.0 ** (self.settings.values.get("level_db", 0.0) / 20.0))

    @property
    def window_rolls(self) -> int:
        """Times that the model's window moved on, of itself or for a change."""
        return max(0, self._windows - 1)


def lead_limit_seconds(ring: RingWriter) -> float:
    """The longest lead of a ring: half of it, so that music made anew fits beside what it replaces.  [any]"""
    capacity = units.samples_to_seconds(ring.form.capacity_samples, ring.form.sample_rate_hz)
    return float(capacity) / 2 - 1.0

