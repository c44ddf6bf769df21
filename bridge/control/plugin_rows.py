"""Messages that a plugin in a DAW accepts at its control port, and its answers; see docs/plugin.md.

They have no id: the plugin is on this machine, and each answer repeats the address of its message.
"""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import WHOLE_MAX, Argument, Message
from bridge.control.jam_rows import BARS_MAX, JAM_ROOT, JAM_VERBS, PRESSED
from bridge.control.rows import ADDRESS, ROLES, TEXT

PLUGIN_ROOT = f"{rows.ROOT}/plugin/"
PLUGIN_PORT = 9620  # of the first plugin; the second one has 9621, and so on
PLUGIN_PORTS = 32  # that are tried; after these any free port
ALL_ROLES = "all"
VERBS = tuple(row.address.removeprefix(JAM_ROOT) for row in JAM_VERBS)  # as the plugin's parameters follow each other

_NAME = Argument("name", "s", "name of a parameter of the plugin, like capture_bars or own_tempo", max_length=32)
_PROMPT = rows.text("text", "a description of the music; empty: no prompt")


def _request(name: str, *arguments: Argument, reply: tuple[Argument, ...] = (), meaning: str) -> Message:
    return Message(f"{PLUGIN_ROOT}{name}", arguments, reply, meaning, local=True)


# fmt: off
PLUGIN_STATUS = _request(
    "status",
    reply=(
        rows.text("state", "of the connection to the engine, as the plugin's Engine shows it"),
        rows.text("why", "what the engine refused, and the reason; or empty"),
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
    "clear", Argument("role", "s", "of the captured music", choices=(*ROLES, ALL_ROLES), default=ALL_ROLES),
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
PLUGIN_OK = rows.answer("plugin/ok", ADDRESS, meaning="The request is done; the values of its row follow.", rest=True)
PLUGIN_ERROR = rows.answer(
    "plugin/error", ADDRESS, rows.text("code", "a word of the table of errors", 32), TEXT,
    meaning="The message was refused.",
)
# fmt: on

PLUGIN_REQUESTS = (PLUGIN_STATUS, PLUGIN_PROMPT, PLUGIN_SET, PLUGIN_CLEAR, PLUGIN_PRESS, PLUGIN_ENGINE)
PLUGIN_ANSWERS = (PLUGIN_OK, PLUGIN_ERROR)
