"""Caches of results computed from audio, by the audio's content, with a size limit."""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from torch import Tensor

_Key = tuple[tuple[int, ...], bytes]


class ConditionCache:
    """`compute(audio)`, or its cached result for equal audio; drops the least recently used results first.

    At most `max_bytes` of results are held, but always the newest. Results are not to be written to. A thread that
    requests a result that another one computes waits for it; cached results are returned at once.
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


class WhileItLives:
    """Results computed from one tensor object, kept as long as that tensor: they do not keep long music alive."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, Hashable], tuple[weakref.ref[Tensor], Any]] = {}

    def __call__(self, audio: Tensor, kind: Hashable, compute: Callable[[], Any]) -> Any:
        """The result of that kind; two threads at once may both compute it.  [any]"""
        key = (id(audio), kind)
        found = self._found.get(key)
        if found is None or found[0]() is not audio:
            found = weakref.ref(audio, lambda gone: self._forget(key, gone)), compute()
            self._found[key] = found
        return found[1]

    def _forget(self, key: tuple[int, Hashable], gone: weakref.ref[Tensor]) -> None:
        found = self._found.get(key)
        if found is not None and found[0] is gone:
            del self._found[key]

    def __len__(self) -> int:
        return len(self._found)
