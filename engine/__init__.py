"""The engine: keeps a model hot and turns tokens into audio.

    Ask -> conditions -> token stream (lm, delay, sampling, guidance) -> codec -> resample -> ring

Reading order: core/, lm/, stream/, codec/, conditions/, model.py, models/, api/, serve/.
Importing this package loads no torch; `from engine import MusicGen` does.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.api.musicgen import MusicGen
    from engine.audio import audio_file
    from engine.audio.audio_file import audio_read, audio_write

__all__ = ["MusicGen", "audio_file", "audio_read", "audio_write"]

_HOMES = {
    "MusicGen": "api.musicgen",
    "audio_file": "audio.audio_file",
    "audio_read": "audio.audio_file",
    "audio_write": "audio.audio_file",
}


def __getattr__(name: str) -> Any:
    """Load a public name, and torch with it, on first use.  [any]"""
    if name in _HOMES:
        from engine.system.optional_library import needed

        with needed(f"engine.{name}"):
            module = import_module(f"engine.{_HOMES[name]}")
        return module if name == "audio_file" else getattr(module, name)
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
