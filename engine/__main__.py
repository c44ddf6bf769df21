"""`python -m engine`: the engine as a process."""

import os
import sys

from bridge.system.dependencies import broken_library


def run() -> int:
    """Run the engine; returns its exit code, or 1 and prints one sentence if a required library does not load.
    [main]"""
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
    # PyTorch's threads otherwise spin after each product, on the processors that the native step's threads need.
    # PyTorch reads this when it is loaded, after the imports above.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # `sound_file` redirects standard error from decoders that print on it: the engine uses a copy.
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    sys.exit(run())
