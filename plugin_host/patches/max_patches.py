"""The abstractions, the panel and the device for Max: stock objects, and scripts in `javascript/` and `code/`."""

from __future__ import annotations

from bridge.control.jam_rows import JAM_PORT
from bridge.control.messages import DEFAULT_PORT
from bridge.control.presets import preset_names
from bridge.control.rows import ROOT
from bridge.control.take_rows import WATCH_PORT
from plugin_host.patches.patch import Box, Patch
from plugin_host.patches.pd_patches import EVENTS, MORPHS, STATES

REPLY_PORT, JAM_REPLY_PORT = 9601, 9602


def _sockets(patch: Patch, script: Box, outlet: int, port: int, reply: int) -> None:
    """`udpsend` and `udpreceive` for a script, at the ports that the abstraction's arguments give."""
    given = patch.obj(f"patcherargs {port} {reply}", row=1)
    ports = patch.obj("unpack i i", given)
    sending = patch.obj(f"udpsend 127.0.0.1 {port}", (script, outlet), patch.msg("port $1", ports))
    receiving = patch.obj(f"udpreceive {reply}", patch.msg("port $1", (ports, 1)))
    patch.wire(patch.msg("reply_port $1", (ports, 1)), script)
    patch.wire(receiving, script, 1)
    assert sending is not receiving


def client() -> Patch:
    """`segue.client PORT REPLY_PORT`.  [any]"""
    patch = Patch()
    inlet, asked = patch.obj("inlet", row=0), patch.obj("r segue.request", row=1)
    every = patch.obj("metro 2000 @active 1", row=1)
    script = patch.obj("js segue.client.js", inlet, asked, every)
    _sockets(patch, script, 2, DEFAULT_PORT, REPLY_PORT)
    patch.obj("s segue.in", script)
    patch.obj("outlet", script)
    patch.obj("outlet", (script, 1))
    return patch


def lane() -> Patch:
    """`segue.lane LANE`.  [any]"""
    patch = Patch()
    patch.obj("s segue.request", patch.obj("js segue.lane.js #1", patch.obj("inlet", row=0)))
    states = [f"{ROOT}/state/{name}" for name in STATES]
    events = [f"{ROOT}/event/{name}" for name in EVENTS]
    kinds = patch.obj(f"route {' '.join([*states, *events, ROOT + '/state/beat'])}", patch.obj("r segue.in", row=1))
    words = [*STATES, *("event" if name == "lane" else name for name in EVENTS)]
    named = [patch.chain((kinds, n), "route #1", f"prepend {word}") for n, word in enumerate(words)]
    patch.obj("outlet", *named)
    beat = patch.chain((kinds, len(words)), "route #1", "unpack 0 0 0.")
    waiting = patch.obj("pipe 0 0 250", beat)
    patch.wire((beat, 1), waiting, 1)
    patch.wire((beat, 2), waiting, 2)
    both = patch.obj("pack 0 0", waiting)
    patch.wire((waiting, 1), both, 1)
    patch.obj("outlet", both)
    return patch


def morph() -> Patch:
    """`segue.morph LANE`.  [any]"""
    patch = Patch()
    patch.obj("s segue.request", patch.obj("js segue.morph.js #1", patch.obj("inlet", row=0)))
    heard = patch.chain(patch.obj("r segue.in", row=1), f"route {ROOT}/event/heard", "route #1", "zl slice 1")
    own = patch.obj(f"route {' '.join(row.address for row in MORPHS)}", (heard, 1))
    named = [patch.obj(f"prepend {row.address.rpartition('/')[2]}", (own, n)) for n, row in enumerate(MORPHS)]
    patch.obj("outlet", *named)
    return patch


def meter() -> Patch:
    """`segue.meter LANE`.  [any]"""
    patch = Patch()
    kinds = patch.obj(f"route {ROOT}/state/levels {ROOT}/state/ring", patch.obj("r segue.in", row=1))
    levels = patch.chain(kinds, "route #1", "unpack 0. 0.")
    ring = patch.chain((kinds, 1), "route #1", "unpack 0. 0. 0. 0 0")
    for source in (levels, (levels, 1), ring, (ring, 4)):
        patch.obj("outlet", source)
    return patch


def takes() -> Patch:
    """`segue.takes PORT`.  [any]"""
    patch = Patch()
    made = patch.chain(patch.obj("r segue.in", row=1), f"route {ROOT}/event/take", "unpack 0 s s")
    answers = patch.obj(f"node.script segue.takes.js {WATCH_PORT} @autostart 1", patch.obj("inlet", row=0))
    patch.obj("outlet", (made, 2))
    patch.obj("outlet", answers)
    return patch


def jam() -> Patch:
    """`segue.jam PORT REPLY_PORT`.  [any]"""
    patch = Patch()
    script = patch.obj("js segue.jam.js", patch.obj("inlet", row=0), patch.obj("metro 5000 @active 1", row=1))
    _sockets(patch, script, 2, JAM_PORT, JAM_REPLY_PORT)
    patch.obj("outlet", script)
    patch.obj("outlet", (script, 1))
    return patch


