"""Rows of the message table about state that clients subscribe to, and about messages that are shown to them.

The engine sends plain messages, not bundles: Pure Data drops the time of a bundle, SuperCollider and npm's clients hand
it on in different ways, and Max is not known to read it. What lies ahead says in ms how far.
"""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import WHOLE_MAX, Argument
from bridge.control.rows import LANE, LANE_STATE, LANES_MAX
from bridge.control.time_rows import DENOMINATORS

ALL_WHAT = "all"
WHAT = ("engine", "lane", "parameters", "time", "beat", "levels", "ring", "pending", "takes", "progress")
RATE_MIN_HZ, RATE_MAX_HZ, RATE_HZ = 1.0, 50.0, 10.0
AHEAD_MS = 250.0  # that a beat is announced before it sounds
REFRESH_SECONDS = 2.0  # after which a state is sent again that has not changed: datagrams may be lost
SILENCE_DB = -120.0  # level of silence
ON_OFF = {"on": True, "off": False}
DUMPS_PER_SECOND = 200.0  # messages that are shown, to all clients together
WORK = ("loading", "stems", "takes")

# fmt: off
_WHAT = Argument("what", "s", "the kind of state", choices=(*WHAT, ALL_WHAT))
_ONE = rows.bounded("lane", "i", "only this lane; -1: every lane", -1, LANES_MAX - 1, default=-1)
_BPM = rows.figure("bpm", "tempo", "bpm")
_METER = (
    rows.bounded("numerator", "i", "of the time signature", 1, 64),
    Argument("denominator", "i", "of the time signature", low=1, choices=DENOMINATORS),
)
_SEEK = rows.bounded("seek", "i", "grows when the host jumps, and with each pass of its loop", 0, WHOLE_MAX)
_BAR = Argument("bar", "i", "its bar, from 0; negative: before the song's start")

SUBSCRIBE = rows.request(
    "subscribe", _WHAT,
    rows.bounded("rate_hz", "f", "how often at most; a beat is always sent", RATE_MIN_HZ, RATE_MAX_HZ, "Hz", RATE_HZ),
    _ONE,
    reply=(
        rows.figure("rate_hz", "how often at most", "Hz"),
        rows.count("subscriptions", "of this client now"),
        rows.figure("timeout_seconds", "a client that sends nothing for so long is removed, with these", "s"),
        rows.figure("ahead_ms", "how long before its sound a beat is announced", "ms"),
    ),
    meaning="Sends this client the state of a kind at once, then when it changes, at most so often. What does not "
    f"change is sent again every {REFRESH_SECONDS:g} s. Subscribing again replaces the rate and the lane. Say hello "
    "first.",
)
UNSUBSCRIBE = rows.request(
    "unsubscribe", Argument("what", "s", "the kind of state", choices=(*WHAT, ALL_WHAT), default=ALL_WHAT),
    reply=(rows.count("subscriptions", "of this client now"),),
    meaning="Ends this client's subscriptions of a kind, or all.",
)
SUBSCRIPTIONS = rows.request(
    "subscriptions",
    reply=(
        rows.text("own", "of this client: `what rate_hz lane`, separated by commas: 'lane 10 -1, beat 10 0'"),
        rows.count("clients", "that have subscribed"),
        rows.count("subscriptions", "of all clients"),
        rows.figure("sent", "messages since the engine started"),
        rows.figure("held", "of these, sent later, since there was too much to send"),
        rows.figure("gone", "clients that were dropped, since their port was closed"),
    ),
    meaning="Counts subscriptions.", asks=True,
)
DUMP = rows.request(
    "dump", Argument("on", "s", "whether messages are shown", choices=tuple(ON_OFF), default="on"),
    meaning="Shows this client each message that the engine receives, and what became of it, as `dumped`: for finding "
    "faults in patches.",
)
REPORT = rows.request(
    "report", Argument("what", "s", "the kind of work", choices=WORK[1:]),
    rows.text("name", "of the work", 64), rows.count("done", "work done"),
    rows.count("total", "of so much; 0: unknown"),
    rows.text("text", "for people; may change", 300, ""),
    meaning="`segue watch` reports the progress of its work to those who have subscribed to `progress`.", local=True,
)

