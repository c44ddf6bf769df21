"""A stream's placement on the host's timeline, and its requests to the model there.

stream frame    0 ... P-1 | P          P+1        ...       P frames of prompt: the music right before
frame                  -1 | 0          1          ...       frame f = stream frame P + f
stream sample                | 0 ....     at the host's rate
host position             | zero_samples + stream sample
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from bridge.control.parameters import (
    DENSITY,
    EVAL_Q,
    EXCERPT_SECONDS,
    EXCERPT_START,
    INSTRUMENTS,
    KEEP_HARMONY,
    KEY,
    SECTION,
)
from bridge.ring.layout import ENDLESS_SAMPLES
from bridge.time import units
from bridge.time.transport import Grid as HostGrid
from engine.conditions import arrangement
from engine.model import HARMONY, TEMPO, TEXT, Ask, FrameGrid, LoadedModel, OnGrid, Reference, StyleExcerpt
from engine.serve.lane_settings import CONTEXT, CONTINUE, MELODY, STYLE, LaneSettings, ReferenceAudio
from engine.serve.timeline.samples import HostSample, StreamSample
from engine.serve.timeline.tempo_curve import TempoCurve

Weights = tuple[tuple[float, ...], tuple[float, ...]]  # of the prompts, of the styles
ENDLESS = HostSample(ENDLESS_SAMPLES)
FIRST = StreamSample(0)


@dataclass(frozen=True)
class StreamPlacement:
    """The position of a stream on the host's timeline; its music ends at `end_samples`.

    It is heard from `start_samples` on: stream sample 0, unless unheard music comes before. A plain grid is taken as a
    straight tempo curve.  [any]
    """

    curve: TempoCurve
    zero_samples: HostSample
    end_samples: HostSample = ENDLESS
    seek_id: int = 0
    unheard_samples: StreamSample = FIRST

    @staticmethod
    def on(grid: HostGrid, zero_samples: int, end_samples: int = ENDLESS_SAMPLES, seek_id: int = 0) -> StreamPlacement:
        """A placement on a straight tempo curve.  [any]"""
        return StreamPlacement(TempoCurve.straight(grid), HostSample(zero_samples), HostSample(end_samples), seek_id)

    @property
    def grid(self) -> HostGrid:
        """The grid of the tempo curve's last segment.  [any]"""
        return self.curve.grid

    @property
    def start_samples(self) -> HostSample:
        """Host position of the first heard sample.  [any]"""
        return self.host_of(self.unheard_samples)

    def later(self, samples: int, passes: int = 1) -> StreamPlacement:
        """The same music as a pass later sees it: a loop of so many samples has led back the host.  [any]"""
        end = self.end_samples if self.end_samples == ENDLESS else HostSample(self.end_samples - passes * samples)
        zero = HostSample(self.zero_samples - passes * samples)
        return replace(self, zero_samples=zero, end_samples=end, seek_id=self.seek_id + passes)

    def stream_of(self, position: HostSample) -> StreamSample:
        """The stream sample that sounds at a host position of this pass.  [any]"""
        return StreamSample(position - self.zero_samples)

    def host_of(self, stream_sample: StreamSample) -> HostSample:
        """The host position of this pass at which a stream sample sounds.  [any]"""
        return HostSample(self.zero_samples + stream_sample)

    def same_course(self, other: StreamPlacement) -> bool:
        """Whether stream samples have the same beats on both placements.  [any]"""
        return self.zero_samples == other.zero_samples and self.curve == other.curve

    def beats_at_frame(self, frame: int) -> Fraction:
        """Beat at the start of a frame (negative: the prompt).  [any]"""
        stream_sample = units.seconds_to_samples(units.frames_to_seconds(frame), self.grid.sample_rate_hz)
        return self.curve.beats_at(self.zero_samples + stream_sample)

    def frame_at(self, position_samples: HostSample) -> int:
        """First frame that begins at a host position or after it.  [any]"""
        seconds = units.samples_to_seconds(self.stream_of(position_samples), self.grid.sample_rate_hz)
        frames = units.seconds_to_frames(seconds)
        return -(-frames.numerator // frames.denominator)

    def frames_to_end(self) -> int | None:
        """Frames that cover the music up to its end; None when it has none.  [any]"""
        return None if self.end_samples == ENDLESS_SAMPLES else max(0, self.frame_at(self.end_samples))


def ask_at(
    settings: LaneSettings,
    placement: StreamPlacement,
    prompt_frames: int,
    offset_frames: int,
    takes: frozenset[str],
    seed: int = 0,
    grid: FrameGrid | None = None,
    begun: ReferenceAudio | None = None,
    weights: Weights | None = None,
) -> Ask:
    """A lane's request for the window at stream frame `offset_frames`, on the model's time axis.

    `grid`: the beats of its frames, if other than the placement's; `begun`: the audio prompt; `weights` of its prompts
    and styles, if a glide has not reached those of the settings.

    References are exact at that window: a looped region is in phase after hours. References that the model does not
    support are omitted: they were refused on arrival, or came for another model.  [generate]
    """
    grid = (grid or plain_grid(placement, prompt_frames)) if TEMPO in takes else None
    regions = {role: region for role, region in settings.regions.items() if role in takes}
    prompts, styles = weights or (settings.morph.weights, settings.style_morph.weights)
    melody, context = regions.get(MELODY), regions.get(CONTEXT)
    texts = weighted_texts(settings, prompts) if TEXT in takes else ()
    mixed = weighted_styles(settings, styles) if STYLE in takes else ()
    style = mixed[0][0] if mixed else None
    stays = HARMONY in takes and melody is None and settings.get(KEEP_HARMONY)
    playing = instruments_of(settings.get(INSTRUMENTS)) if INSTRUMENTS.name in takes else None
    density = settings.get(DENSITY) if DENSITY.name in takes else -1.0
    section = settings.get(SECTION) if SECTION.name in takes else -1
    key = settings.get(KEY) if KEY.name in takes else -1
    return Ask(
        text=texts[0][0] if len(texts) == 1 else None,
        melody=None if melody is None else _placed(melody, placement, prompt_frames, offset_frames),
        style=None if style is None else Reference(style.audio, whole=True),
        grid=grid,
        excerpt=_excerpt(settings, style),
        seed=seed,
        harmony=_chords(begun, placement, prompt_frames, offset_frames) if stays and begun is not None else None,
        instruments=playing,
        density=density if density >= 0 else None,
        section=arrangement.SECTIONS[section] if section >= 0 else None,
        key=key_of(key) if key >= 0 else None,
        context=None if context is None else _placed(context, placement, prompt_frames, offset_frames),
        texts=texts if len(texts) > 1 else (),
        styles=tuple((Reference(each.audio, whole=True), share) for each, share in mixed) if len(mixed) > 1 else (),
    )


def weighted_texts(settings: LaneSettings, weights: tuple[float, ...]) -> tuple[tuple[str, float], ...]:
    """A lane's prompts with their weights; one alone if there is only one. An empty one weighs, too.  [any]"""
    every = settings.every_prompt
    if len(every) == 1:
        return ((every[0], 1.0),) if every[0] else ()
    return tuple(zip(every, [*weights, *[0.0] * len(every)], strict=False))


def weighted_styles(settings: LaneSettings, weights: tuple[float, ...]) -> tuple[tuple[ReferenceAudio, float], ...]:
    """A lane's style regions with their weights, which sum to 1; one region always weighs 1.  [any]"""
    there = settings.styles
    shares = [weights[number] if number < len(weights) else 0.0 for number, _ in there]
    total = sum(shares)
    if len(there) == 1 or total <= 0.0:
        return tuple((region, 1.0) for _, region in there[:1])
    return tuple((region, share / total) for (_, region), share in zip(there, shares, strict=True))


def instruments_of(bits: int) -> tuple[str, ...] | None:
    """The names of the instruments whose bits are set; None without any.  [any]"""
    return tuple(name for n, name in enumerate(arrangement.INSTRUMENTS) if bits >> n & 1) or None


def key_of(number: int) -> str:
    """The key of a number from 0: the twelve major keys from C on, then the minor ones.  [any]"""
    return f"{arrangement.KEYS[number % 12]} {'minor' if number >= 12 else 'major'}"


def plain_grid(placement: StreamPlacement, prompt_frames: int) -> FrameGrid:
    """The frame grid of a straight tempo curve, beats counted from a bar line.  [any]"""
    beats = placement.beats_at_frame(-prompt_frames) - units.exact(placement.grid.bar_origin_beats)
    return FrameGrid(placement.grid.tempo_bpm, float(beats), float(placement.grid.signature.beats_per_bar))


def prepare(model: LoadedModel, settings: LaneSettings) -> None:
    """Do a model's slow work ahead of time: separate a melody's stems, find long music's chords, encode a context.

    [any]
    """
    melody, begun = settings.regions.get(MELODY), settings.regions.get(CONTINUE)
    if melody is not None and MELODY in model.takes:
        model.conditioner.prepare(Ask(melody=Reference(melody.audio)))
    if begun is not None and HARMONY in model.takes:
        model.conditioner.prepare(Ask(harmony=Reference(begun.audio)))
    context = settings.regions.get(CONTEXT)
    if context is not None and CONTEXT in model.takes:
        model.conditioner.prepare(Ask(context=Reference(context.audio)))


def _excerpt(settings: LaneSettings, style: ReferenceAudio | None) -> StyleExcerpt:
    """The excerpt of the style region; a start behind its end wraps around."""
    start = settings.get(EXCERPT_START)
    starts = None
    if style is not None and start >= 0:
        starts = (units.nearest(units.exact(start) * style.rate_hz) % style.audio.shape[-1],)
    return StyleExcerpt(settings.get(EXCERPT_SECONDS), settings.get(EVAL_Q), start_samples=starts)


def _chords(region: ReferenceAudio, placement: StreamPlacement, prompt_frames: int, offset_frames: int) -> Reference:
    """The whole bars of a region as a looped reference."""
    bar = placement.grid.signature.beats_per_bar
    found = _placed(region, placement, prompt_frames, offset_frames)
    if found.on_grid is None or region.beats < bar:
        return found
    return replace(found, on_grid=replace(found.on_grid, beats=float(region.beats // bar * bar)))


def _placed(region: ReferenceAudio, placement: StreamPlacement, prompt_frames: int, offset_frames: int) -> Reference:
    """A region as a reference whose phase is exact at the window's first frame."""
    beat = placement.beats_at_frame(offset_frames - prompt_frames)
    start = units.exact(region.start_beats)
    phase_samples = units.beats_to_samples((beat - start) % region.beats, region.bpm, region.rate_hz)
    speed = placement.grid.tempo_bpm / region.bpm
    passed_samples = offset_frames * units.SAMPLES_PER_FRAME * speed
    lies = OnGrid(float(start - units.exact(placement.grid.bar_origin_beats)), float(region.beats), region.bpm)
    return Reference(region.audio, units.nearest(phase_samples - units.exact(passed_samples)), speed, on_grid=lies)