def loop() -> Patch:
    """`segue.loop~`: two buffers; which one sounds is sampled where the count begins again.  [any]"""
    patch = Patch()
    script = patch.obj("js segue.loop.js #0", patch.obj("inlet", row=0))
    buffers = [patch.obj(f"buffer~ #0-{name} 1 2", (script, n), row=4) for n, name in enumerate("ab")]
    for number, buffer in enumerate(buffers):  # the second outlet bangs when the file is read
        patch.wire(patch.msg(str(number), (buffer, 1)), script, 2)
    count = patch.obj("count~ 0 48000", (script, 5))
    patch.wire((script, 3), count, 1)
    wrapped = patch.chain(count, "delta~", "<~ 0.")
    patch.wire(patch.obj("edge~", wrapped), script, 1)
    chosen = patch.obj("sah~ 0.5", patch.obj("sig~", (script, 2)))
    patch.wire(wrapped, chosen, 1)
    which = patch.obj("+~ 1.", chosen)
    for channel in (1, 2):
        both = [patch.obj(f"index~ #0-{name} {channel}", count) for name in "ab"]
        sound = patch.obj("selector~ 2", which)
        for number, source in enumerate(both):
            patch.wire(source, sound, number + 1)
        loud = patch.obj("*~ 0.", sound)
        patch.wire((script, 6), loud, 1)
        patch.obj("outlet", loud)
    patch.obj("outlet", (script, 4))
    return patch


ABSTRACTIONS = {
    "segue.client": client, "segue.lane": lane, "segue.morph": morph, "segue.meter": meter, "segue.takes": takes,
    "segue.loop~": loop, "segue.jam": jam,
}  # fmt: skip


def panel() -> Patch:
    """Lane 0 to play with: prompt, transport, presets, dials, levels.  [any]"""
    patch = Patch()
    patch.say("Segue: start segue engine and segue host, then play")
    there = patch.obj("segue.client", row=2)
    patch.box("toggle", "", (there, 1), row=3)
    patch.box("comment", "lit: the engine answers", row=3)
    row = 4
    prompt = patch.box("text", "", row=row)
    patch.box("comment", "prompt, then Return", row=row)
    words = patch.chain(prompt, "route text", "tosymbol", "prepend prompt")
    presets = patch.box("menu", " ".join(preset_names()), row=row + 5)
    chosen = patch.obj("prepend preset", (presets, 1))
    moves = [patch.msg(text, row=row + 6) for text in ("play bar", "stop bar", "mute 1", "mute 0", "reseed bar")]
    dials = []
    for number, (name, low, high) in enumerate((("temperature", 0, 2), ("cfg", 0, 8), ("level_db", -40, 6))):
        slider = patch.box("slider", f"{low} {high}", row=row + 7 + number)
        patch.box("comment", name, row=row + 7 + number)
        dials.append(patch.obj(f"prepend set {name}", slider, row=row + 10))
    lane_box = patch.obj("segue.lane 0", words, chosen, *moves, *dials, row=row + 11)
    patch.obj("print segue-lane", patch.obj("route parameter time levels ring", lane_box))
    meters = patch.obj("segue.meter 0", row=row + 11)
    for outlet, what in enumerate(("peak dB", "RMS dB", "ready ms", "underruns")):
        patch.box("number", "", (meters, outlet), row=row + 14)
        patch.box("comment", what, row=row + 14)
    _surface(patch, row + 16)
    return patch


def _surface(patch: Patch, row: int) -> None:
    """Four prompts at the corners of a square, and a point between them."""
    texts = []
    for number, corner in enumerate(("below left", "below right", "above left", "above right"), 1):
        text = patch.box("text", "", row=row + number - 1)
        patch.box("comment", f"prompt {number}, {corner}, then Return", row=row + number - 1)
        texts.append(patch.chain(text, "route text", "tosymbol", f"prepend slot {number}"))
    square = patch.box("xy", "", row=row + 8)
    point = patch.obj("pack 0. 0.", patch.obj("/ 127.", square, row=row + 14), row=row + 15)
    patch.wire(patch.obj("/ 127.", (square, 1), row=row + 14), point, 1)
    patch.obj("segue.morph 0", *texts, patch.obj("prepend xy", point), row=row + 17)


def live_panel() -> Patch:
    """Max for Live: the selected clip to a lane, Live's transport, takes into the selected slot.  [any]"""
    patch = Patch()
    patch.say("Segue: select a clip, send it, play")
    ready = patch.obj("live.thisdevice", row=2)
    link = patch.obj("segue.client", row=2)
    script = patch.obj("js segue.live.js", row=5)
    buttons = [patch.msg(text, row=3) for text in ("send continue 0", "send melody 0", "send style 0")]
    for button in buttons:
        patch.wire(button, script)
    every = patch.obj("metro 250", ready)
    patch.wire(patch.msg("transport 0", every), script)
    patch.wire(script, link)
    made = patch.obj("segue.takes", row=5)
    patch.wire(patch.obj("prepend take", made), script)
    moves = [patch.msg(text, row=7) for text in ("play bar", "stop bar", "mute 1", "mute 0")]
    patch.obj("segue.lane 0", *moves)
    patch.obj("print segue", (script, 1))
    order = patch.obj("print segue-clip", (script, 2))
    assert order
    sound = patch.obj("plugin~", row=2)
    out = patch.obj("plugout~", sound, row=9)
    patch.wire((sound, 1), out, 1)
    return patch
