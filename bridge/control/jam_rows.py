"""Messages that `segue jam` takes at its own port, and its answers and events; docs/jam.md tells more.

They have no id: each is answered at the port that it came from, with the address that it came with.
"""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import Argument, Message
from bridge.control.rows import ADDRESS, TEXT
from bridge.control.state_rows import RATE_HZ, RATE_MAX_HZ, RATE_MIN_HZ, REFRESH_SECONDS

JAM_ROOT = f"{rows.ROOT}/jam/"
JAM_PORT = 9640
BARS_MAX = 64
JAM_ALL = "all"
JAM_WHAT = ("state", "press")

_BARS = rows.bounded("bars", "i", "how many bars; 0: the mode's own number", 0, BARS_MAX, "bars", 0)
PRESSED = (
    rows.bounded("accepted", "i", "1: it takes effect; 0: it does not, see `text`", 0, 1),
    Argument("at_bar", "i", "bar from which it is heard, from 0; negative: in the count-in"),
    rows.figure("at_beat", "the beat of that bar line", "beats"),
    TEXT,
)
_MODE = Argument("mode", "s", "trade, accompany, continue or loop")
_PHASE = "count in, listening, playing, both, held or stopped"


def _verb(name: str, *arguments: Argument, meaning: str) -> Message:
    return Message(f"{JAM_ROOT}{name}", arguments, PRESSED, meaning)


# fmt: off
JAM_VERBS = (
    _verb("play_stop", meaning="Stops Segue on the bar line, or begins again with the player's turn."),
    _verb("take_over", meaning="Segue takes over on the next bar line that it can reach; or, if it plays alone, the "
          "player does."),
    _verb("again", meaning="Segue's last music comes once more."),
    _verb("keep", meaning="accompany: stays with what it has heard, until the next keep; loop: the pass that sounds "
          "becomes the loop."),
    _verb("hold", meaning="trade, continue: the turn stays with whoever has it; accompany, loop: the last bars go "
          "round. Until the next hold."),
    _verb("record", _BARS, meaning="The player's turn begins on the nearest bar line; loop: a new loop."),
    _verb("undo", meaning="accompany: back to what it followed before; loop: back to the loop before."),
    _verb("cancel", meaning="Cancels what is pending. A second press of the same verb does so too."),
)
JAM_LISTEN = Message(
    f"{JAM_ROOT}listen", (
        rows.bounded("port", "i", "UDP port of your machine for the events; 0: the port this came from", 0, 65535,
                     default=0),
        rows.bounded("per_second", "f", "how often the state comes; 0: no more events", 0, 50, default=10),
    ), (), "Sends `event/state` so often and `event/press` to a port, which need not be the sender's, until it ends.",
)
_WHAT = Argument(
    "what", "s", "`event/state`, `event/press`, or both", choices=(*JAM_WHAT, JAM_ALL), default=JAM_ALL
)
JAM_SUBSCRIBE = Message(
    f"{JAM_ROOT}subscribe", (
        _WHAT,
        rows.bounded("rate_hz", "f", "how often at most; a press is always sent", RATE_MIN_HZ, RATE_MAX_HZ, "Hz",
                     RATE_HZ),
    ), (
        rows.figure("rate_hz", "how often at most", "Hz"), rows.count("subscriptions", "of this client now"),
        rows.figure("timeout_seconds", "a client that sends nothing for so long is removed", "s"),
    ), "As `subscribe` of the engine: sends the state to where this came from, at once, then when it changes, "
    f"at most so often; what does not change again every {REFRESH_SECONDS:g} s. Any message, this one again too, says "
    "that the client is still there.",
)
JAM_UNSUBSCRIBE = Message(
    f"{JAM_ROOT}unsubscribe", (_WHAT,), (rows.count("subscriptions", "of this client now"),),
    "Ends this client's subscriptions of a kind, or all.",
)
JAM_SUBSCRIPTIONS = Message(
    f"{JAM_ROOT}subscriptions", (), (
        rows.text("own", "of this client: `what rate_hz`, separated by commas: 'state 10, press 10'"),
        rows.count("clients", "that have subscribed"), rows.count("subscriptions", "of all clients"),
        rows.figure("sent", "states since the jam began"),
        rows.figure("gone", "clients that were dropped: silent for too long, or their port was closed"),
    ), "Counts subscriptions.",
)
JAM_OK = rows.answer("jam/ok", ADDRESS, meaning="It was taken; the values its row names follow.", rest=True)
JAM_ERROR = rows.answer(
    "jam/error", ADDRESS, rows.text("code", "a word of the table of errors", 32), TEXT,
    meaning="The message was refused.",
)
JAM_STATE = rows.answer(
    "jam/event/state", _MODE,
    Argument("state", "s", _PHASE), Argument("next_state", "s", "what comes next; the present one: nothing is planned"),
    rows.figure("beats_to_change", "until then; 0: nothing is planned", "beats"),
    Argument("bar", "i", "from 0; negative in the count-in"),
    rows.figure("beat", "position on the timeline", "beats"), rows.figure("bpm", "tempo", "bpm"),
    rows.figure("beats_per_bar", "quarter notes in a bar", "beats"),
    rows.figure("level_in_db", "level of the input", "dB"), rows.figure("level_out_db", "level of Segue", "dB"),
    rows.figure("ring_fill_ms", "music that is ready", "ms"),
    rows.figure("committed_until_beat", "up to here it is sure what sounds", "beats"),
    Argument("pending", "s", "presses that wait: 'take_over 16, hold 20' with their beats; or empty"),
    rows.bounded("listen_every_bars", "i", "the interval between two listenings", 0, 1000, "bars"),
    rows.figure("generation_ms_p95", "the time from listening to music that 95 % stay within", "ms"),
    rows.text("message", "the last line for the player"),
    meaning="How the jam is.",
)
JAM_PRESS = rows.answer(
    "jam/event/press", Argument("verb", "s", "what was pressed"), Argument("source", "s", "midi, key or osc"),
    *PRESSED, meaning="Something was pressed, here or elsewhere.",
)
# fmt: on

JAM_REQUESTS = (*JAM_VERBS, JAM_LISTEN, JAM_SUBSCRIBE, JAM_UNSUBSCRIBE, JAM_SUBSCRIPTIONS)
JAM_ANSWERS = (JAM_OK, JAM_ERROR, JAM_STATE, JAM_PRESS)
