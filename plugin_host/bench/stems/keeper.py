"""Makes stems and keeps each as soon as it is made; says each keep that has returned. It is there to be killed.

python -m plugin_host.bench.stems.keeper PORT FOLDER SEED
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from plugin_host.bench.stems.batch import order_of
from plugin_host.console.screen import print_line
from plugin_host.history.history import History
from plugin_host.takes.engines import EngineRequest, hot_engine
from plugin_host.takes.stems.run import make_stems

LANES, VARIATIONS = "drums,bass", 3


def main(port: int, folder: Path, seed: int) -> None:
    """Make and keep all stems; prints the number of each kept take on a line.  [main]"""
    order = order_of(1, VARIATIONS, LANES)
    order = replace(order, take=replace(order.take, seed=seed, session=folder))

    def keep_all(line: str) -> None:
        if not (folder / "takes.db").exists():
            return
        with History(folder) as history:
            for node in history.keep([node.number for node in history.nodes("NOT kept")]):
                _say(str(node.number))

    with hot_engine(EngineRequest(port), lambda line: None) as hot:
        _say("ready")
        make_stems(order, hot, folder, keep_all, lambda line: None)
        keep_all("")
    _say("done")


def _say(line: str) -> None:
    """Print a line at once: the process may end at any moment."""
    print_line(line)
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
