"""The correction of a beat that is off: none, a bend of a few per cent, or a leap at a bar line.

no beat, or low confidence          none; the output equals the input sample by sample
off by up to a tenth of a beat      skip or repeat a little, at most 6 % of the time, until it is on the beat
off by more                         leap at the next bar line
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from engine.beat.estimate import NOTHING, Estimate

TAKEN_UP, LET_GO = 0.5, 0.15  # confidence from which a beat is followed, and below which no longer
ALIKE_BEATS = 0.06  # largest difference of two detections of a new beat that agree
LOOKS = 3
BEND_MOST = 0.06  # share of the time
SHARE = 0.5  # share of the offset that one step corrects
IDLE_SECONDS = 0.004  # smaller offsets are not corrected
LEAP_BEATS = 0.1
LEAP_LOOKS = 2


@dataclass(frozen=True)
class BeatCourse:
    """A stream's beat after a step: the estimate, how many detections agreed, how many in a row were far off, and
    whether it is followed.  [any]
    """

    detected: Estimate = NOTHING
    agreed: int = 0
    far: int = 0
    followed: bool = False

    @property
    def leaps(self) -> bool:
        """Whether to leap at the next bar line.  [any]"""
        return self.followed and self.far >= LEAP_LOOKS

    def after(self, detected: Estimate, step_beats: float) -> BeatCourse:
        """The course after the next detection, `step_beats` later.  [generate]"""
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
        """The course after `beats` were skipped (negative: repeated).  [generate]"""
        return replace(self, detected=replace(self.detected, off_beats=self.detected.off_beats - beats), far=0)

    def expected(self, step_beats: float, skipped_beats: float) -> Estimate:
        """The expected next estimate, after `skipped_beats` were skipped.  [generate]"""
        off = self.detected.off_beats + self.detected.drift * step_beats - skipped_beats
        return replace(self.detected, off_beats=off)


def wanted_skip(course: BeatCourse, beat_samples: float, step_samples: int) -> int:
    """Samples to skip within the next step; negative: repeat; 0: no change.  [generate]"""
    if not course.followed or course.leaps or course.far:
        return 0
    run = course.detected.drift * step_samples
    off = course.detected.off_beats * beat_samples + run / 2
    if abs(off) < IDLE_SECONDS * 32_000:
        return 0
    most = BEND_MOST * step_samples
    return round(min(max(SHARE * off + run, -most), most))
