"""Messages that a plugin in a DAW takes at its own control port, and its answers; docs/plugin.md tells more.

They have no id: what answers them is on this machine, and each is answered with the address that it came with.
"""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import WHOLE_MAX, Argument, Message
from bridge.control.rows import ADDRESS, ROLES, TEXT

PLUGIN_ROOT = f"{rows.ROOT}/plugin/"
PLUGIN_PORT = 9620  # of the first plugin; the next one has the next
PLUGIN_PORTS = 32  # that are tried, before any free one is taken
ALL_ROLES = "all"

_NAME = Argument("name", "s", "of a knob, as in capture_bars, own_tempo", max_length=32)
_PROMPT = rows.text("text", "what the music should be like, in words; empty: no prompt")


def _request(name: str, *arguments: Argument, reply: tuple[Argument, ...] = (), meaning: str) -> Message:
    return Message(f"{PLUGIN_ROOT}{name}", arguments, reply, meaning, local=True)


# fmt: off
PLUGIN_STATUS = _request(
    "status",
    reply=(
        rows.text("state", "how it stands with the engine, as its knob Engine shows it"),
        rows.text("why", "what the engine refused and why, or empty"),
        rows.bounded("lane", "i", "the lane that it has; -1: none yet", -1, rows.LANES_MAX - 1),
        rows.bounded("take", "i", "number of the dice of what sounds; -1: nothing yet", -1, WHOLE_MAX),
        rows.text("in_force", "which captures the music follows"),
        rows.text("prompt", "its prompt"),
    ),
    meaning="How a plugin is.",
)
PLUGIN_PROMPT = _request(
    "prompt", _PROMPT, reply=(_PROMPT,), meaning="Sets the plugin's prompt, which is saved with the song.",
)
PLUGIN_SET = _request(
    "set", _NAME, rows.figure("value", "brought into the knob's range; a list's entries count from 0"),
    reply=(_NAME, rows.figure("value", "as it is now"), rows.bounded("told", "i", "1: the host was told", 0, 1)),
    meaning="Turns a knob of the plugin, as if it had been turned in the host.",
)
PLUGIN_CLEAR = _request(
    "clear", Argument("role", "s", "of what was captured", choices=(*ROLES, ALL_ROLES), default=ALL_ROLES),
    meaning="Takes off what the plugin has captured.",
)
PLUGIN_ENGINE = _request(
    "engine", rows.bounded("port", "i", "of the engine on this machine", 1024, 65535),
    reply=(rows.bounded("port", "i", "where it looks for the engine now", 1, 65535),),
    meaning="Tells the plugin of an engine at another port.",
)
PLUGIN_OK = rows.answer("plugin/ok", ADDRESS, meaning="It is done; the values its row names follow.", rest=True)
PLUGIN_ERROR = rows.answer(
    "plugin/error", ADDRESS, rows.text("code", "a word of the table of errors", 32), TEXT,
    meaning="The message was refused.",
)
# fmt: on

PLUGIN_REQUESTS = (PLUGIN_STATUS, PLUGIN_PROMPT, PLUGIN_SET, PLUGIN_CLEAR, PLUGIN_ENGINE)
PLUGIN_ANSWERS = (PLUGIN_OK, PLUGIN_ERROR)
