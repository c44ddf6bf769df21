"""`stems.dawproject`: a track for each lane of each complete variation, a group for each variation, the best sounds.
All of it [main].
"""

from __future__ import annotations

from pathlib import Path

from plugin_host.console.output import put
from plugin_host.takes.dawproject import Group, project_file
from plugin_host.takes.stems.state import State
from plugin_host.takes.take import read_take

NAME = "stems.dawproject"


def write(folder: Path, state: State) -> None:
    """Write the project of the complete variations, best first; nothing if there are none. OutputError."""
    groups: list[Group] = []
    files: list[Path] = []
    names: list[str] = []
    for number in state.ranks:
        rows = [row for row in state.rows if row.variation == number]
        groups.append(Group(f"Variation {number}", len(files), len(rows), muted=bool(groups)))
        files += [folder / row.file for row in rows]
        names += [f"{row.lane} {number}" for row in rows]
    if files:
        put(folder / NAME, project_file([read_take(path) for path in files], groups, names))
