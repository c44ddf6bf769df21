"""The abstractions for Pure Data, from objects of its vanilla version (0.51 or later).

`segue.client` speaks to the engine. The others reach it by two names: what is sent to `segue.request` becomes a request
with an id, and what the engine sends is received from `segue.in`, without `segue` before it.
"""

from __future__ import annotations

from bridge.control import messages
from bridge.control.jam_rows import JAM_LISTEN, JAM_PORT, JAM_ROOT
from bridge.control.messages import DEFAULT_PORT
from bridge.control.rows import ROOT
from bridge.control.take_rows import WATCH_PORT
from plugin_host.patches.patch import Box, Outlet, Patch

PING_MS, GONE_MS = 2000, 7000
STATES = ("lane", "prompt", "parameter", "time", "levels", "ring", "pending")
EVENTS = ("lane", "heard", "late", "region", "guard")
MORPHS = (messages.LANE_SLOT, messages.LANE_MORPH, messages.LANE_SURFACE, messages.LANE_RECALL)


def port() -> Patch:
    """`segue.port PORT USUAL`: messages to a UDP port of this machine and from it, as OSC.  [any]"""
    patch = Patch()
    inlet = patch.obj("inlet", row=0)
    both = patch.chain(inlet, "list", "t a a")
    arguments = patch.obj("list split 1", both)
    address = patch.chain((both, 1), "list split 1", "list prepend set", "list trim")
    coded = patch.obj("oscformat", (arguments, 1), address)
    net = patch.chain(coded, "list prepend send", "list trim", "netsend -u -b")
    given = patch.chain(patch.obj("loadbang", row=0), "f $1", "sel 0")
    usual = patch.chain(given, "f $2")
    link = patch.msg("connect 127.0.0.1 $1", usual, (given, 1))
    other = patch.obj("t f b", patch.obj("inlet", row=0))
    patch.wire(other, link)
    patch.wire(patch.msg("disconnect", (other, 1)), net)
    patch.wire(link, net)
    patch.obj("outlet", patch.chain((net, 1), "oscparse", "list trim", "route segue"))
    return patch


def _requests(patch: Patch, source: Outlet, prefix: str) -> Box:
    """Messages `lane/play 0 bar` as `PREFIXlane/play ID 0 bar`, with ids that count up."""
    start = patch.chain(source, "list", "t a b")
    counter = patch.obj("f", (start, 1))
    following = patch.chain(counter, "+ 1", "mod 1000000")
    patch.wire(following, counter, 1)
    split = patch.obj("list split 1", start)
    values = patch.obj("list prepend 1", (split, 1))
    patch.wire(patch.obj("+ 1", counter), values, 1)
    joined = patch.chain(split, "list trim", "symbol", f"makefilename {prefix}%s", "list append")
    patch.wire(values, joined, 1)
    return joined


def client() -> Patch:
    """`segue.client [PORT]`: says hello, subscribes, counts ids, notices when the engine goes and comes.  [any]"""
    patch = Patch()
    request = _requests(patch, patch.obj("inlet", row=0), f"{ROOT}/")
    patch.wire(patch.obj("r segue.request", row=0), patch.boxes[1])
    raw = patch.obj("inlet", row=0)
    link = patch.obj(f"segue.port $1 {DEFAULT_PORT}", request, raw)
    patch.wire(patch.obj("r segue.engine", row=0), link, 1)
    heard = patch.obj("t a a a", link)
    patch.obj("outlet", heard)
    patch.obj("s segue.in", (heard, 1))
    sorted_ = patch.obj("route ok error event", (heard, 2))
    patch.obj("print segue", patch.obj("list prepend error", (sorted_, 1)))
    uptime = patch.chain(sorted_, "list split 1")
    pong = patch.obj(f"route {messages.PING.address}", patch.obj("list trim", (uptime, 1)))
    _presence(patch, pong, (sorted_, 2), link)
    return patch


