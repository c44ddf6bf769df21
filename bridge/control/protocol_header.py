"""plugin_host/plugin/src/segue_protocol.h: the tables of this folder for the plugin in C++.

`python -m bridge.control.protocol_header` prints it; a test compares. No other C++ file has addresses, error codes,
lane parameters, roles, states, ports or limits.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from bridge.control import messages, plugin_rows
from bridge.control.arguments import TEXT_MAX, WHOLE_MAX, At, Message
from bridge.control.packet import DATAGRAM_BYTES_MAX
from bridge.control.parameters import KNOBS, PARAMETERS, Parameter
from bridge.control.presets import preset_names
from bridge.control.rows import CAPTURED, LANE_STATES, LANES_MAX, ROOT
from bridge.control.status_text import DOWNLOADING, STATE_LOADING, STATE_STOPPING, WARMING_UP
from bridge.errors import BY_CODE, RegionError

WIDTH = 120
_NUMBERS = (
    ("protocol_version", messages.PROTOCOL),
    ("default_engine_port", messages.DEFAULT_PORT),
    ("first_plugin_port", plugin_rows.PLUGIN_PORT),
    ("plugin_ports", plugin_rows.PLUGIN_PORTS),
    ("datagram_bytes_max", DATAGRAM_BYTES_MAX),
    ("text_max", TEXT_MAX),
    ("whole_max", WHOLE_MAX),
    ("lanes_max", LANES_MAX),
)


def header() -> str:
    """The whole text of the header.  [any]"""
    region_codes = [code for code, kind in BY_CODE.items() if issubclass(kind, RegionError)]
    return "\n".join(
        [
            "// What the plugin shares with the engine. Made by `python -m bridge.control.protocol_header`. MIT.",
            "#pragma once",
            "",
            *_presets(),
            "",
            "namespace segue {",
            "",
            f"inline constexpr int {_joined((f'{name} = {value}' for name, value in _NUMBERS), 4, 26)};",
            f"inline constexpr int preset_count = {len(preset_names())}, n_roles = {len(CAPTURED)};",
            f"inline constexpr const char* roles[n_roles] = {{{_words(CAPTURED)}}};",
            f"inline constexpr int n_jam_verbs = {len(plugin_rows.VERBS)};",
            "inline constexpr const char* jam_verbs[n_jam_verbs] = {",
            f"    {_joined(map(_quoted, plugin_rows.VERBS), 4, 4)}}};",
            f'inline constexpr const char* next_bar = "{At("bar").wire()}";',
            f'inline constexpr const char* all_roles = "{plugin_rows.ALL_ROLES}";',
            f'inline constexpr const char* plugin_root = "{plugin_rows.PLUGIN_ROOT}";',
            "inline constexpr const char* plugin_usage =",
            f'    "{_usage()}";',
            "",
            *_constants("address", ((_name(row), row.address) for row in messages.TABLE.values())),
            *_constants("lane_state", ((state, state) for state in LANE_STATES)),
            *_constants("engine_state_word", ((state, state) for state in (STATE_LOADING, STATE_STOPPING))),
            *_constants("load_stage", ((stage.replace(" ", "_"), stage) for stage in (DOWNLOADING, WARMING_UP))),
            *_constants("error_code", ((code, code) for code in BY_CODE)),
            "inline constexpr const char* region_codes[] = {",
            f"    {_joined((_quoted(code) for code in region_codes), 4, 4)}}};",
            "",
            *_parameters(),
            "",
            "}  // namespace segue",
            "",
        ]
    )


def _presets() -> list[str]:
    """The names of all presets as one text, on lines of several names."""
    names, lines = preset_names(), list[str]()
    for first in range(0, len(names), 6):
        part = "|".join(names[first : first + 6]) + "|" * (first + 6 < len(names))
        lines.append(f'    "{part}"')
    return ["#define SEGUE_PRESETS \\", *(f"{line} \\" for line in lines[:-1]), lines[-1]]


def _name(row: Message) -> str:
    return row.address.removeprefix(f"{ROOT}/").replace("/", "_")


def _quoted(word: str) -> str:
    return f'"{word}"'


def _words(words: Iterable[str]) -> str:
    return ", ".join(map(_quoted, words))


def _constants(space: str, named: Iterable[tuple[str, str]]) -> list[str]:
    lines = [f'inline constexpr const char* {name} = "{value}";' for name, value in named]
    return [f"namespace {space} {{", *lines, "}", ""]


def _parameters() -> list[str]:
    knobs = {name: knob for knob, name in KNOBS.items()}
    return [
        "// A row of the table of lane parameters; `knob` is what the plugin calls it.",
        "struct LaneParameter {",
        "    const char *name, *knob;",
        "    float low, high, initial;",
        "};",
        "namespace lane_parameter {",
        *(_parameter(row, knobs.get(row.name, row.name)) for row in PARAMETERS.values()),
        "}",
    ]


def _parameter(row: Parameter[float], knob: str) -> str:
    numbers = ", ".join(_float(float(value)) for value in (row.low, row.high, row.initial))
    return f'inline constexpr LaneParameter {row.name}{{"{row.name}", "{knob}", {numbers}}};'


def _float(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() else f"{value:.9g}f"


def _usage() -> str:
    """The usage of a message, for the plugin's error."""
    return "; ".join(
        " ".join([
            row.address.removeprefix(plugin_rows.PLUGIN_ROOT),
            *(each.name if each.default is None else f"[{each.name}]" for each in row.arguments),
        ])
        for row in plugin_rows.PLUGIN_REQUESTS
    )  # fmt: skip


def _joined(parts: Iterable[str], indent: int, first: int) -> str:
    """Parts joined by commas, in lines of the usual width; the first begins at column `first`."""
    lines, left = [""], WIDTH - first - 2
    for part in parts:
        if lines[-1] and len(lines[-1]) + len(part) + 2 > left:
            lines.append("")
            left = WIDTH - indent - 2
        lines[-1] += f", {part}" if lines[-1] else part
    return f",\n{' ' * indent}".join(lines)


if __name__ == "__main__":
    sys.stdout.write(header())
