"""The guard of levels: no stem lies 20 dB below another of its variation. All of it [any].

A stem is compared with the stems made before it, so that those can already be heard: a quiet one is raised, a loud one
lowered. Silence is not raised.
"""

from __future__ import annotations

from collections.abc import Sequence

from plugin_host.takes.stems.figures import SILENT_DB

SPREAD_DB = 20.0
RAISED_MAX_DB = 30.0  # more would be noise
CEILING_DB = -1.0  # of peaks


def guarded_gain_db(level_db: float, peak_db: float, others_db: Sequence[float]) -> tuple[float, str]:
    """Change of a stem's level in dB beside the levels of the others, and a note if there is one."""
    heard = [other for other in others_db if other > SILENT_DB]
    if level_db <= SILENT_DB:
        return 0.0, "it is silent"
    if not heard:
        return 0.0, ""
    low, high = max(heard) - SPREAD_DB, min(heard) + SPREAD_DB
    if level_db > high:
        return high - level_db, f"{level_db - high:.0f} dB lowered: it was more than {SPREAD_DB:.0f} dB above another"
    if level_db >= low:
        return 0.0, ""
    wanted = low - level_db
    gain = min(wanted, RAISED_MAX_DB, max(CEILING_DB - peak_db, 0.0))
    note = f"{gain:.0f} dB raised: it was {SPREAD_DB + wanted:.0f} dB below another"
    return gain, note if gain == wanted else f"{note}; {wanted - gain:.0f} dB are missing to {SPREAD_DB:.0f}"
