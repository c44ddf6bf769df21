"""What a lane was told. Torch is only named here, not loaded: [control] comes before the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING

from bridge.control.messages import ROLES
from bridge.control.parameters import LEVEL_DB, PARAMETERS, Depth, Parameter, T
from bridge.time import units

if TYPE_CHECKING:
    from torch import Tensor

MELODY, STYLE, CONTINUE = ROLES
_DRAWN, _CONDITIONS = (
    tuple(row for row in PARAMETERS.values() if row.regenerates is depth) for depth in (Depth.DRAWN, Depth.WINDOW)
)
WHOLE_BEAT_SECONDS = 0.02  # a region that ends this near to a whole beat was cut there


@dataclass(frozen=True)
class ReferenceAudio:
    """A region as models hear it: float32 [C, n] at their rate, its tempo and place.

    Stereo is kept for the models that know it, where it is to be gone on from; else it is mono. `ahead` [C, m] is how
    it would go on, where that is known better than from its stream samples.  [any]
    """

    audio: Tensor
    bpm: float
    start_beats: float
    rate_hz: int = 32_000
    ahead: Tensor | None = None

    @property
    def beats(self) -> Fraction:
        """Its length in beats; snapped to a whole beat where it was evidently cut on one.  [any]"""
        seconds = units.samples_to_seconds(self.audio.shape[-1], self.rate_hz)
        length = units.seconds_to_beats(seconds, self.bpm)
        whole = Fraction(max(1, units.nearest(length)))
        off = abs(units.beats_to_seconds(whole - length, self.bpm))
        return whole if off <= WHOLE_BEAT_SECONDS else length


@dataclass(frozen=True)
class LaneSettings:
    """Prompt, parameter values by name, regions by role; replaced, never changed.

    `values` are those that were told and the model's own; of all others the table's default holds.  [any]
    """

    prompt: str = ""
    values: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    regions: Mapping[str, ReferenceAudio] = field(default_factory=lambda: MappingProxyType({}))
    told: frozenset[str] = frozenset()  # names of the values that somebody asked for
    mutes: frozenset[int] = frozenset()  # keys of those that are on; it is heard when there is none
    dice: tuple[int, int] = (0, -1)  # how often another seed was taken while it played, and the last one

    def get(self, parameter: Parameter[T]) -> T:
        """The value of a parameter: what was told, else the model's own, else the table's default.  [any]"""
        value = self.values.get(parameter.name)
        return parameter.initial if value is None else parameter.read(value)

    def with_prompt(self, prompt: str) -> LaneSettings:
        """These settings with another prompt.  [any]"""
        return replace(self, prompt=prompt)

    def with_value(self, name: str, value: float) -> LaneSettings:
        """These settings with one parameter at another value.  [any]"""
        return replace(self, values=MappingProxyType({**self.values, name: value}), told=self.told | {name})

    def with_own(self, own: Mapping[str, float]) -> LaneSettings:
        """These settings with a model's own values where nobody asked for others.  [any]"""
        untold = {name: value for name, value in own.items() if name not in self.told}
        return replace(self, values=MappingProxyType({**self.values, **untold}))

    def with_region(self, role: str, region: ReferenceAudio | None) -> LaneSettings:
        """These settings with another region in a role; None takes it away.  [any]"""
        regions = {other: heard for other, heard in self.regions.items() if other != role}
        if region is not None:
            regions[role] = region
        return replace(self, regions=MappingProxyType(regions))

    def with_mute(self, muted: bool, key: int = 0) -> LaneSettings:
        """These settings, silent or not; with a key one mute more or less, and the others stay.  [any]"""
        if muted:
            return replace(self, mutes=self.mutes | {key})
        return replace(self, mutes=self.mutes - {key} if key else frozenset())

    @property
    def muted(self) -> bool:
        """Whether it is silent.  [any]"""
        return bool(self.mutes)

    def with_seed(self, seed: int) -> LaneSettings:
        """These settings with a seed for what follows.  [any]"""
        return replace(self, dice=(self.dice[0] + 1, seed))

    @property
    def gain(self) -> float:
        """Of the fader.  [any]"""
        return 0.0 if self.muted else float(10.0 ** (self.get(LEVEL_DB) / 20.0))

    def regenerating(self) -> tuple[object, ...]:
        """What has a part in the tokens: a running stream is made anew when this changes.  [any]"""
        drawn = tuple(self.get(row) for row in _DRAWN)
        return drawn, self.dice, self.conditioned()

    def goes_on(self, update: Update | None) -> bool:
        """Whether a change is one of how loud it is, for which no music is made anew.  [any]"""
        return update is not None and update(self).regenerating() == self.regenerating()

    def conditioned(self) -> tuple[object, ...]:
        """What the language model is conditioned on: when this changes, an open window cannot go on.  [any]"""
        values = tuple(self.get(row) for row in _CONDITIONS)
        dice = self.dice if STYLE in self.regions else None  # they draw where the style's excerpt begins
        return self.prompt, values, dice, tuple(id(self.regions.get(role)) for role in (MELODY, STYLE))

    def depth(self, other: LaneSettings) -> Depth:
        """What it takes to go on from these settings with others.  [any]"""
        if self.regenerating() == other.regenerating():
            return Depth.SOUND
        return Depth.DRAWN if self.conditioned() == other.conditioned() else Depth.WINDOW

    @property
    def continued(self) -> ReferenceAudio | None:
        """The region to go on from.  [any]"""
        return self.regions.get(CONTINUE)


Update = Callable[[LaneSettings], LaneSettings]
