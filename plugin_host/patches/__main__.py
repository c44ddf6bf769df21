"""`python -m plugin_host.patches` writes the patches; `--check` says which differ from what it would write."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from plugin_host.console.screen import complain
from plugin_host.patches.files import all_files

PLUGIN_HOST = Path(__file__).parents[1]


def main(arguments: Sequence[str]) -> int:
    """0: written, or as they would be; 1: some differ.  [main]"""
    differing = []
    for name, data in all_files().items():
        path = PLUGIN_HOST / name
        if "--check" in arguments:
            if not path.is_file() or path.read_bytes() != data:
                differing.append(name)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    for name in differing:
        complain(f"{name} differs: run python -m plugin_host.patches")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
