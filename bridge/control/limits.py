"""Rate limits: token buckets, one for each sender and one for all together.

all together   |################|################|     a message takes a token, an expensive one more
               ^                ^
               quiet senders    busy senders find it empty below this mark: the rest is for the others
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

SENDERS_MAX = 256
BUSY_SHARE = 0.5  # of the common bucket, reserved for quiet senders
LITTLE = 1 / 40  # of a sender's ration: more makes it busy


@dataclass(slots=True)
class Bucket:
    """Lets `per_second` through on average and `burst` at once. Not thread-safe."""

    per_second: float
    burst: float
    tokens: float
    filled_at_seconds: float

    def fill(self, now_seconds: float) -> None:
        """Add the tokens since the last call; `now_seconds` is of a monotonic clock.  [control]"""
        passed = max(0.0, now_seconds - self.filled_at_seconds)
        self.tokens = min(self.burst, self.tokens + passed * self.per_second)
        self.filled_at_seconds = now_seconds

    def take(self, now_seconds: float, left: float = 0.0) -> bool:
        """Whether one more may pass while `left` tokens remain.  [control]"""
        self.fill(now_seconds)
        if self.tokens < 1.0 + left:
            return False
        self.tokens -= 1.0
        return True

    def charge(self, tokens: float) -> None:
        """Take more tokens for the last message; the bucket may owe at most another burst.  [control]"""
        self.tokens = max(-self.burst, self.tokens - tokens)

    def seconds_to_next(self, now_seconds: float) -> float:
        """Seconds until one more may pass.  [control]"""
        self.fill(now_seconds)
        return max(0.0, (1.0 - self.tokens) / self.per_second)


class RateLimiter:
    """A bucket for each sender, the least recent of SENDERS_MAX forgotten, and one for all together.

    All together may send `all_factor` times as much as one; quiet known senders a fourth of that on top.
    """

    def __init__(self, per_second: float, burst: float, all_factor: float = 2.0) -> None:
        self.per_second = per_second
        self._burst = burst
        together = max(2.0, all_factor) * burst
        self._all = Bucket(all_factor * per_second, together, together, 0.0)
        spare = all_factor / 4
        self._spare = Bucket(spare * per_second, max(1.0, spare * burst), max(1.0, spare * burst), 0.0)
        self._senders: OrderedDict[Hashable, tuple[Bucket, Bucket]] = OrderedDict()  # ration, and a quiet one
        self._paid = self._all  # the bucket that paid for the last one

    def admit(self, sender: Hashable, now_seconds: float, known: bool = False) -> bool:
        """Whether one more from `sender` may pass. Limits are per sender.

        If all together send too much, quiet senders pass first, and quiet `known` ones in any case.  [control]
        """
        bucket, little = self._of(sender, now_seconds)
        busy = not little.take(now_seconds)
        bucket.fill(now_seconds)
        if bucket.tokens < 1.0:
            return False
        self._paid = self._all
        if not self._all.take(now_seconds, BUSY_SHARE * (self._all.burst - 1.0) if busy else 0.0):
            self._paid = self._spare
            if busy or not known or not self._spare.take(now_seconds):
                return False
        bucket.tokens -= 1.0
        return True

    def charge(self, sender: Hashable, tokens: float) -> None:
        """Charge the last admitted message of `sender` so many more tokens; below 0: fewer.  [control]"""
        buckets = self._senders.get(sender)
        if buckets is not None:
            for bucket in (*buckets, self._paid):
                bucket.charge(tokens)

    def _of(self, sender: Hashable, now_seconds: float) -> tuple[Bucket, Bucket]:
        buckets = self._senders.get(sender)
        if buckets is not None:
            self._senders.move_to_end(sender)
            return buckets
        some = max(1.0, LITTLE * self._burst)
        little = Bucket(LITTLE * self.per_second, some, some, now_seconds)
        buckets = Bucket(self.per_second, self._burst, self._burst, now_seconds), little
        self._senders[sender] = buckets
        if len(self._senders) > SENDERS_MAX:
            self._senders.popitem(last=False)
        return buckets
