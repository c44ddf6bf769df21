"""From a stream's codes to the host's samples: codec, loudness, level, resampler, channels.

Sample 0 of what comes out lies on the first sample of frame 0, whatever the rates; frames are counted from
where the stream's own music begins (its prompt comes before, at negative times, and is only used as context).

    codes --decode_step--> 32 kHz --seam--> (bend) --> history --slow gain, level--> resample --> channels --> [n, C]

Where the sound is bent onto the beat, frames are counted in what was made, and everything else in what was put out.
"""

from __future__ import annotations

import copy
import math
from concurrent.futures import Future
from typing import Any

import torch
from torch import Tensor

from engine.audio.extrapolate import carry_on
from engine.audio.resample import ResampleState, StreamResampler
from engine.beat.bend import Bend
from engine.codec.base import Codec
from engine.codec.beside import DecodeThread
from engine.listen.follow_level import LevelFollower

PIECE_FRAMES = 4  # decoded at once, counted from where the codec output begins
CONTEXT_FRAMES = 64  # of codes and audio that a decoder is primed with
HISTORY_FRAMES = 600  # how far back a stream can be taken up again
CUT_SECONDS = 0.005  # the same, where the change is to be heard exactly from a bar line on
CROSSFADE_SECONDS = 0.02  # from what was made before a change to what is made after it
GLIDE_SECONDS = 0.02  # from one level to another
SEAM_SECONDS = 0.006  # within which a step at the joint fades
JOIN_SECONDS = 0.0015  # from how the music before would go on to what follows: short, so that an attack stays one


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
        """Begin at `first_frame`, following on from audio [C, n] at the codec's rate and its codes [K, P].

        Both end where the stream begins; without them it begins from silence. `leaving` [C, n] is what would have
        followed; it fades out, quickly after `hold_samples` more where given. The codec lives on `device`. With `bend`,
        which begins there too, the sound is bent, and the audio before is what was put out.  [generate]
        """
        self.device = device
        self.codec = codec
        self.resampler = resampler
        self.channels = channels
        self.level = self._level_now = self._level_before = level
        self._glided = 0  # samples of the way from the level before
        self.bend = bend
        begin = first_frame * codec.frame_samples if bend is None else bend.out_end
        self.audio_end = begin  # codec-rate samples from frame 0, put out so far
        self.history = torch.zeros(codec.channels, 0)  # at the codec's rate, ends at `audio_end`
        self._seam_from: Tensor | None = None  # how the music before would go on
        context: Tensor | None = None
        codes = None if before_codes is None else before_codes[None, :, -CONTEXT_FRAMES:].to(device)
        if before_audio is not None and before_audio.shape[-1]:
            self.history = _tail(before_audio, HISTORY_FRAMES * codec.frame_samples)
            made = before_audio if bend is None else torch.from_numpy(bend.made)
            context = _tail(made, CONTEXT_FRAMES * codec.frame_samples)[None].to(device)
            self._seam_from = torch.from_numpy(carry_on(self.history.numpy(), self._join_samples))
        self._leaving = torch.zeros(codec.channels, 0) if leaving is None else leaving
        self._crossed_whole = self._leaving.shape[1]
        self._held = None if hold_samples is None else min(hold_samples, self._crossed_whole)
        if self._leaving.shape[1]:
            self._seam_from = None
        self._decoder: Any = codec.init_decoder(context, codes if context is not None else None)
        self._waiting: Tensor | None = None  # codes [K, n] of a piece that is not whole yet
        self._begun: list[Future[Tensor]] = []  # decodes, on another thread, of codes that were not pushed yet
        self.begun_frames = 0  # how many those are
        self._follower = LevelFollower(codec.sample_rate, None)
        self._loudness = self._follower.init(codec.channels, self.audio_end)
        self._resample = self._begin_resampling()

    def _begin_resampling(self) -> ResampleState:
        reach = self.resampler.lookahead_samples
        tail = _tail(self.history, reach) * self.level * 10.0 ** (self._follower.gain_db(self._loudness) / 20.0)
        tail = torch.nn.functional.pad(tail, (reach - tail.shape[1], 0))
        first = -(-self.audio_end * self.resampler.new // self.resampler.orig)
        return ResampleState(tail, self.audio_end - reach, first)

    @property
    def end_samples(self) -> int:
        """Host-rate samples put out so far, counted from frame 0.  [generate]"""
        return self._resample.next_output_samples

    @property
    def first_kept_frame(self) -> int:
        """The first own frame whose sound is kept; 0 or more.  [generate]"""
        kept_from = max(0, self.audio_end - self.history.shape[1])
        return -(-kept_from // self.codec.frame_samples)

    @property
    def kept_samples(self) -> int:
        """How much sound is kept, at the codec's rate.  [generate]"""
        return self.history.shape[1]

    def heard_before(self, frame: int, n_frames: int) -> Tensor:
        """Audio [C, n] of whole frames, `n_frames` at most, right before a frame's length times `frame`.  [generate]"""
        samples = self.codec.frame_samples
        end = self.history.shape[1] - (self.audio_end - frame * samples)
        begin = end - max(0, min(end // samples, n_frames)) * samples
        return self.history[:, max(begin, 0) : max(end, 0)].clone()

    # -- frames that were made, and where they are heard ------------------------------------------------

    def out_of(self, frame: int) -> int:
        """Sample put out, at the codec's rate, on which an own frame is heard.  [generate]"""
        made = frame * self.codec.frame_samples
        return made if self.bend is None else self.bend.map.out_at(made)

    def frame_at(self, out: int) -> int:
        """The own frame that is heard at a sample put out, at the codec's rate.  [generate]"""
        return (out if self.bend is None else self.bend.map.made_at(out)) // self.codec.frame_samples

    def frame_from(self, out: int) -> int:
        """The first own frame that begins to be heard at a sample put out or after it.  [generate]"""
        return -(-(out if self.bend is None else self.bend.map.made_at(out)) // self.codec.frame_samples)

    # -- sound ------------------------------------------------------------------------------------------

    def decode_beside(self, codes: Tensor, thread: DecodeThread) -> None:
        """Begin to decode codes [K, t] on another thread: those that the next `push` begins with, after the
        `begun_frames` that were given before.  [generate]
        """
        self._begun.append(thread.start(lambda: self._decode(codes, False)))
        self.begun_frames += codes.shape[1]

    def _decode(self, codes: Tensor, last: bool) -> Tensor:
        """Whole pieces, and with `last` the rest: an EnCodec's last bit depends on how many frames are decoded at once,
        and frames come cut as there was time for them.
        """
        known = self._with_waiting(codes)
        end = known.shape[1] if last else known.shape[1] // PIECE_FRAMES * PIECE_FRAMES
        self._waiting = known[:, end:]
        pieces = known[:, :end].split(PIECE_FRAMES, dim=1)
        audio = [self._piece(each, False) for each in pieces[:-1]]
        return torch.cat([*audio, self._piece(pieces[-1], last)], dim=1)

    def _with_waiting(self, codes: Tensor) -> Tensor:
        return codes if self._waiting is None else torch.cat([self._waiting, codes], dim=1)

    def _piece(self, codes: Tensor, last: bool) -> Tensor:
        audio, self._decoder = self.codec.decode_step(codes[None].to(self.device), self._decoder, last)
        return audio[0].float().cpu()

    def _decoded(self, codes: Tensor, last: bool) -> Tensor:
        """Audio [C, n] of codes of which the first may be decoded, or in work, on the other thread."""
        begun, frames = self._begun, self.begun_frames
        self._begun, self.begun_frames = [], 0
        audio = [each.result() for each in begun]
        if frames < codes.shape[1] or last or not begun:
            audio.append(self._decode(codes[:, frames:], last))
        return torch.cat(audio, dim=1)

    def push(self, codes: Tensor, last: bool = False) -> Tensor:
        """Codes [K, t] to float32 [n, channels], what is final; with `last` all that is left.  [generate]"""
        audio = self._crossed(self._smooth_seam(self._decoded(codes, last)))
        if self.bend is not None:
            audio = torch.from_numpy(self.bend.push(audio.numpy(), last))
        self.audio_end += audio.shape[1]
        self.history = _tail(torch.cat([self.history, audio], dim=1), HISTORY_FRAMES * self.codec.frame_samples)
        loud, self._loudness = self._follower.step(audio.T.numpy(), self._loudness)
        out, self._resample = self.resampler.step(self._levelled(torch.from_numpy(loud.T)), self._resample, last)
        return _to_channels(out, self.channels).T.contiguous()

    def preview(self, codes: Tensor, last: bool = False) -> Tensor:
        """The codec's audio [C, n] that these codes [K, t] would add; nothing moves on.  [generate]"""
        state = copy.deepcopy(self._decoder)
        known = self._with_waiting(codes)[None].to(self.device)
        return self.codec.decode_step(known, state, last)[0][0].float().cpu()

    def again_from(self, frame: int, codes: Tensor, hold_samples: int | None = None) -> CodecOutput:
        """A chain that goes on at `frame`, in phase with what this one put out; codes [K, P] end there.

        What this one put out is still heard for `hold_samples` of the codec, where given: then the change is quick.

        Raises ValueError when that lies before the kept history or was not decoded yet.  [generate]
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
        if 0 < leaving.shape[1] < fading:  # no more was made: it leaves as it would have gone on
            ahead = carry_on(self.history.numpy(), fading - leaving.shape[1])
            leaving = torch.cat([leaving, torch.from_numpy(ahead)], dim=1)
        level, kept = self._level_now, hold_samples
        again = CodecOutput(
            self.codec, self.resampler, self.channels, before, codes, frame, level, self.device, leaving, kept, bend
        )
        again._follower = self._follower
        again._loudness = self._follower.back_to(self._loudness, end, before.T.numpy())
        again._resample = again._begin_resampling()
        return again.with_level(self.level)

    def replay(self, frame: int, n_samples: int) -> Tensor:
        """What was put out from a frame's length times `frame` on, once more: float32 [n, channels], what is known.

        Raises ValueError when that lies outside the kept history.  [generate]
        """
        end = frame * self.codec.frame_samples
        start = self.audio_end - self.history.shape[1]
        if not start <= end <= self.audio_end:
            raise ValueError(f"frame {frame} is not within the kept audio")
        reach = self.resampler.lookahead_samples
        tail = _tail(self.history[:, : end - start], reach)
        tail = torch.nn.functional.pad(tail, (reach - tail.shape[1], 0))
        first = -(-end * self.resampler.new // self.resampler.orig)
        audio, _ = self.resampler.step(self.history[:, end - start :], ResampleState(tail, end - reach, first))
        return (_to_channels(audio[:, :n_samples], self.channels) * self._level_now).T.contiguous()

    def with_loudness(self, target_lufs: float | None) -> CodecOutput:
        """This chain, coming slowly to a loudness from where it is; None stays there.  [generate]"""
        self._follower = LevelFollower(self.codec.sample_rate, target_lufs)
        return self

    def with_level(self, level: float) -> CodecOutput:
        """This chain, gliding to another gain factor from where it is.  [generate]"""
        self.level, self._level_before, self._glided = level, self._level_now, 0
        return self

    @property
    def _join_samples(self) -> int:
        return int(JOIN_SECONDS * self.codec.sample_rate)

    def go_on_from(self, ahead: Tensor | None) -> None:
        """How the music before would go on [C, m], where that is known; before the first push.  [generate]"""
        if self._seam_from is not None and ahead is not None and ahead.shape[1] >= self._join_samples:
            self._seam_from = ahead[:, : self._join_samples].float().cpu()

    def _smooth_seam(self, audio: Tensor) -> Tensor:
        """Begin where the music before would go on, and as steeply; come from there in a few milliseconds."""
        if self._seam_from is None or audio.shape[1] == 0:
            return audio
        ahead, audio = self._seam_from, audio.clone()
        count = min(audio.shape[1], int(SEAM_SECONDS * self.codec.sample_rate))
        audio[:, :count] += (ahead[:, :1] - audio[:, :1]) * _falling(count)
        count = min(audio.shape[1], ahead.shape[1])
        audio[:, :count] += (ahead[:, :count] - audio[:, :count]) * _falling(count)
        self._seam_from = None
        return audio

    def _crossed(self, audio: Tensor) -> Tensor:
        """Fade from what would have followed to what does."""
        count = min(audio.shape[1], self._leaving.shape[1])
        if not count:
            return audio
        whole = self._crossed_whole
        begin = whole - self._leaving.shape[1]
        placement = torch.arange(whole)  # all of it each time: no cut changes a bit
        if self._held is None:
            leaves = 0.5 + 0.5 * torch.cos((placement + 0.5) * (math.pi / whole))
        else:  # straight, so that the change is heard from its first sample on
            leaves = 1.0 - ((placement + 1 - self._held) / max(whole - self._held, 1)).clamp(0, 1)
        audio = audio.clone()
        audio[:, :count] += (self._leaving[:, :count] - audio[:, :count]) * leaves[begin : begin + count]
        self._leaving = self._leaving[:, count:]
        return audio

    def _levelled(self, audio: Tensor) -> Tensor:
        """Multiply by the level, gliding where it has changed."""
        if self._level_now == self.level:
            return audio if self.level == 1.0 else audio * self.level
        begin, whole = self._glided, int(GLIDE_SECONDS * self.codec.sample_rate)
        self._glided += audio.shape[1]
        along = (torch.arange(begin, self._glided + 1) / whole).clamp(max=1.0)
        gains = self._level_before + (self.level - self._level_before) * along
        self._level_now = self.level if self._glided >= whole else float(gains[-1])
        return audio * gains[:-1]


def _falling(count: int) -> Tensor:
    """From 1 to 0, smooth at both ends."""
    return 0.5 + 0.5 * torch.cos(torch.linspace(0, math.pi, count))


def _tail(audio: Tensor, n_samples: int) -> Tensor:
    """The last `n_samples` of audio [C, n] (fewer where it is shorter), float32 on the CPU."""
    return audio[:, max(audio.shape[1] - n_samples, 0) :].float().cpu()


def _to_channels(audio: Tensor, channels: int) -> Tensor:
    """[C, n] to [channels, n]: mono is doubled, stereo averaged to mono."""
    if audio.shape[0] == channels:
        return audio
    if channels == 1:
        return audio.mean(dim=0, keepdim=True)
    return audio[:1].expand(channels, -1)
