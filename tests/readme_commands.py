"""Print the commands of one section of the README, so that CI runs exactly the documented commands.

    python tests/readme_commands.py main-job|tests

A block is named by an HTML comment above it: `<!-- commands: NAME -->`.
"""

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
_BLOCK = re.compile(r"<!-- commands: (?P<name>[a-z-]+) -->\s*```sh\n(?P<body>.*?)```", re.DOTALL)


def blocks() -> dict[str, str]:
    """All named command blocks of the README."""
    return {match["name"]: match["body"] for match in _BLOCK.finditer(README.read_text())}


if __name__ == "__main__":
    sys.stdout.write(blocks()[sys.argv[1]])
