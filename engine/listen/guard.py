"""Checks a stream while it is made and reports faults; any cut of its audio gives the same verdicts.

    codes   ------------------------------>  come first
    audio   ----------------------->         of the same frames, a little later
    checks  every 0.1 s, loops every 0.5 s   at fixed frames of the stream, in order

A verdict depends on the music alone; `guard_actions` decides what to do about it, and whether there is time.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.listen import faults, loops
from engine.listen.faults import Verdict
from engine.listen.features import FRAMES_PER_SECOND, Audio, FrameFeatures, no_rows
from engine.listen.loops import Codes

CHECK_FRAMES, LOOP_CHECK_FRAMES = 5, 25
PAST_FRAMES = loops.FRAMES_NEEDED + 12 * FRAMES_PER_SECOND  # the checked part, and the furthest that a stream goes back
PARDON_FRAMES = 10 * FRAMES_PER_SECOND  # for these a pardoned fault is not reported again
FRAMES_BEFORE = 4  # frames of audio that `FrameFeatures` needs before a frame


class Guard:
    """The guard of one stream; frames count from its start, negative frames are the prompt."""

    def __init__(self, sample_rate_hz: int, n_codebooks: int, bpm: float | None = None) -> None:
        self.patience = faults.patience_frames(bpm)
        self._features = FrameFeatures(sample_rate_hz)
        self._rows = no_rows()
        self._codes: Codes = np.zeros((n_codebooks, 0), np.int16)
        self._first = 0  # own frame of the first row and of the first code
        self._checked = 0
        self._pardoned: dict[str, int] = {}

    @property
    def checked_frames(self) -> int:
        """The stream frame after the last checked one.  [generate]"""
        return self._first + len(self._rows)

    def begin(self, audio: Audio, codes: Codes, frame: int = 0) -> None:
        """Start at an own frame, after audio [n] (mono) and codes [K, m] that end there.  [generate]"""
        self._features.forget()
        count = min(len(audio) // self._features.size, codes.shape[1], PAST_FRAMES)
        self._rows = self._features.add(audio[len(audio) - count * self._features.size :]) if count else no_rows()
        self._codes = codes[:, codes.shape[1] - count :].astype(np.int16)
        self._first, self._checked = frame - count, frame

    def tempo(self, bpm: float | None) -> None:
        """Set the host's tempo, for the length of breaks.  [generate]"""
        self.patience = faults.patience_frames(bpm)

    def add(self, audio: Audio, codes: Codes) -> Verdict | None:
        """Add audio [n] (mono) and codes [K, m]; returns the first fault.  [generate]

        After a verdict the stream is to be taken back, or the fault pardoned: `back_to`, `pardon`.
        """
        self._codes = np.concatenate([self._codes, codes.astype(np.int16)], axis=1)
        self._rows = self._rows.then(self._features.add(audio))
        found = self._check()
        extra = len(self._rows) - PAST_FRAMES
        if extra > 0 and found is None:
            self._rows, self._codes = self._rows.cut(extra), self._codes[:, extra:]
            self._first += extra
        return found

    def go_on(self) -> Verdict | None:
        """Continue the checks after a pardon; returns the next fault in the audio so far.  [generate]"""
        return self._check()

    def pardon(self, verdict: Verdict) -> None:
        """Let a fault pass: its kind is not reported again for some seconds.  [generate]"""
        self._pardoned[verdict.what] = verdict.seen_frame + PARDON_FRAMES

    def back_to(self, frame: int, before: Audio) -> None:
        """Forget own frames from `frame` on; `before` [n] is the audio (mono) that ends there.  [generate]"""
        if not self._first <= frame <= self.checked_frames:
            known = frame - self._first
            self.begin(before, self._codes[:, : max(0, known)], frame)
            return
        count = frame - self._first
        self._rows, self._codes = self._rows.cut(0, count), self._codes[:, :count]
        self._features.forget(before)
        self._checked = min(self._checked, frame)

    def _check(self) -> Verdict | None:
        """Run the checks since the last one."""
        while (frame := self._next_check()) <= self.checked_frames:
            self._checked = frame
            found = self._judge(frame)
            if found is not None and self._pardoned.get(found.what, frame) <= frame:
                return found
        return None

    def _next_check(self) -> int:
        return (self._checked // CHECK_FRAMES + 1) * CHECK_FRAMES

    def _judge(self, frame: int) -> Verdict | None:
        rows = self._rows.cut(0, frame - self._first)
        recent = rows.cut(max(0, len(rows) - loops.FRAMES_NEEDED))
        found = faults.quiet(recent, self.patience) or faults.clipping(recent) or faults.jump(recent)
        if found is None and frame % LOOP_CHECK_FRAMES == 0:  # the prompt may be a loop: only own frames
            recent = rows.cut(max(0, len(rows) - loops.FRAMES_NEEDED, -self._first))
            found = loops.loop(recent, self._codes[:, len(rows) - len(recent) : len(rows)])
        if found is None:
            return None
        shift = frame - len(recent)
        return replace(found, begin_frame=found.begin_frame + shift, seen_frame=found.seen_frame + shift)
