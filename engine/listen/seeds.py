"""Seeds made from a stream's own: which number, by which fault, at which frame, says all; chance has no part."""

from __future__ import annotations

from hashlib import blake2b


def derived_seed(seed: int, *numbers: int) -> int:
    """A seed below 2**62, another for other numbers, the same for the same.  [any]"""
    text = " ".join(map(str, (seed, *numbers)))
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "little") >> 2
