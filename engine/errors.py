"""The engine's error tree.

    EngineError
    ├── CheckpointError     a model file is not what it should be; says which file and why
    ├── AudioError          audio that this model cannot use
    ├── UnsupportedError    asked for something the loaded model cannot do, named
    │   └── NotInstalled    ... without a library that is not there
    └── OutOfMemory         there was no memory for it

Each has a `code`, a short lower-case word that stays the same across versions.
"""


class EngineError(Exception):
    """Base of all errors raised for a fault outside the engine.  [any]"""

    code = "engine"


class CheckpointError(EngineError):
    """A checkpoint is missing, cut short, of another shape, or holds what it must not hold.  [any]"""

    code = "checkpoint"


class AudioError(EngineError):
    """Audio cannot be used: empty, too short, not finite, or with channels the model does not know.  [any]"""

    code = "audio"


class UnsupportedError(EngineError):
    """The loaded model cannot do what was asked; the message names it.  [any]"""

    code = "unsupported"


class NotInstalled(UnsupportedError):
    """A library that this needs is not there; the message says how to install it.  [any]"""

    code = "not_installed"


class OutOfMemory(EngineError):
    """There was no memory for it, on the processor's side or a device's.  [any]"""

    code = "out_of_memory"
