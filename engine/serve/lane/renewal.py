"""When music is made anew for settings that keep changing: the newest counts, and the ring does not pay for it.

told        a b c d e f g h i        a dial, many times a second
made anew   a . . d . . g . i        what lies between is never heard

ring        |-- margin --|-- thrown away --|    what sounds soon is kept; the next change waits until the ring is
                                               filled that far again
"""

from __future__ import annotations

from collections.abc import Callable

IN_WINDOW_SECONDS = 0.15  # between two changes of how tokens are drawn: the open window goes on
WINDOW_SECONDS = 0.25  # between two that need a new window, or lie on a place still far ahead
PATIENCE_SECONDS = 4.0  # an engine that never fills its ring that far makes the change all the same
TURNED_SECONDS = 1.0  # changes that follow each other so soon are one dial being turned
TURNED_MARGIN_SECONDS = 0.4  # that is left in the ring meanwhile: what a busy machine can keep the engine from working


class Renewal:
    """One lane's; all [generate]."""

    def __init__(self, now_seconds: Callable[[], float]) -> None:
        self._now_seconds = now_seconds  # of the monotonic clock
        self.last_seconds = 0.0  # when music was made anew last, for whatever reason
        self._since_seconds: float | None = None  # since when something else is wanted

    def made(self) -> None:
        """Music was made anew."""
        self.last_seconds, self._since_seconds = self._now_seconds(), None

    def unwanted(self) -> None:
        """What is made is what is wanted."""
        self._since_seconds = None

    def margin_seconds(self, least_seconds: float) -> float:
        """How far ahead of the host a change is to be heard that could be in `least_seconds`."""
        turned = self._now_seconds() - self.last_seconds < TURNED_SECONDS
        return max(least_seconds, TURNED_MARGIN_SECONDS) if turned else least_seconds

    def due(self, in_window: bool, spare_samples: int | None, margin_seconds: float) -> bool:
        """Whether it is time for a change; `spare_samples` are made behind the margin, None where nothing is made.

        A beginning is begun anew at most once in a margin, or it would never be ready.
        """
        now = self._now_seconds()
        if self._since_seconds is None:
            self._since_seconds = now
        passed, waited = now - self.last_seconds, now - self._since_seconds
        if spare_samples is None:
            return passed >= max(WINDOW_SECONDS, margin_seconds)
        if passed < (IN_WINDOW_SECONDS if in_window else WINDOW_SECONDS):
            return False
        return spare_samples >= 0 or waited >= PATIENCE_SECONDS

    def rests(self, ahead_seconds: float, margin_seconds: float) -> bool:
        """Whether a change for a place so far ahead waits for what else is told for it."""
        far = ahead_seconds > margin_seconds + WINDOW_SECONDS
        return far and self._now_seconds() - self.last_seconds < WINDOW_SECONDS
