"""The map without a file: the switches of foot controllers, as `segue jam` has them, and a box of eight knobs.

CC 64, CC 80, program 0, note 36    play from the next bar, and stop there
CC 66, CC 81, program 1, note 37    a new take: another seed from the next bar
CC 67, CC 82, program 2, note 38    mute
CC 83, program 3, note 39           cancel what waits
CC 85, program 5, note 41           record four bars of notes as the melody
CC 21 to 28                         temperature, cfg, level_db, lead_seconds, density, section, top_k, candidates
CC 7                                level_db: the volume pedal
"""

from __future__ import annotations

from bridge.control.jam_rows import JAM_VERBS
from bridge.control.rows import ROOT
from plugin_host.midi.binding import Binding, bind
from plugin_host.midi.map_file import MidiMap

_KNOBS: tuple[tuple[str, float, float], ...] = (  # sensible ranges to play in, not the widest
    ("temperature", 0.6, 1.4), ("cfg", 1.0, 8.0), ("level_db", -30.0, 6.0), ("lead_seconds", 0.5, 6.0),
    ("density", 0.0, 1.0), ("section", -1.0, 6.0), ("top_k", 20.0, 500.0), ("candidates", 1.0, 4.0),
)  # fmt: skip
FIRST_KNOB, VOLUME = 21, 7
_SWITCHES = (("cc", 80), ("program", 0), ("note", 36))  # the first of eight
_PEDALS = {64: 0, 66: 1, 67: 2}  # CC of the sustain, sostenuto and soft pedal, and which switch it is


def default_map(lane: int = 0, jam: bool = False) -> MidiMap:
    """The built-in map for a lane; `jam`: the switches are a jam's verbs, as its foot switch has them.  [any]"""
    if jam:
        return MidiMap((*_jam_switches(lane), *_knobs(lane)), lane)
    pads = [(place, f"{kind} {first + place}") for kind, first in _SWITCHES for place in (0, 1, 2, 3, 5)]
    switches = [_switch(place, control, lane) for place, control in pads]
    pedals = [_switch(place, f"cc {number}", lane) for number, place in _PEDALS.items()]
    return MidiMap((*pedals, *switches, *_knobs(lane)), lane)


def _knobs(lane: int) -> list[Binding]:
    knobs = [
        bind(f"cc {FIRST_KNOB + place}", name, lane, low=low, high=high)
        for place, (name, low, high) in enumerate(_KNOBS)
    ]
    return [*knobs, bind(f"cc {VOLUME}", "level_db", lane, low=-60.0, high=6.0, curve=0.5)]


def _jam_switches(lane: int) -> list[Binding]:
    verbs = [verb.address.removeprefix(f"{ROOT}/") for verb in JAM_VERBS]
    pads = [(f"{kind} {first + place}", verb) for kind, first in _SWITCHES for place, verb in enumerate(verbs)]
    pedals = [("cc 64", verbs[0]), ("cc 66", verbs[1]), ("cc 67", verbs[-1])]
    return [bind(control, verb, lane) for control, verb in (*pedals, *pads)]


def _switch(place: int, control: str, lane: int) -> Binding:
    if place == 0:
        return bind(control, "lane/play", lane, given={"at": "bar"}, other="lane/stop")
    if place == 1:
        return bind(control, "lane/reseed", lane, given={"at": "bar"})
    if place == 2:
        return bind(control, "lane/mute", lane, moves="on")
    return bind(control, "lane/cancel", lane) if place == 3 else bind(control, "midi/record", lane)
