"""`python -m engine`: the engine as a process."""

import os
import sys

from engine.serve.server import main

if __name__ == "__main__":
    # PyTorch's threads otherwise spin after each product, on the processors that the native step's threads need. Read
    # when PyTorch is loaded, which the imports above leave for later.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Decoders that print have standard error taken away while they read (bridge/sound_file.py): ours is another one.
    sys.stderr = os.fdopen(os.dup(2), "w", buffering=1, encoding="utf-8", errors="backslashreplace")
    sys.exit(main())
