"""What a lane was told. Torch is only named here, not loaded: [control] comes before the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import MappingProxyType
from typing import TYPE_CHECKING

from bridge import units
from bridge.messages import ROLES

if TYPE_CHECKING:
    from torch import Tensor

MELODY, STYLE, CONTINUE = ROLES
WHOLE_BEAT_SECONDS = 0.02  # a region that ends this near to a whole beat was cut there


@dataclass(frozen=True)
class HeardRegion:
    """A region as models hear it: float32 [C, n] at their rate, its tempo and place.

    Stereo is kept for the models that know it, where it is to be gone on from; else it is mono. `ahead` [C, m] is how
    it would go on, where that is known better than from its own samples.  [any]
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
    """Prompt, parameter values by name, regions by role; replaced, never changed.  [any]"""

    prompt: str = ""
    values: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    regions: Mapping[str, HeardRegion] = field(default_factory=lambda: MappingProxyType({}))
    told: frozenset[str] = frozenset()  # names of the values that somebody asked for
    muted: bool = False
    dice: tuple[int, int] = (0, -1)  # how often another seed was taken while it played, and the last one

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

    def with_region(self, role: str, region: HeardRegion | None) -> LaneSettings:
        """These settings with another region in a role; None takes it away.  [any]"""
        regions = {other: heard for other, heard in self.regions.items() if other != role}
        if region is not None:
            regions[role] = region
        return replace(self, regions=MappingProxyType(regions))

    def with_mute(self, muted: bool) -> LaneSettings:
        """These settings, silent or not.  [any]"""
        return replace(self, muted=muted)

    def with_dice(self, seed: int) -> LaneSettings:
        """These settings with a seed for what follows.  [any]"""
        return replace(self, dice=(self.dice[0] + 1, seed))

    @property
    def gain(self) -> float:
        """Of the fader.  [any]"""
        return 0.0 if self.muted else float(10.0 ** (self.values.get("level_db", 0.0) / 20.0))

    def heard(self) -> tuple[object, ...]:
        """What the language model hears of them: a running stream rolls when this changes.  [any]"""
        loudness_and_later = (
            "level_db", "loudness_match", "loudness_lufs", "lead_seconds", "bars", "seed", "guard", "candidates",
            "bend", "region_tempo",
        )  # fmt: skip
        values = tuple(sorted((k, v) for k, v in self.values.items() if k not in loudness_and_later))
        return self.prompt, values, self.dice, tuple(id(self.regions.get(role)) for role in (MELODY, STYLE))

    @property
    def continued(self) -> HeardRegion | None:
        """The region to go on from.  [any]"""
        return self.regions.get(CONTINUE)
