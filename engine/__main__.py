"""`python -m engine`: the engine as a process."""

import sys

from engine.serve.server import main

if __name__ == "__main__":
    sys.exit(main())
