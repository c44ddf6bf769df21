"""The engine's error tree.

    EngineError
    ├── CheckpointError     a model file is invalid; names the file and the reason
    ├── AudioError          audio that this model cannot use
    ├── UnsupportedError    the loaded model does not support the request, which is named
    │   └── NotInstalled    ... because a library is missing
    └── OutOfMemory         there is not enough memory

Each has a `code`, a short lower-case word that stays the same across versions.
"""


class EngineError(Exception):
    """Base of all errors raised for a fault outside the engine.  [any]"""

    code = "engine"


class CheckpointError(EngineError):
    """A checkpoint is missing, truncated, of another shape, or has forbidden content.  [any]"""

    code = "checkpoint"


class AudioError(EngineError):
    """Audio cannot be used: empty, too short, not finite, or with channels the model does not know.  [any]"""

    code = "audio"


class UnsupportedError(EngineError):
    """The loaded model does not support the request; the message names it.  [any]"""

    code = "unsupported"


class NotInstalled(UnsupportedError):
    """A required library is missing; the message says how to install it.  [any]"""

    code = "not_installed"


class OutOfMemory(EngineError):
    """There is not enough memory, on the processor or on a device.  [any]"""

    code = "out_of_memory"
