"""`python -m engine`: the engine as a process."""

import os
import sys

from bridge.system.dependencies import broken_library


def run() -> int:
    """The engine's exit code; 1 and one sentence where a library that it begins with does not load.  [main]"""
    try:
        from engine.serve.control.server import main
    except Exception as fault:
        broken = broken_library(fault)
        if broken is None:
            raise
        sys.stderr.write(f"segue engine: {broken}\n")
        return 1
    return main()


if __name__ == "__main__":
    # PyTorch's threads otherwise spin after each product, on the processors that the native step's threads need. Read
    # when PyTorch is loaded, which the imports above leave for later.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Decoders that print have standard error taken away while they read (`sound_file`): ours is another one.
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    sys.exit(run())
