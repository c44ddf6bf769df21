"""A melody of notes to a lane, as a region with the role `melody`."""

from __future__ import annotations

from plugin_host.client.client import EngineClient
from plugin_host.client.lane_calls import When
from plugin_host.midi.melody import RATE_HZ, Melody, render


def send_melody(
    client: EngineClient, melody: Melody, lane: int, bpm: float = 0.0, start_beats: float = 0.0, at: When = "now"
) -> str:
    """Send it, at `bpm` or 0 for its own tempo, from a beat of the host's timeline on; returns a line that says so.

    MelodyError, or what the engine answers.  [main]
    """
    tempo = bpm or melody.bpm
    audio = render(melody, tempo)
    found = client.region_audio(lane, "melody", audio, RATE_HZ, tempo, start_beats, at)
    note = f"; {found.note}" if found.note else ""
    bars = f"{melody.bars} bar{'' if melody.bars == 1 else 's'}"
    return f"melody: {len(melody.notes)} notes, {bars} at {tempo:g} bpm, for lane {lane}{note}"
