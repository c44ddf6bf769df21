"""How the engine as a whole is."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.serve.studio import Studio

LOADING, READY, STOPPING, FAILED = "loading", "ready", "stopping", "failed"


@dataclass
class EngineState:
    """How the engine is; [main] and [generate] change it, [control] answers with it."""

    name: str = LOADING
    text: str = ""
    device: str = ""
    studio: Studio | None = None
    license: str = ""
    started_seconds: float = field(default_factory=time.monotonic)
