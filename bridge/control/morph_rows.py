"""Rows of the message table about mixing prompts and styles, and about presets and scenes that a user saves."""

from __future__ import annotations

from bridge.control import rows
from bridge.control.arguments import Argument
from bridge.control.rows import AT, LANE, PLACED, PROMPTS_MAX, STYLES_MAX

WHAT = PROMPTS, STYLES = "prompts", "styles"
WEIGHT_MAX = 1000.0
_BEATS = rows.bounded(
    "beats", "f", "how long the weights glide from those before; 0: at once", 0, 100_000, "beats", 0.0
)
_WHAT = Argument("what", "s", "whose weights", choices=WHAT, default=WHAT[0])
_MIX = rows.text("weights", "the weights then, which sum to 1: '0.25 0.75'", 200)
_PRESET = rows.text("preset", "its name: lower-case words joined by hyphens", 64)

# fmt: off
LANE_SLOT = rows.request(
    "lane/slot", LANE, rows.bounded("slot", "i", "which prompt; 1 is that of lane/prompt", 1, PROMPTS_MAX),
    rows.text("text", "a description of the music; empty: none"), AT,
    reply=(rows.count("prompts", "how many prompts the lane has then"), *PLACED),
    meaning=f"Sets one of up to {PROMPTS_MAX} prompts of a lane, to be mixed by their weights, which stay. "
    "`lane/prompt` sets the first one and has it heard alone.", slow=True,
)
LANE_MORPH = rows.request(
    "lane/morph", LANE, Argument("what", "s", "whose weights", choices=WHAT),
    rows.bounded("beats", "f", "how long the weights glide from those before; 0: at once", 0, 100_000, "beats"), AT,
    *(rows.bounded(f"w{number}", "f", f"of number {number}", 0, WEIGHT_MAX, "",
                   1.0 if number == 1 else 0.0) for number in range(1, PROMPTS_MAX + 1)),
    reply=(_MIX, *PLACED),
    meaning="Sets the weights of a lane's prompts or style regions: the music is conditioned on their mixture. Only "
    f"their proportions count. Styles are the roles `style` and `style2` to `style{STYLES_MAX}`.",
)
LANE_SURFACE = rows.request(
    "lane/surface", LANE, rows.bounded("x", "f", "0 left, 1 right", 0, 1), rows.bounded("y", "f", "0 below, 1 above",
                                                                                    0, 1), _BEATS, AT, _WHAT,
    reply=(_MIX, *PLACED),
    meaning="Sets the weights by a point between four corners: 1 is below left, 2 below right, 3 above left, 4 above "
    "right.",
)
LANE_RECALL = rows.request(
    "lane/recall", LANE, _PRESET, _BEATS, AT,
    reply=(rows.text("prompt", "the lane's first prompt then"), *PLACED),
    meaning="As `lane/preset`, and the music glides from the prompts before to those of the preset or scene. Its "
    "parameters change where the glide begins.", slow=True,
)
PRESET_SAVE = rows.request(
    "preset/save", LANE, _PRESET, rows.text("description", "a line for people", 200, ""),
    reply=(rows.text("path", "of its file"),),
    meaning="Saves prompts, weights and parameters of a lane in the user's folder, as a preset or scene that "
    "`lane/preset` and `lane/recall` load. A preset of the user's with that name is replaced.", slow=True,
)
PRESET_LIST = rows.request(
    "preset/list", rows.bounded("first", "i", "number of the first one, from 0", 0, 100_000, default=0),
    reply=(
        rows.count("presets", "how many there are, the user's first"),
        rows.text("list", "a line for each: name, colon, what it does; ask again from the first missing one", 900),
    ),
    meaning="Lists the presets, from a number on.", asks=True,
)
# fmt: on
