"""When music is made anew for settings that keep changing: the newest counts, and the ring does not pay for it.

    told        a b c d e f g h i        a dial, many times a second
    made anew   a                        more than the margin is made: what lies behind it is thrown away, once
    led on        b . d . f . h i        no more than the margin is made: what is not drawn yet is drawn otherwise

    ring        |-- margin --|-- thrown away --|    what sounds soon is kept; a change that needs a new window waits
                                                   until the ring is filled that far again

The margin follows how far the ring fell lately while the engine was filling it. While a dial is turned no more than the
margin is made, so that there is nothing to throw away.
"""

from __future__ import annotations

from collections import deque

from bridge.system.clock import Clock

IN_WINDOW_SECONDS = 0.15  # between two changes of how tokens are drawn: the open window goes on
WINDOW_SECONDS = 0.25  # between two that need a new window, or lie on a place still far ahead
PATIENCE_SECONDS = 4.0  # an engine that never fills its ring that far makes the change all the same
TURNED_SECONDS = 1.0  # changes that follow each other so soon are one dial being turned
TURNED_MARGIN_SECONDS = 0.4  # that is left in the ring meanwhile, at least
MARGIN_MOST_SECONDS = 0.45  # for what the ring falls: the newest value is to be heard 0.25 s after it at most
LED_SECONDS = 0.1  # of music behind the margin that is rather played than thrown away
SPREAD = 1.25  # the ring may fall a little further than it did lately
KEPT_SECONDS = 0.1  # that are to be left then
LATELY_SECONDS = 20.0


class Renewal:
    """One lane's; all [generate]."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.last_seconds = 0.0  # when music was made anew last, for whatever reason
        self._since_seconds: float | None = None  # since when something else is wanted
        self._follows = self._turned = False  # what was made last followed soon; and was a change in the open window
        self._top_seconds: float | None = None  # that the ring held at most since it was cut; None: it does not count
        self._falls: deque[tuple[float, float]] = deque()  # when and how far it fell from there; the deepest first

    def made(self) -> None:
        """Music was made anew."""
        self._follows, self._turned, self._top_seconds = self._turns(), False, None
        self.last_seconds, self._since_seconds = self._clock.now_seconds(), None

    def made_in_window(self, left_seconds: float) -> None:
        """That was for other settings, in the open window; so much is left in the ring."""
        self._turned, self._top_seconds = self._follows, left_seconds

    def led(self) -> None:
        """What is not drawn yet is drawn by other settings."""
        self._turned = self._turns()
        self.last_seconds, self._since_seconds = self._clock.now_seconds(), None

    def unwanted(self) -> None:
        """What is made is what is wanted."""
        self._since_seconds = None

    def _turns(self) -> bool:
        return self._clock.now_seconds() - self.last_seconds < TURNED_SECONDS

    # -- the ring ---------------------------------------------------------------------------------------

    def filled(self, before_seconds: float, after_seconds: float, lead_seconds: float) -> None:
        """The ring held so much right before and after music came that was wanted to fill it up to a lead."""
        now, top = self._clock.now_seconds(), self._top_seconds
        if top is not None:
            fall = top - before_seconds
            while self._falls and self._falls[-1][1] <= fall:
                self._falls.pop()
            self._falls.append((now, fall))
        self._top_seconds = min(max(after_seconds, top or 0.0), lead_seconds)

    @property
    def fall_seconds(self) -> float:
        """How far the ring fell lately, at most."""
        while self._falls and self._falls[0][0] < self._clock.now_seconds() - LATELY_SECONDS:
            self._falls.popleft()
        return self._falls[0][1] if self._falls else 0.0

    def lead_seconds(self, wanted_seconds: float, least_seconds: float) -> float:
        """How far ahead music is to be made: no further than the margin while a dial is turned in the open window."""
        return min(wanted_seconds, self.margin_seconds(least_seconds, True)) if self.turning else wanted_seconds

    @property
    def turning(self) -> bool:
        """Whether a dial is being turned in the open window: no more is made at once than can be helped."""
        return self._turned and self._turns()

    def margin_seconds(self, least_seconds: float, in_window: bool) -> float:
        """How far ahead of the host a change is to be heard that could be in `least_seconds` where nobody disturbs."""
        turned = TURNED_MARGIN_SECONDS if self._turns() else 0.0
        if not in_window:  # how long those take is measured from end to end
            return max(least_seconds, turned)
        fall = min(SPREAD * self.fall_seconds + KEPT_SECONDS, MARGIN_MOST_SECONDS)
        return max(least_seconds, turned, fall)

    # -- whether it is time -----------------------------------------------------------------------------

    def leads(self, in_window: bool, spare_samples: int | None, rate_hz: int) -> bool:
        """Whether a change is to begin behind what is made; `spare_samples` of that lie behind the margin."""
        return in_window and spare_samples is not None and spare_samples <= LED_SECONDS * rate_hz

    def due(self, in_window: bool, spare_samples: int | None, margin_seconds: float) -> bool:
        """Whether it is time for a change; `spare_samples` are made behind the margin, None where nothing is made.

        A beginning is begun anew at most once in a margin, or it would never be ready.
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
        """Whether a change for a place so far ahead waits for what else is told for it."""
        far = ahead_seconds > margin_seconds + WINDOW_SECONDS
        return far and self._clock.now_seconds() - self.last_seconds < WINDOW_SECONDS