def _presence(patch: Patch, pong: Box, events: Outlet, link: Box) -> None:
    """Hello and subscriptions when the engine is there for the first time or was started again; outlet 2: 1 or 0."""
    order = patch.obj("t f f b", pong)
    new = patch.obj("< 1e+09", (order, 1))
    patch.wire(order, new, 1)
    begin = patch.chain(new, "sel 1", "t b b")
    patch.wire(patch.msg(f"{messages.short(messages.SUBSCRIBE)} all 10", begin), link)
    patch.wire(patch.msg(f"{messages.short(messages.HELLO)} 0 pd", (begin, 1)), link)
    there = patch.obj("t b b", (order, 2))
    gone = patch.msg("0", patch.obj(f"delay {GONE_MS}", there))
    patch.obj("outlet", patch.obj("change -1", patch.msg("1", (there, 1)), gone))
    forgotten = patch.chain(events, "route client", "route forgotten", "t b")
    patch.wire(patch.msg("1e+09", forgotten), new, 1)
    ticks = patch.chain(patch.obj("loadbang", row=0), "t b b", "delay 20", f"metro {PING_MS}")
    patch.wire(patch.msg(f"{messages.PING.address} 1000001", ticks), link)


def lane() -> Patch:
    """`segue.lane LANE`: everything that a lane is asked for and says; its beats when they sound.  [any]"""
    patch = Patch()
    kinds = patch.chain(patch.obj("inlet", row=0), "list", "list trim", "route region clear")
    joined = _lane_requests(patch, (kinds, 2))
    region, clear = (
        patch.obj("list prepend region/file $1", kinds),
        patch.obj("list prepend region/clear $1", (kinds, 1)),
    )
    patch.obj("s segue.request", patch.obj("list trim", joined, region, clear))
    source = patch.obj("route state event", patch.obj("r segue.in", row=0))
    out = patch.obj("outlet", row=9)
    states = patch.obj(f"route {' '.join(STATES)} beat", source)
    events = patch.obj(f"route {' '.join(EVENTS)}", (source, 1))
    for number, name in enumerate(STATES):
        patch.wire(patch.chain((states, number), "route $1", f"list prepend {name}", "list trim"), out)
    for number, name in enumerate(EVENTS):
        word = "event" if name == "lane" else name
        patch.wire(patch.chain((events, number), "route $1", f"list prepend {word}", "list trim"), out)
    beat = patch.chain((states, len(STATES)), "route $1", "unpack f f f")
    waiting = patch.obj("pipe 0 0 250", beat)
    patch.wire((beat, 1), waiting, 1)
    patch.wire((beat, 2), waiting, 2)
    both = patch.obj("pack f f", waiting)
    patch.wire((waiting, 1), both, 1)
    patch.obj("outlet", both)
    return patch


def _lane_requests(patch: Patch, source: Outlet) -> Box:
    """Messages `play bar` as `lane/play LANE bar`."""
    split = patch.chain(source, "list", "list split 1")
    values = patch.obj("list prepend $1", (split, 1))
    joined = patch.chain(split, "list trim", "symbol", "makefilename lane/%s", "list append")
    patch.wire(values, joined, 1)
    return joined


