"""Messages that `segue relay` answers itself, beside those that it passes on to its engine; docs/far.md tells more."""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import Argument

BUFFER_MODES = ("auto", "initial", "ms", "beats")
BUFFER_MS_MAX = 1000.0

# fmt: off
_MODE = Argument("mode", "s", "auto: follows the network; initial: follows it for the first seconds, then stays; ms, "
                 "beats: as long as `value`", choices=BUFFER_MODES)
_BUFFER = (
    _MODE, rows.figure("buffer_ms", "how far ahead of the host music is asked for", "ms"),
    rows.figure("buffer_beats", "the same at the host's tempo", "beats"),
)
FAR = rows.request(
    "far",
    reply=(
        Argument("state", "s", "connected, or away: it tries again, and hosts repeat their bar",
                 choices=("connected", "away")),
        rows.text("engine", "address of the engine's machine"),
        rows.figure("rtt_ms", "there and back, median of the last ten seconds", "ms"),
        rows.figure("jitter_ms", "what 95 of 100 stay within, less the shortest", "ms"),
        *_BUFFER,
        rows.figure("ready_seconds", "music that is here, of the lane that has least", "s"),
        rows.count("losses", "how often the connection was lost"),
        rows.figure("away_seconds", "how long it has been away; 0: it is connected", "s"),
    ),
    meaning="Reads the state of a relay's connection.", asks=True,
)
FAR_BUFFER = rows.request(
    "far/buffer", _MODE,
    rows.bounded("value", "f", "for ms: 0 to 1000; for beats: 0 to 4; else 0", 0, BUFFER_MS_MAX, default=0.0),
    reply=_BUFFER, meaning="Sets a relay's jitter buffer.",
)
# fmt: on

FAR_REQUESTS = (FAR, FAR_BUFFER)
