"""The engine: keeps a model hot and turns tokens into audio.

    Ask -> conditions -> token stream (lm, delay, sampling, guidance) -> codec -> resample -> ring

Reading order: config, delay, lm/, sampling, guidance, stream/, codec/, conditions/, model, musicgen, serve/.
Importing this package loads no torch; `from engine import MusicGen` does.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.musicgen import MusicGen

__all__ = ["MusicGen"]


def __getattr__(name: str) -> Any:
    """Load `MusicGen`, and torch with it, when it is first asked for.  [any]"""
    if name == "MusicGen":
        from engine.musicgen import MusicGen

        return MusicGen
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
