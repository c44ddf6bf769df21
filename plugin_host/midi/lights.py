"""A value as the MIDI message that a light, a ring of lights or a motor fader understands: that of its own control."""

from __future__ import annotations

from typing import Any

from plugin_host.midi.controls import FOURTEEN, SEVEN, Control
from plugin_host.midi.decoder import DATA_LOWER, DATA_UPPER, NRPN_LOWER, NRPN_UPPER

SHOWN = ("cc", "cc14", "nrpn", "note", "bend")  # the others are sent by devices only


def light_messages(control: Control, position: float, channel: int) -> tuple[int, list[Any]]:
    """The raw value, and the mido messages that show a position, 0 to 1; none for controls without a light.  [any]"""
    import mido

    at = control.channel if control.channel is not None else channel
    raw = round(min(1.0, max(0.0, position)) * control.highest)
    upper, lower = raw >> 7, raw & SEVEN

    def change(number: int, value: int) -> Any:
        return mido.Message("control_change", channel=at, control=number, value=value)

    if control.kind == "cc":
        return raw, [change(control.number, raw)]
    if control.kind == "cc14":
        return raw, [change(control.number, upper), change(control.number + 32, lower)]
    if control.kind == "nrpn":
        select = [change(NRPN_UPPER, control.number >> 7), change(NRPN_LOWER, control.number & SEVEN)]
        return raw, [*select, change(DATA_UPPER, upper), change(DATA_LOWER, lower)]
    if control.kind == "note":
        return raw, [mido.Message("note_on", channel=at, note=control.number, velocity=raw)]
    if control.kind == "bend":
        return raw, [mido.Message("pitchwheel", channel=at, pitch=min(FOURTEEN, raw) - 8192)]
    return raw, []
