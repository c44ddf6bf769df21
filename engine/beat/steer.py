"""What is done about a beat that is off: nothing, a bend of a few per cent, or a leap at a bar line.

no beat, or not sure of it          nothing; what is put out stays what was made, sample by sample
off by up to a tenth of a beat      skip or repeat a little, most 6 % of the time, until it is on
off by more                         leap there at the next bar line
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.beat.estimate import NOTHING, Estimate

TAKEN_UP, LET_GO = 0.5, 0.15  # confidence from which a beat is followed, and below which no longer
ALIKE_BEATS = 0.06  # two looks at a new beat agree this well, or it is none
LOOKS = 3
BEND_MOST = 0.06  # share of the time
SHARE = 0.5  # of what is off that one step takes away
IDLE_SECONDS = 0.004  # what is off by less is left
LEAP_BEATS = 0.1
LEAP_LOOKS = 2


@dataclass(frozen=True)
class BeatCourse:
    """What is known of a stream's beat after a step: the estimate, how often a new one agreed, how often it was far
    off, and whether it is followed.  [any]
    """

    detected: Estimate = NOTHING
    agreed: int = 0
    far: int = 0
    followed: bool = False

    @property
    def leaps(self) -> bool:
        """Whether it is to leap at the next bar line.  [any]"""
        return self.followed and self.far >= LEAP_LOOKS

    def after(self, detected: Estimate, step_beats: float) -> BeatCourse:
        """The course after the next look, `step_beats` later.  [generate]"""
        if self.followed:
            if detected.confidence < LET_GO:
                return BeatCourse(detected)
            far = self.far + 1 if abs(detected.off_beats) > LEAP_BEATS else 0
            return replace(self, detected=detected, far=far)
        expected = self.detected.off_beats + self.detected.drift * step_beats
        alike = abs((detected.off_beats - expected + 0.5) % 1.0 - 0.5) < ALIKE_BEATS
        if detected.confidence < TAKEN_UP:
            return BeatCourse(detected)
        agreed = self.agreed + 1 if alike else 1
        return BeatCourse(detected, agreed, int(abs(detected.off_beats) > LEAP_BEATS), agreed >= LOOKS)

    def leapt(self, beats: float) -> BeatCourse:
        """The course when `beats` were skipped (negative: repeated).  [generate]"""
        return replace(self, detected=replace(self.detected, off_beats=self.detected.off_beats - beats), far=0)

    def expected(self, step_beats: float, skipped_beats: float) -> Estimate:
        """What the next look should find, after `skipped_beats` were skipped.  [generate]"""
        off = self.detected.off_beats + self.detected.drift * step_beats - skipped_beats
        return replace(self.detected, off_beats=off)


def wanted_skip(course: BeatCourse, beat_samples: float, step_samples: int) -> int:
    """Samples to be skipped within the next step; negative: repeated; 0: leave it.  [generate]"""
    if not course.followed or course.leaps or course.far:
        return 0
    run = course.detected.drift * step_samples
    off = course.detected.off_beats * beat_samples + run / 2
    if abs(off) < IDLE_SECONDS * 32_000:
        return 0
    most = BEND_MOST * step_samples
    return round(min(max(SHARE * off + run, -most), most))