STATE_ENGINE = rows.answer(
    "state/engine", rows.text("state", "of the engine", 32), rows.text("model", "its name; empty: none is loaded", 500),
    rows.text("device", "the device it runs on", 32), rows.count("lanes_open", "lanes that are open"),
    rows.text("text", "more about the state, or empty", 400),
    meaning="engine: as `status` answers.",
)
STATE_LANE = rows.answer(
    "state/lane", LANE, LANE_STATE, rows.count("generation", "of the plan"),
    rows.count("seed", "of the random numbers"),
    rows.text("references", "roles of its regions"), rows.bounded("muted", "i", "1: it is muted", 0, 1),
    rows.bounded("heard", "i", "1: a host plays it, 0: nobody listens", 0, 1),
    rows.text("fault", "why its music failed, and whether it is tried again; empty: no fault", 400),
    meaning="lane: as `lane/status` answers. The state `closed` means that the lane was closed.",
)
STATE_PROMPT = rows.answer(
    "state/prompt", LANE, rows.text("text", "the lane's prompt; empty: none. The beginning of a very long one"),
    meaning="lane: its prompt.",
)
STATE_PARAMETER = rows.answer(
    "state/parameter", LANE, rows.NAME, rows.figure("value", "as `lane/get` answers"),
    meaning="parameters: one for each parameter; later only those that changed.",
)
STATE_TIME = rows.answer(
    "state/time", LANE, rows.bounded("playing", "i", "1: the host runs, 0: it stands", 0, 1),
    rows.figure("beats", "its position", "beats"), _BAR,
    rows.figure("beat", "where in the bar, in quarter notes from 0", "beats"), _BPM, *_METER, _SEEK,
    meaning="time: the host's transport, at this moment.",
)
STATE_BEAT = rows.answer(
    "state/beat", LANE, _BAR, rows.count("beat", "quarter note of the bar, from 0; 0 is the bar line"),
    rows.figure("ms", "from now until it sounds; 0: it sounds, or sounded just now", "ms"),
    rows.figure("beats", "the same place on the timeline", "beats"),
    Argument("seconds", "i", "position of the host on that beat: whole seconds, and", "s"),
    rows.count("samples", "the samples after them", "samples"),
    _BPM, *_METER, _SEEK,
    meaning=f"beat: a bar line or a quarter note of the bar, {AHEAD_MS:g} ms before it sounds, once. While the host "
    "stands there is none. After a jump, beats that were announced and not reached do not sound: `seek` has changed.",
)
STATE_LEVELS = rows.answer(
    "state/levels", LANE, rows.figure("peak_db", f"the loudest sample; {SILENCE_DB:g}: silence", "dB"),
    rows.figure("rms_db", "RMS of all channels", "dB"),
    meaning="levels: of the last 100 ms of the lane as it is heard at the host's position, relative to full scale.",
)
STATE_RING = rows.answer(
    "state/ring", LANE, rows.figure("fill_ms", "audio in the ring, ready to play", "ms"),
    rows.figure("fill_beats", "the same at the present tempo", "beats"),
    rows.figure("written_beats", "beat up to which audio is ready", "beats"),
    rows.count("late_blocks", "made too late to be heard"), rows.count("underruns", "of the host"),
    meaning="ring: how far music is made ahead of the host.",
)
STATE_PENDING = rows.answer(
    "state/pending", LANE, rows.count("waiting", "scheduled commands"),
    rows.text("list", "the first of them, as `lane/scheduled` answers", 900), rows.text("next", "the next one's kind"),
    rows.figure("next_beats", "the beat from which it is heard; -1: there is none", "beats"),
    rows.figure("beats_to_next", "until then; -1: there is none, or the host will not reach it", "beats"),
    meaning="pending: what is scheduled, and when it is heard.",
)
STATE_TAKE = rows.answer(
    "state/take", rows.count("made", "takes since the engine started"),
    rows.count("order", "id of the last one's order"),
    rows.text("name", "of the folder of the order's takes", 64), rows.text("path", "of its file"),
    meaning="takes: the last take that `segue watch` made.",
)
STATE_PROGRESS = rows.answer(
    "state/progress", Argument("what", "s", "the kind of work", choices=WORK), rows.text("name", "of the work", 300),
    rows.count("done", "work done"), rows.count("total", "of so much; 0: unknown, or it is over"),
    rows.text("text", "in words; empty: it is over", 400),
    meaning="progress: of loading a model, and of stems and takes that `segue watch` makes.",
)
DUMPED = rows.answer(
    "dumped", rows.text("sender", "its machine and port"), rows.text("message", "its address"),
    rows.text("values", "its arguments, in words", 600),
    rows.text("outcome", "`ok`, `later` (answered when its work is done), `repeat`, or `error`, its code and text",
              400),
    rows.count("left_out", "messages that were not shown before this one, since there were too many"),
    meaning=f"A message that the engine received; at most {DUMPS_PER_SECOND:g} a second.",
)
# fmt: on

STATE_REQUESTS = (SUBSCRIBE, UNSUBSCRIBE, SUBSCRIPTIONS, DUMP, REPORT)
STATES_OF = {
    "engine": (STATE_ENGINE,),
    "lane": (STATE_LANE, STATE_PROMPT),
    "parameters": (STATE_PARAMETER,),
    "time": (STATE_TIME,),
    "beat": (STATE_BEAT,),
    "levels": (STATE_LEVELS,),
    "ring": (STATE_RING,),
    "pending": (STATE_PENDING,),
    "takes": (STATE_TAKE,),
    "progress": (STATE_PROGRESS,),
}
STATE_EVENTS = (*(row for states in STATES_OF.values() for row in states), DUMPED)
