"""When music is regenerated for settings that keep changing: the newest counts, and the ring stays filled.

    changes       a b c d e f g h i        a dial, many times a second
    regenerated   a                        more than the margin is made: music behind it is discarded, once
    redrawn         b . d . f . h i        no more than the margin is made: frames not drawn yet get the new settings

    ring          |-- margin --|-- discarded --|    what sounds soon stays; a change that needs a new window waits
                                                   until the ring is filled that far again

The margin follows how far the ring fell recently while the engine was filling it. While a dial turns, no more than the
margin is made, so nothing is discarded.
"""

from __future__ import annotations

from collections import deque

from bridge.system.clock import Clock

IN_WINDOW_SECONDS = 0.15  # between two changes of how tokens are drawn, in the open window
WINDOW_SECONDS = 0.25  # between two that need a new window, or are due far ahead
PATIENCE_SECONDS = 4.0  # after which a change is made even if the ring never fills that far
TURNED_SECONDS = 1.0  # changes closer together are one dial being turned
TURNED_MARGIN_SECONDS = 0.4  # left in the ring meanwhile, at least
MARGIN_MOST_SECONDS = 0.45  # for the ring's fall: the newest value must be heard within 0.25 s after it
LED_SECONDS = 0.1  # of music behind the margin that is played rather than discarded
SPREAD = 1.25  # factor over the ring's recent fall
RESERVE_SECONDS = 0.1  # left in the ring then
LATELY_SECONDS = 20.0


class Renewal:
    """One lane's renewal; all [generate]."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.last_seconds = 0.0  # when music was last regenerated, for any reason
        self._since_seconds: float | None = None  # since when other settings are wanted
        self._follows = self._turned = False  # the last regeneration followed soon; and stayed in the open window
        self._top_seconds: float | None = None  # the ring's highest fill since its cut; None: not measured
        self._falls: deque[tuple[float, float]] = deque()  # times and depths of falls from there; the deepest first

    def made(self) -> None:
        """Music was regenerated."""
        self._follows, self._turned, self._top_seconds = self._turns(), False, None
        self.last_seconds, self._since_seconds = self._clock.now_seconds(), None

    def made_in_window(self, left_seconds: float) -> None:
        """It was regenerated in the open window, for other settings; `left_seconds` remain in the ring."""
        self._turned, self._top_seconds = self._follows, left_seconds

    def led(self) -> None:
        """Frames not drawn yet get the new settings."""
        self._turned = self._turns()
        self.last_seconds, self._since_seconds = self._clock.now_seconds(), None

    def unwanted(self) -> None:
        """Made music agrees with the settings."""
        self._since_seconds = None

    def _turns(self) -> bool:
        return self._clock.now_seconds() - self.last_seconds < TURNED_SECONDS

    # -- the ring ---------------------------------------------------------------------------------------

    def filled(self, before_seconds: float, after_seconds: float, lead_seconds: float) -> None:
        """Record the ring's fill right before and after music was written to fill it up to a lead."""
        now, top = self._clock.now_seconds(), self._top_seconds
        if top is not None:
            fall = top - before_seconds
            while self._falls and self._falls[-1][1] <= fall:
                self._falls.pop()
            self._falls.append((now, fall))
        self._top_seconds = min(max(after_seconds, top or 0.0), lead_seconds)

    @property
    def fall_seconds(self) -> float:
        """The ring's deepest recent fall."""
        while self._falls and self._falls[0][0] < self._clock.now_seconds() - LATELY_SECONDS:
            self._falls.popleft()
        return self._falls[0][1] if self._falls else 0.0

    def lead_seconds(self, wanted_seconds: float, least_seconds: float) -> float:
        """The lead: no longer than the margin while a dial is turned in the open window."""
        return min(wanted_seconds, self.margin_seconds(least_seconds, True)) if self.turning else wanted_seconds

    @property
    def turning(self) -> bool:
        """Whether a dial is being turned in the open window: as little as possible is made at once."""
        return self._turned and self._turns()

    def margin_seconds(self, least_seconds: float, in_window: bool) -> float:
        """How far ahead of the host a change takes effect; it takes `least_seconds` if nothing else is going on."""
        turned = TURNED_MARGIN_SECONDS if self._turns() else 0.0
        if not in_window:  # their time is measured from end to end
            return max(least_seconds, turned)
        fall = min(SPREAD * self.fall_seconds + RESERVE_SECONDS, MARGIN_MOST_SECONDS)
        return max(least_seconds, turned, fall)

    # -- whether it is time -----------------------------------------------------------------------------

    def leads(self, in_window: bool, spare_samples: int | None, rate_hz: int) -> bool:
        """Whether a change begins where made music ends; `spare_samples` of that lie behind the margin."""
        return in_window and spare_samples is not None and spare_samples <= LED_SECONDS * rate_hz

    def due(self, in_window: bool, spare_samples: int | None, margin_seconds: float) -> bool:
        """Whether it is time for a change; `spare_samples` are made behind the margin, None if nothing is made.

        A stream that has not begun restarts at most once in a margin, or it would never be ready.
        """
        now = self._clock.now_seconds()
        if self._since_seconds is None:
            self._since_seconds = now
        passed, waited = now - self.last_seconds, now - self._since_seconds
        if spare_samples is None:
            return passed >= max(WINDOW_SECONDS, margin_seconds)
        if passed < (IN_WINDOW_SECONDS if in_window else WINDOW_SECONDS):
            return False
        return spare_samples >= 0 or waited >= PATIENCE_SECONDS

    def rests(self, ahead_seconds: float, margin_seconds: float) -> bool:
        """Whether a change due so far ahead waits for others with the same due beat."""
        far = ahead_seconds > margin_seconds + WINDOW_SECONDS
        return far and self._clock.now_seconds() - self.last_seconds < WINDOW_SECONDS
