"""From a stream's codes to samples at the host's rate: codec, loudness, level, resampler, channels.

Output sample 0 lies on the first sample of frame 0, whatever the rates; frames are counted from the end of the
prompt, which has negative frames and serves as context only.

    codes --decode_step--> 32 kHz --seam--> (bend) --> history --slow gain, level--> resample --> channels --> [n, C]

When audio is bent onto the beat, frames count audio before bending, everything else counts output.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.audio.extrapolate import carry_on
from engine.audio.resample import ResampleState, StreamResampler
from engine.beat.bend import Bend
from engine.codec.base import Codec
from engine.listen.level_tracker import LevelTracker
from engine.serve.render.piece_decoder import PieceDecoder
from engine.serve.render.seam import GlidingLevel, Seam
from engine.serve.timeline.samples import CodecSample, SampleRates, StreamSample

HISTORY_FRAMES = 600  # how far back a stream can be resumed
CUT_SECONDS = 0.005  # the same, for a change heard exactly from a bar line on
CROSSFADE_SECONDS = 0.02  # from the old music to the new at a change


class CodecOutput:
    """One stream's codec and resampler state; `push` codes, get samples at the host's rate."""

    def __init__(
        self,
        codec: Codec,
        resampler: StreamResampler,
        channels: int,
        before_audio: Tensor | None = None,
        before_codes: Tensor | None = None,
        first_frame: int = 0,
        level: float = 1.0,
        device: torch.device | str = "cpu",
        leaving: Tensor | None = None,
        hold_samples: int | None = None,
        bend: Bend | None = None,
    ) -> None:
        """Begin at `first_frame`, continuing audio [C, n] at the codec's rate and its codes [K, P].

        Both end where the stream begins; without them it begins from silence. `leaving` [C, n] is the old music from
        there on; it fades out, quickly after `hold_samples` more if given. The codec runs on `device`. With `bend`,
        which begins there too, the audio is bent, and the audio before is output.  [generate]
        """
        self.codec, self._device = codec, device
        self.resampler, self._channels = resampler, channels
        self.rates = SampleRates(resampler.orig, resampler.new, codec.frame_samples)
        self.bend = bend
        self.audio_end = self.rates.start_of(first_frame)  # output so far
        if bend is not None:
            self.audio_end = CodecSample(bend.out_end)
        self.history = torch.zeros(codec.channels, 0)  # at the codec's rate, ends at `audio_end`
        made: Tensor | None = None
        if before_audio is not None and before_audio.shape[-1]:
            self.history = _tail(before_audio, HISTORY_FRAMES * codec.frame_samples)
            made = before_audio if bend is None else torch.from_numpy(bend.made)
        self.decoder = PieceDecoder(codec, device, made, before_codes)
        self._seam = Seam(codec.sample_rate, self.history, leaving, hold_samples)
        self._level = GlidingLevel(codec.sample_rate, level)
        self._level_tracker = LevelTracker(codec.sample_rate, None)
        self._loudness = self._level_tracker.init(codec.channels, self.audio_end)
        self._resample = self._begin_resampling()

    def _begin_resampling(self) -> ResampleState:
        reach = self.resampler.lookahead_samples
        tail = (
            _tail(self.history, reach)
            * self._level.target
            * 10.0 ** (self._level_tracker.gain_db(self._loudness) / 20.0)
        )
        tail = torch.nn.functional.pad(tail, (reach - tail.shape[1], 0))
        return ResampleState(tail, self.audio_end - reach, self.rates.stream_of(self.audio_end))

    @property
    def end_samples(self) -> StreamSample:
        """Samples output so far, at the host's rate, counted from frame 0.  [generate]"""
        return StreamSample(self._resample.next_output_samples)

    @property
    def stored_from(self) -> StreamSample:
        """First sample of the first frame whose audio is in the history; 0 or more.  [generate]"""
        stored_from = CodecSample(max(0, self.audio_end - self.history.shape[1]))
        return self.rates.stream_of(self.rates.start_of(self.rates.frame_from(stored_from)))

    @property
    def history_samples(self) -> int:
        """Length of the history at the codec's rate.  [generate]"""
        return self.history.shape[1]

    def audio_before(self, frame: int, n_frames: int) -> Tensor:
        """Output [C, n] of at most `n_frames` whole frames, right before `frame` times a frame's length.  [generate]"""
        samples = self.codec.frame_samples
        end = self.history.shape[1] - (self.audio_end - frame * samples)
        begin = end - max(0, min(end // samples, n_frames)) * samples
        return self.history[:, max(begin, 0) : max(end, 0)].clone()

    # -- frames, and where they are heard ---------------------------------------------------------------

    def out_of(self, frame: int) -> CodecSample:
        """Output sample, at the codec's rate, on which a frame is heard.  [generate]"""
        made = self.rates.start_of(frame)
        return made if self.bend is None else CodecSample(self.bend.map.out_at(made))

    def stream_of(self, frame: int) -> StreamSample:
        """The first stream sample on which a frame is heard.  [generate]"""
        return self.rates.stream_of(self.out_of(frame))

    def frame_of(self, stream_sample: StreamSample) -> int:
        """The frame that is heard at a stream sample.  [generate]"""
        return self.rates.frame_at(self._made_at(self.rates.codec_of(stream_sample)))

    def frame_from(self, out: CodecSample) -> int:
        """The first frame heard from an output sample or after it.  [generate]"""
        return self.rates.frame_from(self._made_at(out))

    def _made_at(self, out: CodecSample) -> CodecSample:
        """The sample before bending that is heard at an output sample."""
        return out if self.bend is None else CodecSample(self.bend.map.made_at(out))

    # -- sound ------------------------------------------------------------------------------------------

    def push(self, codes: Tensor, last: bool = False) -> Tensor:
        """Codes [K, t] to final samples, float32 [n, channels]; with `last` all that remain.  [generate]"""
        audio = self._seam.joined(self.decoder.decode(codes, last))
        if self.bend is not None:
            audio = torch.from_numpy(self.bend.push(audio.numpy(), last))
        self.audio_end = CodecSample(self.audio_end + audio.shape[1])
        self.history = _tail(torch.cat([self.history, audio], dim=1), HISTORY_FRAMES * self.codec.frame_samples)
        loud, self._loudness = self._level_tracker.step(audio.T.numpy(), self._loudness)
        out, self._resample = self.resampler.step(self._level.levelled(torch.from_numpy(loud.T)), self._resample, last)
        return _to_channels(out, self._channels).T.contiguous()

    def again_from(self, frame: int, codes: Tensor, hold_samples: int | None = None) -> CodecOutput:
        """A codec output that continues at `frame`, in phase with this one; codes [K, P] end there.

        This one's output is still heard for `hold_samples` of the codec, if given: then the change is quick.

        Raises ValueError when that lies before the history or is not decoded yet.  [generate]
        """
        end, bend = self.out_of(frame), self.bend
        start = self.audio_end - self.history.shape[1]
        if not start <= end <= self.audio_end:
            raise ValueError(f"frame {frame} is not within the kept audio")
        if bend is not None:
            bend = bend.again_from(frame * self.codec.frame_samples, bend.line)
        before, after = self.history[:, : end - start], self.history[:, end - start :]
        seconds = CROSSFADE_SECONDS if hold_samples is None else CUT_SECONDS
        fading = (hold_samples or 0) + int(seconds * self.codec.sample_rate)
        leaving = after[:, :fading].clone()
        if 0 < leaving.shape[1] < fading:  # no more was made: extrapolate it
            ahead = carry_on(self.history.numpy(), fading - leaving.shape[1])
            leaving = torch.cat([leaving, torch.from_numpy(ahead)], dim=1)
        again = CodecOutput(
            self.codec, self.resampler, self._channels, before, codes, frame, self._level.now, self._device,
            leaving, hold_samples, bend,
        )  # fmt: skip
        again._be_as_loud_as(self)
        return again.with_level(self._level.target)

    def _be_as_loud_as(self, other: CodecOutput) -> None:
        """Continue from another codec output's loudness where this one begins."""
        self._level_tracker = other._level_tracker
        self._loudness = other._level_tracker.back_to(other._loudness, self.audio_end, self.history.T.numpy())
        self._resample = self._begin_resampling()

    def replay(self, frame: int, n_samples: int) -> Tensor:
        """The output from `frame` times a frame's length on, again: float32 [n, channels], as far as it is known.

        Raises ValueError when that lies outside the history.  [generate]
        """
        end = self.rates.start_of(frame)
        start = self.audio_end - self.history.shape[1]
        if not start <= end <= self.audio_end:
            raise ValueError(f"frame {frame} is not within the kept audio")
        reach = self.resampler.lookahead_samples
        tail = _tail(self.history[:, : end - start], reach)
        tail = torch.nn.functional.pad(tail, (reach - tail.shape[1], 0))
        state = ResampleState(tail, end - reach, self.rates.stream_of(end))
        audio, _ = self.resampler.step(self.history[:, end - start :], state)
        return (_to_channels(audio[:, :n_samples], self._channels) * self._level.now).T.contiguous()

    def with_loudness(self, target_lufs: float | None) -> CodecOutput:
        """Approach a loudness slowly, None to keep the present one; returns self.  [generate]"""
        self._level_tracker = LevelTracker(self.codec.sample_rate, target_lufs)
        return self

    def with_level(self, level: float) -> CodecOutput:
        """Glide to another gain factor; returns self.  [generate]"""
        self._level.glide_to(level)
        return self

    def go_on_from(self, ahead: Tensor | None) -> None:
        """Set the known continuation [C, m] of the music before; call it before the first push.  [generate]"""
        self._seam.go_on_from(ahead)


def _tail(audio: Tensor, n_samples: int) -> Tensor:
    """The last `n_samples` of audio [C, n] (fewer if it is shorter), float32 on the CPU."""
    return audio[:, max(audio.shape[1] - n_samples, 0) :].float().cpu()


def _to_channels(audio: Tensor, channels: int) -> Tensor:
    """[C, n] to [channels, n]: mono is doubled, stereo averaged to mono."""
    if audio.shape[0] == channels:
        return audio
    if channels == 1:
        return audio.mean(dim=0, keepdim=True)
    return audio[:1].expand(channels, -1)
