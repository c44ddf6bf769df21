"""Errors of a MIDI map and of melodies."""

from __future__ import annotations

from bridge.errors import SegueError


class MidiMapError(SegueError):
    """A MIDI map, or a control or target in it, cannot be used; the message says what is allowed."""

    code = "midi_map"


class MelodyError(SegueError):
    """A MIDI file, or what was played, is no melody; the message says why."""

    code = "melody"
