"""A lane's settings. Torch is only imported for types: [control] starts before the model loads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING

from bridge.control.messages import ROLES
from bridge.control.parameters import LEVEL_DB, PARAMETERS, Depth, Parameter, T
from bridge.control.rows import PROMPTS_MAX, STYLE_ROLES
from bridge.time import units

if TYPE_CHECKING:
    from torch import Tensor

MELODY, STYLE, CONTINUE, CONTEXT = ROLES
_DRAWN, _CONDITIONS = (
    tuple(row for row in PARAMETERS.values() if row.regenerates is depth) for depth in (Depth.DRAWN, Depth.WINDOW)
)
WHOLE_BEAT_SECONDS = 0.02  # a region that ends this near to a whole beat was cut on it


@dataclass(frozen=True, eq=False)  # compared by identity: samples have no one answer
class ReferenceAudio:
    """A region as models take it: float32 [C, n] at their rate, its tempo and start beat.

    Mono, except an audio prompt for a stereo model. `ahead` [C, m] is its continuation, if known better than by
    extrapolation.  [any]
    """

    audio: Tensor
    bpm: float
    start_beats: float
    rate_hz: int = 32_000
    ahead: Tensor | None = None

    @property
    def beats(self) -> Fraction:
        """Length in beats; snapped to a whole beat if it was evidently cut on one.  [any]"""
        seconds = units.samples_to_seconds(self.audio.shape[-1], self.rate_hz)
        length = units.seconds_to_beats(seconds, self.bpm)
        whole = Fraction(max(1, units.nearest(length)))
        off = abs(units.beats_to_seconds(whole - length, self.bpm))
        return whole if off <= WHOLE_BEAT_SECONDS else length


@dataclass(frozen=True)
class Morph:
    """The weights of a lane's prompts or styles, which sum to 1; reached over `beats` from those before.

    `key` tells a glide from the one before it with the same weights; 0 without a glide. `moved`: if the prompts have
    changed places with it, the place that each had before, or -1.  [any]
    """

    weights: tuple[float, ...] = (1.0,)
    beats: float = 0.0
    key: int = 0
    moved: tuple[int, ...] = ()


FIRST_ALONE = Morph()


@dataclass(frozen=True)
class LaneSettings:
    """Prompts, parameter values by name, regions by role; replaced, never changed.

    `values` are those set by clients and the model's own; all others have the table's default. `prompt` is the first
    one, `prompts` are the second to eighth; `morph` weighs them, `style_morph` the styles.  [any]
    """

    prompt: str = ""
    values: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    regions: Mapping[str, ReferenceAudio] = field(default_factory=lambda: MappingProxyType({}))
    chosen: frozenset[str] = frozenset()  # names of the values set by clients
    mutes: frozenset[int] = frozenset()  # keys of active mutes; the lane is audible without any
    reseeds: tuple[int, int] = (0, -1)  # number of reseeds while it played, and the last seed
    prompts: tuple[str, ...] = ()
    morph: Morph = FIRST_ALONE
    style_morph: Morph = FIRST_ALONE

    def get(self, parameter: Parameter[T]) -> T:
        """The value of a parameter: a client's, else the model's own, else the table's default.  [any]"""
        value = self.values.get(parameter.name)
        return parameter.initial if value is None else parameter.read(value)

    def with_prompt(self, prompt: str) -> LaneSettings:
        """These settings with another prompt, which is heard alone; the other prompts stay.  [any]"""
        return replace(self, prompt=prompt, morph=FIRST_ALONE)

    @property
    def every_prompt(self) -> tuple[str, ...]:
        """All prompts up to the last that is not empty; at least one.  [any]"""
        return (self.prompt, *self.prompts)

    def with_prompts(self, prompts: Sequence[str]) -> LaneSettings:
        """These settings with other prompts, up to eight; the weights stay.  [any]"""
        kept = list(prompts[:PROMPTS_MAX])
        while len(kept) > 1 and not kept[-1]:
            kept.pop()
        return replace(self, prompt=kept[0], prompts=tuple(kept[1:]))

    def with_prompt_at(self, number: int, prompt: str) -> LaneSettings:
        """These settings with another text for one prompt, counted from 1; the weights stay.  [any]"""
        every = [*self.every_prompt, *[""] * PROMPTS_MAX][:PROMPTS_MAX]
        every[number - 1] = prompt
        return self.with_prompts(every)

    def gliding_to(self, prompts: Sequence[str], morph: Morph) -> LaneSettings:
        """These settings with other prompts; in a glide those before it stay behind them, as far as there is room.

        [any]
        """
        if not morph.beats:
            return self.with_prompts(prompts).with_morph(morph)
        before = self.every_prompt
        heavy = sorted(range(len(before)), key=lambda place: -dict(enumerate(self.morph.weights)).get(place, 0.0))
        every = [*prompts, *(before[place] for place in heavy if before[place] not in prompts)][:PROMPTS_MAX]
        moved = tuple(before.index(text) if text in before else -1 for text in every)
        return self.with_prompts(every).with_morph(replace(morph, moved=moved))

    def with_morph(self, morph: Morph, styles: bool = False) -> LaneSettings:
        """These settings with other weights of the prompts, or of the styles.  [any]"""
        return replace(self, style_morph=morph) if styles else replace(self, morph=morph)

    def with_value(self, name: str, value: float) -> LaneSettings:
        """These settings with one parameter at another value.  [any]"""
        return replace(self, values=MappingProxyType({**self.values, name: value}), chosen=self.chosen | {name})

    @property
    def chosen_values(self) -> dict[str, float]:
        """The values that clients have set, by name.  [any]"""
        return {name: self.values[name] for name in sorted(self.chosen)}

    def with_own(self, own: Mapping[str, float]) -> LaneSettings:
        """These settings with a model's own values where no client set others.  [any]"""
        others = {name: value for name, value in own.items() if name not in self.chosen}
        return replace(self, values=MappingProxyType({**self.values, **others}))

    def with_region(self, role: str, region: ReferenceAudio | None) -> LaneSettings:
        """These settings with another region in a role; None removes it.  [any]"""
        regions = {other: kept for other, kept in self.regions.items() if other != role}
        if region is not None:
            regions[role] = region
        return replace(self, regions=MappingProxyType(regions))

    def with_mute(self, muted: bool, key: int = 0) -> LaneSettings:
        """These settings, muted or not; with a key only that mute changes.  [any]"""
        if muted:
            return replace(self, mutes=self.mutes | {key})
        return replace(self, mutes=self.mutes - {key} if key else frozenset())

    @property
    def muted(self) -> bool:
        """Whether the lane is muted.  [any]"""
        return bool(self.mutes)

    def with_seed(self, seed: int) -> LaneSettings:
        """These settings with another seed from now on.  [any]"""
        return replace(self, reseeds=(self.reseeds[0] + 1, seed))

    @property
    def gain(self) -> float:
        """The fader's gain.  [any]"""
        return 0.0 if self.muted else float(10.0 ** (self.get(LEVEL_DB) / 20.0))

    def regenerating(self) -> tuple[object, ...]:
        """The settings that affect tokens: when they change, a running stream is regenerated.  [any]"""
        drawn = tuple(self.get(row) for row in _DRAWN)
        return drawn, self.reseeds, self.morph, self.style_morph, self.conditioned()

    def goes_on(self, update: Update | None) -> bool:
        """Whether a change regenerates no music.  [any]"""
        return update is not None and update(self).regenerating() == self.regenerating()

    def conditioned(self) -> tuple[object, ...]:
        """The language model's conditioning: when it changes, an open window cannot go on.  [any]"""
        values = tuple(self.get(row) for row in _CONDITIONS)
        reseeds = self.reseeds if self.styles else None  # the seed draws the start of the style excerpt
        roles = (MELODY, *STYLE_ROLES, CONTEXT)
        return self.every_prompt, values, reseeds, tuple(id(self.regions.get(role)) for role in roles)

    def depth(self, other: LaneSettings) -> Depth:
        """How much a change from these settings to others regenerates.  [any]"""
        if self.regenerating() == other.regenerating():
            return Depth.SOUND
        return Depth.DRAWN if self.conditioned() == other.conditioned() else Depth.WINDOW

    @property
    def styles(self) -> tuple[tuple[int, ReferenceAudio], ...]:
        """The style regions, each with its number from 0.  [any]"""
        return tuple((n, self.regions[role]) for n, role in enumerate(STYLE_ROLES) if role in self.regions)

    @property
    def continued(self) -> ReferenceAudio | None:
        """The audio prompt's region.  [any]"""
        return self.regions.get(CONTINUE)


Update = Callable[[LaneSettings], LaneSettings]


def ability_of(role: str) -> str:
    """The ability that a model needs for a region's role: `style` for every style.  [any]"""
    return STYLE if role in STYLE_ROLES else role
