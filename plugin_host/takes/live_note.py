"""Of a take that was played live: which part of which journal it is."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.control.arguments import Argument


@dataclass(frozen=True)
class LiveNote:
    """A journal's folder inside the session, the checksum of its first `n_bytes`, and where the take begins in what
    was heard, in samples; an empty journal: the take was not played live. `repair`: late music is in its place.
    """

    journal: str = ""
    sha256: str = ""
    n_bytes: int = 0
    first: int = 0
    repair: int = 0

    def __bool__(self) -> bool:
        return bool(self.journal)


# fmt: off
LIVE_COLUMNS = (
    Argument("journal", "s", "", default="", max_length=1000), Argument("sha256", "s", "", default="", max_length=64),
    Argument("n_bytes", "i", "", low=0, high=2**30, default=0),
    Argument("first", "i", "", low=0, high=2**40, default=0), Argument("repair", "i", "", low=0, high=1, default=0),
)
# fmt: on
