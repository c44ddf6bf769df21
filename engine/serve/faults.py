"""Maps the engine's errors to those of the OSC contract, so that every answer carries one of its codes."""

from __future__ import annotations

from bridge.errors import EngineFault, LaneError, OutOfRange, RegionError, SegueError, Unsupported
from bridge.system.dependencies import broken_library
from engine.errors import AudioError, EngineError, UnsupportedError


class Overtaken(Exception):
    """A command that another one replaced."""


def wire_fault(error: Exception) -> SegueError:
    """The error to answer with; an unexpected one is `internal`, with its type and text.  [any]"""
    if isinstance(error, SegueError):
        return error
    if isinstance(error, UnsupportedError):
        return Unsupported(str(error))
    if isinstance(error, AudioError):
        return RegionError(str(error))
    if isinstance(error, Overtaken):
        return LaneError(str(error))
    if isinstance(error, (ValueError, EngineError)):
        return OutOfRange(str(error))
    broken = broken_library(error)
    if broken is not None:
        return Unsupported(broken)
    return EngineFault(f"the engine failed inside ({type(error).__name__}): {error}")
