"""The weights of a stream's prompts and styles along its frames: steps, and glides of so many beats.

    frame     0 ............. | 300 ............. 500 | ...........      a morph of 8 beats from frame 300 on
    weights   1 0 0             1 0 0 -- glides --> 0.2 0.8 0            reached after 8 beats

A glide's weights change at every `GLIDE_FRAMES`th frame from its first one on: the same music however the stream is
advanced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest

from engine.serve.lane_settings import LaneSettings, Morph
from engine.serve.timeline.placement import Weights

GLIDE_FRAMES = 10  # a fifth of a second
FRAMES_A_MINUTE = 3000.0


@dataclass
class _Leg:
    """From `frame` on: towards `morph` from the weights `begun`; `passed` beats after each `GLIDE_FRAMES`.

    None in `begun`: there already.
    """

    frame: int
    morph: Morph
    begun: tuple[float, ...] | None
    passed: list[float] = field(default_factory=lambda: [0.0])


class WeightTrack:
    """The weights of one kind; `tempo_at` is the host's tempo at a stream frame.  [generate]"""

    def __init__(self, morph: Morph, tempo_at: Callable[[int], float]) -> None:
        self._tempo_at = tempo_at
        self._legs = [_Leg(0, morph, None)]

    def follow(self, morph: Morph, frame: int) -> None:
        """Head for `morph` from stream frame `frame` on; what came later is dropped."""
        self._legs = [leg for leg in self._legs if leg.frame < frame] or [self._legs[0]]
        last = self._legs[-1]
        del last.passed[max(1, 1 + -(-(frame - last.frame) // GLIDE_FRAMES)) :]
        if last.morph != morph:
            self._legs.append(_Leg(frame, morph, _in_place(self.at(frame), morph.moved)))

    def at(self, frame: int) -> tuple[float, ...]:
        """The weights for the step that draws a stream frame."""
        leg = self._legs[0]
        for other in self._legs[1:]:
            leg = other if other.frame <= frame else leg
        if leg.begun is None or not leg.morph.beats:
            return leg.morph.weights
        share = self._passed(leg, frame) / leg.morph.beats
        return leg.morph.weights if share >= 1.0 else between(leg.begun, leg.morph.weights, share)

    def _passed(self, leg: _Leg, frame: int) -> float:
        """Beats from a leg's first frame on, counted in whole steps of a glide."""
        steps = max(0, frame - leg.frame) // GLIDE_FRAMES
        while len(leg.passed) <= steps and leg.passed[-1] < leg.morph.beats:
            tempo = self._tempo_at(leg.frame + GLIDE_FRAMES * (len(leg.passed) - 1))
            leg.passed.append(leg.passed[-1] + tempo * GLIDE_FRAMES / FRAMES_A_MINUTE)
        return leg.passed[min(steps, len(leg.passed) - 1)]


class WeightCourse:
    """The weights of a stream's prompts and styles.  [generate]"""

    def __init__(self, settings: LaneSettings, tempo_at: Callable[[int], float]) -> None:
        """A glide that began before the stream is taken as ended."""
        self._tracks = tuple(WeightTrack(morph, tempo_at) for morph in (settings.morph, settings.style_morph))

    def follow(self, settings: LaneSettings, frame: int) -> None:
        """Follow the settings from stream frame `frame` on."""
        for track, morph in zip(self._tracks, (settings.morph, settings.style_morph), strict=True):
            track.follow(morph, frame)

    def at(self, frame: int) -> Weights:
        """The weights for the step that draws a stream frame."""
        prompts, styles = (track.at(frame) for track in self._tracks)
        return prompts, styles


def between(begun: tuple[float, ...], aimed: tuple[float, ...], share: float) -> tuple[float, ...]:
    """Weights a share of the way from one tuple to another; a missing one is 0.  [any]"""
    return tuple(a + share * (b - a) for a, b in zip_longest(begun, aimed, fillvalue=0.0))


def _in_place(weights: tuple[float, ...], moved: tuple[int, ...]) -> tuple[float, ...]:
    """Weights in the places that their prompts have after a change, see `Morph`."""
    if not moved:
        return weights
    return tuple(weights[place] if 0 <= place < len(weights) else 0.0 for place in moved)
