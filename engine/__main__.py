"""`python -m engine`: the engine as a process."""

import os
import sys

from engine.serve.server import main

if __name__ == "__main__":
    # PyTorch's threads otherwise spin after each product, on the processors that the native step's threads need. Read
    # when PyTorch is loaded, which the imports above leave for later.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    sys.exit(main())