def morph() -> Patch:
    """`segue.morph LANE`: prompts of a lane, mixed by weights or by a point; scenes.  [any]"""
    patch = Patch()
    kinds = patch.chain(patch.obj("inlet", row=0), "list", "list trim", "route glide save xy styles list float")
    glide = patch.obj("s $0-glide", kinds)
    assert glide
    save = patch.obj("list prepend preset/save $1", (kinds, 1))
    point = patch.obj("t a b", (kinds, 2))
    beats = patch.obj("f", (point, 1))
    placed = patch.obj("list append", point)
    patch.wire(beats, placed, 1)
    mixed, stored = [patch.obj("list prepend lane/surface $1", placed)], [beats]
    for what, sources in (("styles", [(kinds, 3)]), ("prompts", [(kinds, 4), (kinds, 5)])):
        weights = patch.obj("t a b", *sources)
        beats = patch.obj("f", (weights, 1))
        head = patch.chain(beats, f"list prepend lane/morph $1 {what}", "list append now")
        whole = patch.obj("list prepend", weights)
        patch.wire(head, whole, 1)
        mixed.append(whole)
        stored.append(beats)
    given = patch.obj("r $0-glide", row=0)
    for each in stored:
        patch.wire(given, each, 1)
    patch.obj("s segue.request", patch.obj("list trim", save, *mixed, _lane_requests(patch, (kinds, 6))))
    heard = patch.chain(patch.obj("r segue.in", row=0), "route event", "route heard", "route $1", "list split 1")
    own = patch.obj(f"route {' '.join(row.address for row in MORPHS)}", patch.obj("list trim", (heard, 1)))
    named = [patch.obj(f"list prepend {row.address.rpartition('/')[2]}", (own, n)) for n, row in enumerate(MORPHS)]
    patch.obj("outlet", patch.obj("list trim", *named))
    return patch


def meter() -> Patch:
    """`segue.meter LANE`: peak and RMS in dB, fill in ms, underruns.  [any]"""
    patch = Patch()
    kinds = patch.chain(patch.obj("r segue.in", row=0), "route state", "route levels ring")
    levels = patch.chain(kinds, "route $1", "unpack f f")
    ring = patch.chain((kinds, 1), "route $1", "unpack f f f f f")
    for source in (levels, (levels, 1), ring, (ring, 4)):
        patch.obj("outlet", source)
    return patch


def takes() -> Patch:
    """`segue.takes [PORT]`: orders takes of `segue watch`, marks their history, tells the file of each.  [any]"""
    patch = Patch()
    kinds = patch.chain(patch.obj("inlet", row=0), "list", "list trim", "route order all")
    order = patch.obj("list prepend take", kinds)
    everything = patch.obj("list prepend takes/list", (kinds, 1))
    split = patch.chain((kinds, 2), "list", "list split 1")
    joined = patch.chain(split, "list trim", "symbol", "makefilename takes/%s", "list append")
    patch.wire((split, 1), joined, 1)
    link = patch.obj(
        f"segue.port $1 {WATCH_PORT}",
        _requests(patch, patch.obj("list trim", order, everything, joined), f"{ROOT}/"),
    )
    made = patch.chain(patch.obj("r segue.in", row=0), "route event", "route take", "unpack f s s")
    patch.obj("outlet", (made, 2))
    patch.obj("outlet", link)
    return patch


def jam() -> Patch:
    """`segue.jam [PORT]`: presses for a running `segue jam`, and its state.  [any]"""
    patch = Patch()
    split = patch.chain(patch.obj("inlet", row=0), "list", "list split 1")
    joined = patch.chain(split, "list trim", "symbol", f"makefilename {JAM_ROOT}%s", "list append")
    patch.wire((split, 1), joined, 1)
    link = patch.obj(f"segue.port $1 {JAM_PORT}", joined)
    ticks = patch.chain(patch.obj("loadbang", row=0), "delay 20", "metro 5000")
    patch.wire(patch.msg(f"{JAM_LISTEN.address} 0 10", ticks), link)
    said = patch.obj("route jam", link)
    events = patch.obj("route event", said)
    state = patch.obj("route state", events)
    patch.obj("outlet", state)
    patch.obj("outlet", (state, 1))
    patch.obj("outlet", (events, 1))
    return patch


