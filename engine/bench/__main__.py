"""`python -m engine.bench`: see `engine.bench.command`."""

import sys

from engine.bench.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
