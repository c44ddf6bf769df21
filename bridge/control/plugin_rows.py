"""Messages that a plugin in a DAW accepts at its control port, and its answers; see docs/plugin.md.

They have no id: the plugin is on this machine, and each answer repeats the address of its message.
"""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import WHOLE_MAX, Argument, Message
from bridge.control.jam_rows import BARS_MAX, JAM_ROOT, JAM_VERBS, PRESSED
from bridge.control.rows import ADDRESS, CAPTURED, TEXT

PLUGIN_ROOT = f"{rows.ROOT}/plugin/"
PLUGIN_PORT = 9620  # of the first plugin; the second one has 9621, and so on
PLUGIN_PORTS = 32  # that are tried; after these any free port
ALL_ROLES = "all"
VERBS = tuple(row.address.removeprefix(JAM_ROOT) for row in JAM_VERBS)  # as the plugin's parameters follow each other

_NAME = Argument("name", "s", "name of a parameter of the plugin, like capture_bars or own_tempo", max_length=32)
_LETTERS = "a character for each part, '0' silence, the next 60 characters steps of 1 dB up to full scale"
_PROMPT = rows.text("text", "a description of the music; empty: no prompt")


def _request(name: str, *arguments: Argument, reply: tuple[Argument, ...] = (), meaning: str) -> Message:
    return Message(f"{PLUGIN_ROOT}{name}", arguments, reply, meaning, local=True)


# fmt: off
PLUGIN_STATUS = _request(
    "status",
    reply=(
        rows.text("state", "of the connection to the engine, as the plugin's Engine shows it"),
        rows.text("why", "why there is no engine, how far its model is, or what it refused and why; or empty"),
        rows.bounded("lane", "i", "its lane; -1: none yet", -1, rows.LANES_MAX - 1),
        rows.bounded("take", "i", "seed of the present take; -1: none yet", -1, WHOLE_MAX),
        rows.text("in_force", "roles of the captured music in use"),
        rows.text("prompt", "its prompt"),
    ),
    meaning="Reads the state of a plugin.",
)
PLUGIN_PROMPT = _request(
    "prompt", _PROMPT, reply=(_PROMPT,), meaning="Sets the plugin's prompt, which is saved with the song.",
)
PLUGIN_SET = _request(
    "set", _NAME, rows.figure("value", "limited to the parameter's range; a list's entries count from 0"),
    reply=(
        _NAME,
        rows.figure("value", "its present value"),
        rows.bounded("told", "i", "1: the host was notified", 0, 1),
    ),
    meaning="Sets a parameter of the plugin, as the host would.",
)
PLUGIN_CLEAR = _request(
    "clear", Argument("role", "s", "of the captured music", choices=(*CAPTURED, ALL_ROLES), default=ALL_ROLES),
    meaning="Removes captured music.",
)
PLUGIN_PRESS = _request(
    "press", Argument("verb", "s", "as a foot switch of a jam asks for it", choices=VERBS),
    rows.bounded("bars", "i", "of a record; 0: the mode's own number", 0, BARS_MAX, "bars", 0),
    reply=(Argument("verb", "s", "what was pressed"), *PRESSED),
    meaning="A press of the plugin's jam. Bars and beats are the host's, from 0.",
)
PLUGIN_ENGINE = _request(
    "engine", rows.bounded("port", "i", "of the engine on this machine", 1024, 65535),
    reply=(rows.bounded("port", "i", "at which it looks for the engine now", 1, 65535),),
    meaning="Sets the port at which the plugin looks for the engine.",
)
PLUGIN_START = _request(
    "start", Argument("model", "s", "to start it with; empty: as `segue plugin engine` says, and with the embedded one "
                      "after a failure of that", max_length=500, default=""),
    meaning="Starts the engine, if none answers; also after it has failed to start. The state tells how it goes.",
)
PLUGIN_VIEW = _request(
    "view",
    reply=(
        rows.text("state", "as in plugin/status"), rows.text("why", "as in plugin/status"),
        rows.text("next", "what comes next, in words; or empty"), rows.text("prompt", "its prompt"),
        rows.figure("beats", "the host's position", "beats"), rows.figure("beats_per_bar", "", "beats"),
        rows.figure("tempo", "the host's", "bpm"), rows.bounded("playing", "i", "1: the host plays", 0, 1),
        rows.figure("input_db", "the input's highest peak since the last request", "dB"),
        rows.figure("music_db", "Segue's", "dB"),
        rows.text("input", f"the input's peaks of the last 8 bars: {_LETTERS}"),
        rows.text("music", "the same of Segue's music"),
        rows.text("captured", f"the newest capture from its begin to its end: {_LETTERS}; empty: nothing is captured"),
        rows.text("in_force", "as in plugin/status"),
        rows.bounded("failed", "i", "1: the engine does not start by itself, see plugin/start", 0, 1),
    ),
    meaning="Reads what the plugin's window shows; it asks 20 times a second.",
)
PLUGIN_OK = rows.answer("plugin/ok", ADDRESS, meaning="The request is done; the values of its row follow.", rest=True)
PLUGIN_ERROR = rows.answer(
    "plugin/error", ADDRESS, rows.text("code", "a word of the table of errors", 32), TEXT,
    meaning="The message was refused.",
)
# fmt: on

PLUGIN_REQUESTS = (
    PLUGIN_STATUS, PLUGIN_PROMPT, PLUGIN_SET, PLUGIN_CLEAR, PLUGIN_PRESS, PLUGIN_ENGINE, PLUGIN_START, PLUGIN_VIEW,
)  # fmt: skip
PLUGIN_ANSWERS = (PLUGIN_OK, PLUGIN_ERROR)
