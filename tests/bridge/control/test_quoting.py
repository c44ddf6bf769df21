"""Text with spaces received as several arguments: the error says how to send it."""

from __future__ import annotations

import pytest

from bridge.control import messages
from bridge.errors import WireError


@pytest.mark.parametrize(
    ("row", "values", "hint"),
    [
        (messages.LANE_PROMPT, (3, 0, "lo-fi", "piano"), '"lo-fi piano"'),
        (messages.LANE_PROMPT, (3, 0, "lo-fi", "warm", "piano"), '"lo-fi warm piano"'),
        (messages.LANE_MUTE, (6, 0, 1, "bars", 4), '"bars 4"'),
        (messages.LANE_MUTE, (6, 0, 1, "bars", 4.0), '"bars 4"'),
        (messages.LANE_PLAY, (5, 0, "bars", 4), '"bars 4"'),
        (messages.LANE_PLAY, (5, 0, "Bars", 4, 16), '"Bars 4"'),
        (messages.LANE_PROMPT, (3, 0, "dub", "bar", 12), '"dub bar"'),
        (messages.LANE_SET, (4, 0, "cfg", 1.0, "bars", 4), '"bars 4"'),
        (messages.REGION_FILE, (3, 0, "style", "/my", "loop.wav", 120, 0), '"/my loop.wav"'),
    ],
)
def test_how_to_quote_is_said(row: messages.Message, values: tuple[object, ...], hint: str) -> None:
    with pytest.raises(WireError) as fault:
        row.check(values)
    assert hint in str(fault.value)


@pytest.mark.parametrize(
    ("row", "values"),
    [
        (messages.LANE_PROMPT, (3, 0, 5)),
        (messages.LANE_MUTE, (6, 0, 1, "soon")),
        (messages.LANE_PLAY, (5, 0, "now", 4.5)),
        (messages.PING, (1, 2)),
        (messages.LANE_SET, (4, 0, "cfg")),
        (messages.LANE_SET, (4, 0, "level_db", "-3")),
    ],
)
def test_no_quotes_are_asked_for_where_they_would_not_help(row: messages.Message, values: tuple[object, ...]) -> None:
    with pytest.raises(WireError) as fault:
        row.check(values)
    assert "quotes" not in str(fault.value)
