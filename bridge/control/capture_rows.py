"""Rows of the message table about captures: music that a plugin recorded, passed in shared memory."""

from __future__ import annotations

from bridge.control import rows
from bridge.control.rows import AT, LANE, PLACED, ROLE, UNDERSTOOD

# fmt: off
REGION_CAPTURE = rows.request(
    "region/capture", LANE, ROLE, rows.text("name", "of the shared-memory segment it lies in, see capture.md", 64), AT,
    reply=(*UNDERSTOOD, *PLACED),
    meaning="Gives the lane what the DAW plugin recorded; its segment has tempo and position.", slow=True, local=True,
)
