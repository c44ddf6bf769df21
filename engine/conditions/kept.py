"""What was computed of audio before is not computed again: results kept by what the audio holds, within a bound."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor

_Key = tuple[tuple[int, ...], bytes]

class Kept:
    """`compute(audio)`, or what it gave for equal audio before; the least lately used results go first.

    At most `max_bytes` of results are held, but always the newest. Results are not to be written to. A thread that
    asks for what another one computes waits for it; results that are there are given at once.
    """

    def __init__(self, compute: Callable[[Tensor], Tensor], max_bytes: int) -> None:
        self.compute = compute
        self.max_bytes = max_bytes
        self._results: OrderedDict[_Key, Tensor] = OrderedDict()
        self._computing: dict[_Key, threading.Lock] = {}
        self._lock = threading.Lock()

    def __call__(self, audio: Tensor) -> Tensor:
        """The result for float32 audio of any shape.  [any]"""
        samples = audio.detach().cpu().contiguous().numpy()
        key = (tuple(audio.shape), hashlib.blake2b(samples.data, digest_size=16).digest())
        with self._lock:
            if key in self._results:
                self._results.move_to_end(key)
                return self._results[key]
            computing = self._computing.setdefault(key, threading.Lock())
        with computing:
            with self._lock:
                result = self._results.get(key)
            if result is None:
                result = self.compute(audio)
            self._keep(key, result)
        return result

    def _keep(self, key: _Key, result: Tensor) -> None:
        with self._lock:
            self._computing.pop(key, None)
            self._results[key] = result
            self._results.move_to_end(key)
            while len(self._results) > 1 and self._bytes() > self.max_bytes:
                self._results.popitem(last=False)

    @property
    def held_bytes(self) -> int:
        """Bytes of the results held now.  [any]"""
        with self._lock:
            return self._bytes()

    def _bytes(self) -> int:
        return sum(result.numel() * result.element_size() for result in self._results.values())
