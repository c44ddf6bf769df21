"""How much anybody may ask: token buckets, one per sender and one for all of them together."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass

SENDERS_MAX = 256


@dataclass(slots=True)
class Bucket:
    """Lets `per_second` through on average and `burst` at once. Not thread-safe."""

    per_second: float
    burst: float
    tokens: float
    filled_at_seconds: float

    def take(self, now_seconds: float) -> bool:
        """True when one more may pass at `now_seconds` (of a clock that does not go back).  [control]"""
        passed = max(0.0, now_seconds - self.filled_at_seconds)
        self.tokens = min(self.burst, self.tokens + passed * self.per_second)
        self.filled_at_seconds = now_seconds
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


class Limiter:
    """A bucket for each sender, the least recent of SENDERS_MAX forgotten, and one for all together."""

    def __init__(self, per_second: float, burst: float, all_factor: float = 2.0) -> None:
        self.per_second = per_second
        self._burst = burst
        self._all = Bucket(all_factor * per_second, all_factor * burst, all_factor * burst, 0.0)
        self._senders: OrderedDict[Hashable, Bucket] = OrderedDict()

    def admit(self, sender: Hashable, now_seconds: float) -> bool:
        """True when one more from `sender` may pass; who is over it takes nothing from others.  [control]"""
        bucket = self._senders.get(sender)
        if bucket is None:
            bucket = Bucket(self.per_second, self._burst, self._burst, now_seconds)
            self._senders[sender] = bucket
            if len(self._senders) > SENDERS_MAX:
                self._senders.popitem(last=False)
        else:
            self._senders.move_to_end(sender)
        return bucket.take(now_seconds) and self._all.take(now_seconds)
