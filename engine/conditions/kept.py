"""What was computed of audio before is not computed again: results kept by what the audio holds, within a bound."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor


class Kept:
    """`compute(audio)`, or what it gave for equal audio before; the least lately used results go first.

    At most `max_bytes` of results are held, but always the newest. Results are not to be written to.
    """

    def __init__(self, compute: Callable[[Tensor], Tensor], max_bytes: int) -> None:
        self.compute = compute
        self.max_bytes = max_bytes
        self._results: OrderedDict[tuple[tuple[int, ...], bytes], Tensor] = OrderedDict()

    def __call__(self, audio: Tensor) -> Tensor:
        """The result for float32 audio of any shape.  [generate]"""
        samples = audio.detach().cpu().contiguous().numpy()
        key = (tuple(audio.shape), hashlib.blake2b(samples.data, digest_size=16).digest())
        if key in self._results:
            self._results.move_to_end(key)
        else:
            self._results[key] = self.compute(audio)
            while len(self._results) > 1 and self.held_bytes > self.max_bytes:
                self._results.popitem(last=False)
        return self._results[key]

    @property
    def held_bytes(self) -> int:
        """Bytes of the results held now.  [any]"""
        return sum(result.numel() * result.element_size() for result in self._results.values())
