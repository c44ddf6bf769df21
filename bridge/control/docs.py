"""docs/osc.md, generated from the table: `python -m bridge.control.docs` writes it, `--check` compares it."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from string import Template

from bridge.control import messages
from bridge.control.arguments import AT_HELP, Argument, At, Message
from bridge.control.clients import TIMEOUT_SECONDS, WARNED_SECONDS
from bridge.control.docs_text import INTRO, MAX, PD, SHELL, SUPERCOLLIDER
from bridge.control.endpoint import AHEAD_SECONDS_MAX, ALL_FACTOR, MESSAGES_PER_SECOND
from bridge.control.far_rows import FAR_REQUESTS
from bridge.control.history_rows import TAKES_REQUESTS
from bridge.control.jam_rows import JAM_ANSWERS, JAM_OK, JAM_PORT, JAM_REQUESTS
from bridge.control.midi_rows import MIDI_ANSWERS, MIDI_OK, MIDI_PORT, MIDI_REQUESTS
from bridge.control.packet import DATAGRAM_BYTES_MAX, DEPTH_MAX
from bridge.control.parameters import KNOBS, PARAMETERS
from bridge.control.plugin_rows import PLUGIN_PORT
from bridge.control.presets import load_preset, preset_names
from bridge.control.rows import ROOT
from bridge.control.take_rows import WATCH_PORT
from bridge.errors import BY_CODE

_REQUESTS = (
    *messages.REQUESTS, *messages.PLUGIN_REQUESTS, *JAM_REQUESTS, *MIDI_REQUESTS, *TAKES_REQUESTS, *FAR_REQUESTS,
)  # fmt: skip
PAGE = Path(__file__).parents[2] / "docs" / "osc.md"
REPLY_PORT = 9601  # of the examples
_GROUPS = (
    ("The engine", "", "Requests about the engine as a whole."),
    ("Models", "model", "Load, change and unload the model while the engine runs; see models.md."),
    ("Lanes", "lane", "A lane is one stream of music: its references, prompt, parameters, seed and ring."),
    (
        "Presets and scenes",
        "preset",
        "A scene is a preset that was saved from a lane, with the weights of its prompts.",
    ),
    ("Regions", "region", "Music given to a lane. Roles combine, as far as the loaded model supports them."),
)


def page() -> str:
    """The whole page as Markdown.  [any]"""
    names = _names()
    examples = (SHELL, PD, SUPERCOLLIDER, MAX)
    parts = [
        Template(INTRO).substitute(names),
        "## Worked examples\n",
        *(Template(example).substitute(names) for example in examples),
        *(part for group in _GROUPS for part in _group(*group)),
        "## Answers and events\n",
        *(_message(row) for row in (*messages.ANSWERS, *messages.EVENTS)),
        *_takes(),
        *_plugin(),
        *_jam(),
        *_midi(),
        *_far(),
        _parameters(),
        _presets(),
        _errors(),
    ]
    return "\n".join(parts)


def _names() -> dict[str, str]:
    rows = {name: row for name, row in vars(messages).items() if isinstance(row, Message)}
    addresses = {name: row.address for name, row in rows.items()}
    addresses |= {f"{name}_SHORT": messages.short(row) for name, row in rows.items() if row in messages.REQUESTS}
    return {
        **addresses,
        **{f"{name}_WORDS": address[1:].replace("/", " ") for name, address in addresses.items()},
        "ROOT": ROOT,
        "SHORT": messages.SHORT,
        "COUNTED": str(messages.COUNTED_FROM),
        "WARNED": f"{WARNED_SECONDS:g}",
        "ALL_RATE": f"{ALL_FACTOR * MESSAGES_PER_SECOND:g}",
        "LANE_RATE": f"{messages.LANE_COMMANDS_PER_SECOND:g}",
        "PORT": str(messages.DEFAULT_PORT),
        "REPLY_PORT": str(REPLY_PORT),
        "TIMEOUT": f"{TIMEOUT_SECONDS:g}",
        "AT": AT_HELP,
        "AHEAD": f"{AHEAD_SECONDS_MAX:g}",
        "BYTES": str(messages.REQUEST_BYTES_MAX),
        "DATAGRAM": str(DATAGRAM_BYTES_MAX),
        "DEPTH": str(DEPTH_MAX),
        "RATE": f"{MESSAGES_PER_SECOND:g}",
    }


def _group(title: str, prefix: str, text: str) -> list[str]:
    known = [group[1] for group in _GROUPS if group[1]]
    rows = [row for row in messages.REQUESTS if _family(row, known) == prefix]
    return [f"## {title}\n\n{text}\n", *(_message(row) for row in rows)]


def _family(row: Message, known: Sequence[str]) -> str:
    word = row.address.split("/")[2]
    return "lane" if row in (messages.TRANSPORT, messages.TAP) else word if word in known else ""


def _message(row: Message) -> str:
    usage = " ".join((row.address, *(a.name if a.default is None else f"[{a.name}]" for a in row.arguments)))
    request = row in _REQUESTS
    marks = ["this machine only"] if row.local else []
    lines = [f"### {row.address}\n", f"`{usage}{' values...' if row.rest else ''}`\n"]
    lines.append(row.meaning + (f" *({', '.join(marks)})*" if marks else "") + "\n")
    shown = [a for a in row.arguments if not (request and a.name == "id")]
    if shown:
        lines.append(_table(("argument", "type", "unit", "allowed", "default", "meaning"), map(_cells, shown)))
    if request:
        lines.append(_answer(row))
    return "\n".join(lines)


def _answer(row: Message) -> str:
    if row.quiet:
        return "Answered only with an error.\n"
    values = " ".join(column.name for column in row.reply)
    head = f"Answer, {_when(row)}: `{_ok(row)} {row.address}{' ' + values if values else ''}`\n"
    if not row.reply:
        return head
    cells = ([f"`{column.name}`", column.kind, column.unit, _said(column)] for column in row.reply)
    return head + "\n" + _table(("value", "type", "unit", "meaning"), cells)


def _when(row: Message) -> str:
    """When a request is answered; *slow* is a mark that the page explains."""
    before = f", after `{messages.PROGRESS.address}` {row.progress}" if row.progress else ""
    if row.slow:
        return f"*slow*, when its work is done{before}"
    if row.hop:
        return "between two hops of the music"
    return (
        "at once; for a later `at` between two hops" if any(each.kind == "at" for each in row.arguments) else "at once"
    )


def _ok(row: Message) -> str:
    if row in JAM_REQUESTS:
        return JAM_OK.address
    if row in MIDI_REQUESTS:
        return MIDI_OK.address
    return messages.PLUGIN_OK.address if row in messages.PLUGIN_REQUESTS else f"{messages.OK.address} id"


def _jam() -> list[str]:
    head = (
        f"## The jam\n\n`segue jam` takes these at a port of its own, {JAM_PORT} unless it is told another, from this "
        "machine only. They have no id; the answer goes to the port that they came from, events to those who sent "
        "`subscribe` or `listen`. [jam.md](jam.md) tells more.\n"
    )
    return [head, *(_message(row) for row in (*JAM_REQUESTS, *JAM_ANSWERS))]


def _midi() -> list[str]:
    head = (
        "## The MIDI map\n\n`segue midi`, and `segue host` and `segue jam` with `--midi`, take these at port "
        f"{MIDI_PORT}, or the one that they say if it is taken, from this machine only. They have no id; the answer "
        "goes to the port that they came from, events to those who sent `listen`. [midi.md](midi.md) tells more.\n"
    )
    return [head, *(_message(row) for row in (*MIDI_REQUESTS, *MIDI_ANSWERS))]


def _takes() -> list[str]:
    head = (
        f"## Takes\n\n`segue watch` takes these messages at its own port on this machine, {WATCH_PORT}, about the "
        "history of the session that it watches. Answers go to the port they came from. See [takes.md](takes.md).\n"
    )
    return [head, *map(_message, TAKES_REQUESTS)]


def _plugin() -> list[str]:
    head = (
        "## The plugin\n\nA plugin in a DAW accepts these messages at its own port on this machine, which it shows as "
        f"*Control port*: {PLUGIN_PORT} for the first one. They have no id; the answer goes to the port that they "
        "came from. See [plugin.md](plugin.md).\n"
    )
    return [head, *(_message(row) for row in (*messages.PLUGIN_REQUESTS, *messages.PLUGIN_ANSWERS))]


def _far() -> list[str]:
    head = (
        "## The relay\n\n`segue relay` answers these at its own port, where programs of its machine look for the "
        "engine; all others it passes on. See [far.md](far.md).\n"
    )
    return [head, *map(_message, FAR_REQUESTS)]


def _said(column: Argument) -> str:
    return f"{column.meaning}: {column.range}" if column.choices else column.meaning


def _cells(argument: Argument) -> list[str]:
    allowed = "see above" if argument.kind == "at" else argument.range
    kind = "f or s" if argument.kind == "at" else argument.kind
    return [f"`{argument.name}`", kind, argument.unit, allowed, _default(argument), argument.meaning]


def _default(argument: Argument) -> str:
    if argument.default is None:
        return ""
    value = argument.default.wire() if isinstance(argument.default, At) else argument.default
    return '""' if value == "" else f"{value:g}" if isinstance(value, float) else str(value)


def _parameters() -> str:
    knobs = {name: knob for knob, name in KNOBS.items()}
    cells = (
        [f"`{n}`", f"`{knobs[n]}`" if n in knobs else "", row.unit, row.range, _default(row), row.meaning]
        for n, row in PARAMETERS.items()
    )
    head = (
        f"## Lane parameters\n\nFor `{messages.LANE_SET.address}` and `{messages.LANE_GET.address}`, by their own name "
        "or by the name of the plugin's knob, if there is one. `take` 0 is a new take.\n"
    )
    return head + "\n" + _table(("name", "knob", "unit", "range", "default", "meaning"), cells)


def _presets() -> str:
    presets = map(load_preset, preset_names())
    cells = ([f"`{preset.name}`", preset.description, preset.prompt or ""] for preset in presets)
    head = f"## Presets\n\nFor `{messages.LANE_PRESET.address}`.\n"
    return head + "\n" + _table(("name", "what it does", "prompt"), cells)


def _errors() -> str:
    cells = ([f"`{code}`", _first_line(kind)] for code, kind in BY_CODE.items())
    head = f"## Error codes\n\nThe third value of `{messages.ERROR.address}`. The meaning of a code never changes.\n"
    return head + "\n" + _table(("code", "meaning"), cells)


def _first_line(kind: type) -> str:
    return (kind.__doc__ or "").partition("\n")[0].removesuffix("  [any]")


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the page, or with `--check` compare it: 0 when it is up to date.  [main]"""
    wanted = page()
    if "--check" in (sys.argv[1:] if arguments is None else arguments):
        same = PAGE.exists() and PAGE.read_text("utf-8") == wanted
        print(f"{PAGE} is up to date" if same else f"{PAGE} is old: run python -m bridge.control.docs")
        return 0 if same else 1
    PAGE.write_text(wanted, "utf-8")
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