def voice() -> Patch:
    """`segue.voice~`: one file of `segue.loop~`: `read PATH`, `play`, `quiet`.  [any]"""
    patch = Patch()
    kinds = patch.chain(patch.obj("inlet", row=0), "route read play quiet")
    reader = patch.chain(
        kinds, "symbol", "list prepend read -resize", "list append $0-1 $0-2", "list trim", "soundfiler"
    )
    facts = patch.obj("unpack f f", (reader, 1))
    loaded = patch.obj("t b f", reader)
    order = patch.obj("t b b b", (kinds, 1))
    frames = patch.obj("f", (order, 1))
    patch.wire((loaded, 1), frames, 1)
    length = patch.obj("expr $f1 - 0.5; $f1 / $f2 * 1000", frames)
    patch.wire(facts, length, 1)
    until = patch.obj("pack f f", length)
    patch.wire((length, 1), until, 1)
    index = patch.obj("vline~", patch.msg("-0.5, $1 $2", until))
    gate = patch.obj("vline~", patch.msg("1", (order, 2)), patch.msg("0", (kinds, 2)))
    for side in (1, 2):
        patch.obj(f"table $0-{side}", row=0)
        sound = patch.obj("*~", patch.obj(f"tabread~ $0-{side}", index))
        patch.wire(gate, sound, 1)
        patch.obj("outlet~", sound)
    patch.obj("outlet", loaded)
    duration = patch.obj("f", order)
    patch.wire((length, 1), duration, 1)
    patch.obj("outlet", duration)
    return patch


def loop() -> Patch:
    """`segue.loop~`: plays a file round and round; a new file takes over at the loop's end, to the sample.  [any]"""
    patch = Patch()
    kinds = patch.chain(patch.obj("inlet", row=0), "list", "list trim", "route stop")
    go = patch.obj("t b b b", row=8)
    # a new file: into the voice that does not play
    arrival = patch.chain((kinds, 1), "symbol", "t a b")
    free = patch.chain((arrival, 1), "v $0-voice", "== 0")
    to_voices = patch.obj("route 0 1", row=14)
    target = patch.chain(arrival, "list prepend read", "list prepend 0")
    patch.wire(free, target, 1)
    patch.wire(target, to_voices)
    # at the loop's end: change over if a file waits; silence one voice, play the other
    change = patch.chain((go, 2), "v $0-waiting", "sel 1", "t b b")
    patch.wire(patch.msg("0", (change, 1)), patch.obj("v $0-waiting"))
    patch.chain(change, "v $0-voice", "== 0", "v $0-voice")
    patch.wire(patch.msg("$1 quiet", patch.chain((go, 1), "v $0-voice", "== 0")), to_voices)
    patch.wire(patch.msg("$1 play", patch.obj("v $0-voice", go)), to_voices)
    voices = [patch.obj("segue.voice~", (to_voices, number)) for number in (0, 1)]
    ends = patch.obj("delay", (voices[0], 3), (voices[1], 3))
    patch.wire(ends, go)
    for side in (0, 1):
        patch.obj("outlet~", *((voice, side) for voice in voices))
    # loaded: it waits; if nothing plays, it begins at once
    loaded = patch.obj("t b b", (voices[0], 2), (voices[1], 2))
    patch.wire(patch.msg("1", (loaded, 1)), patch.obj("v $0-waiting"))
    begin = patch.chain(loaded, "v $0-runs", "sel 0", "t b b")
    patch.wire(patch.msg("1", (begin, 1)), patch.obj("v $0-runs"))
    patch.wire(begin, go)
    stop = patch.obj("t b b b", kinds)
    patch.wire(patch.msg("stop", (stop, 2)), ends)
    patch.wire(patch.msg("0 quiet, 1 quiet", (stop, 1)), to_voices)
    patch.wire(patch.msg("0", stop), patch.obj("v $0-runs"))
    patch.obj("outlet", (voices[0], 3), (voices[1], 3))
    return patch


ABSTRACTIONS = {
    "segue.port": port, "segue.client": client, "segue.lane": lane, "segue.morph": morph,
    "segue.meter": meter, "segue.takes": takes, "segue.jam": jam, "segue.voice~": voice, "segue.loop~": loop,
}  # fmt: skip
