"""Lanes: streams that begin and end at different times and advance together.

`step_windows` is the one place where lanes meet the language model, and so the one place where their rows may
share a pass. On the CPU every lane runs its own 2 or 3 rows: kernels then see the shapes they would see
alone, and a lane's tokens are the same to the last bit whatever plays beside it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from torch import Tensor

from engine.stream.together import can_join, step_together
from engine.stream.tokens import TokenStream
from engine.stream.window import Window


def step_windows(windows: Sequence[Window]) -> list[Tensor | Exception]:
    """Logits [R, K, card] of each window's next step; an exception for a lane that failed.  [generate]"""
    joint = _joint([window for window in windows if window.on_gpu and can_join(window)])
    results: list[Tensor | Exception] = []
    for window in windows:
        try:
            results.append(joint[id(window)] if id(window) in joint else window.logits())
        except Exception as error:
            results.append(error)
    return results


def _joint(windows: Sequence[Window]) -> dict[int, Tensor]:
    """Logits by window where rows share a pass; empty, and every lane alone, where that fails."""
    if len(windows) < 2:
        return {}
    try:
        return dict(zip(map(id, windows), step_together(windows), strict=True))
    except (RuntimeError, ValueError):  # no state has moved on: the lane whose fault it is shows alone
        return {}


@dataclass(frozen=True)
class LaneFrames:
    """What a lane gained: codes [K, n] int64, whether it is at its end, what went wrong.  [generate]"""

    codes: Tensor
    finished: bool
    error: Exception | None = None


class LaneBatch:
    """Streams by name, advanced in lock step; a lane that fails is dropped alone."""

    def __init__(self) -> None:
        self.streams: dict[Hashable, TokenStream] = {}

    def add(self, name: Hashable, stream: TokenStream) -> None:
        """Let a stream take part from the next step on; replaces one of the same name.  [generate]"""
        self.streams[name] = stream

    def remove(self, name: Hashable) -> TokenStream | None:
        """Take a stream out; its codes stay with it.  [generate]"""
        return self.streams.pop(name, None)

    def advance(self, n_frames: int, names: Iterable[Hashable] | None = None) -> dict[Hashable, LaneFrames]:
        """Complete up to `n_frames` more of each named lane (None = all); finished lanes yield what is left.

        A lane that raises is removed; its exception comes with the frames it still completed.  [generate]
        """
        chosen = {name: self.streams[name] for name in (self.streams if names is None else names)}
        start = {name: stream.n_frames for name, stream in chosen.items()}
        errors: dict[Hashable, Exception] = {}
        while True:
            waiting = [
                name
                for name, stream in chosen.items()
                if name not in errors and not stream.finished and stream.n_frames < start[name] + n_frames
            ]
            if not waiting:
                break
            errors.update(_step([(name, chosen[name]) for name in waiting]))
        for name in errors:
            self.remove(name)
        return {
            name: LaneFrames(stream.codes(start[name]), stream.finished, errors.get(name))
            for name, stream in chosen.items()
        }


def _step(lanes: Sequence[tuple[Hashable, TokenStream]]) -> dict[Hashable, Exception]:
    """One step of every lane; the exceptions of those that failed."""
    errors: dict[Hashable, Exception] = {}
    ready: list[tuple[Hashable, TokenStream, Window]] = []
    for name, stream in lanes:
        try:
            ready.append((name, stream, stream.open_window()))
        except Exception as error:
            errors[name] = error
    for (name, stream, _), result in zip(ready, step_windows([window for *_, window in ready]), strict=True):
        try:
            if isinstance(result, Exception):
                raise result
            stream.write(result)
        except Exception as error:
            errors[name] = error
    return errors
