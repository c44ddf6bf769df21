"""Seeds derived deterministically from a stream's own seed, a frame and an attempt."""

from __future__ import annotations

from hashlib import blake2b


def derived_seed(seed: int, *numbers: int) -> int:
    """A seed below 2**62, a function of these numbers.  [any]"""
    text = " ".join(map(str, (seed, *numbers)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") >> 2
