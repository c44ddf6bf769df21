"""The table of lane parameters: what can be turned while music plays. Presets are rows of these columns."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache

from bridge.control.arguments import WHOLE_MAX, Argument
from bridge.errors import OutOfRange

# fmt: off
_ROWS = (
    Argument("temperature", "f", "randomness: 0 always the likeliest, 1 as trained, above 1 wilder",
             "", 0, 4, default=1.0),
    Argument("top_k", "i", "draw among this many likeliest entries; 0: among all",
             "", 0, 4096, default=250),
    Argument("top_p", "f", "draw among the likeliest of this share; 0: off; above 0 it replaces top_k",
             "", 0, 1, default=0.0),
    Argument("cfg", "f", "guidance, how closely prompt and references are followed: 1 none, 3 usual, above 6 harsh",
             "", 0, 20, default=3.0),
    Argument("cfg_beta", "f", "further guidance of the prompt against the style; 0: off",
             "", 0, 20, default=0.0),
    Argument("two_step", "i", "1: guidance in two passes, as some checkpoints were tuned; cfg_beta takes precedence",
             "", 0, 1, default=0),
    Argument("excerpt_seconds", "f", "length of the style region's excerpt",
             "s", 1.5, 4.5, default=3.0),
    Argument("excerpt_start", "f", "where the excerpt begins in the region; -1: drawn from the seed",
             "s", -1, 3600, default=-1.0),
    Argument("eval_q", "i", "how much of the style is used: 1 its gist, 6 nearly the excerpt itself",
             "", 1, 6, default=3),
    Argument("seed", "i", "the same seed and inputs give the same music; -1: a new one at each play",
             "", -1, WHOLE_MAX, default=-1),
    Argument("bars", "i", "how many bars a play without a number makes; 0: until stopped",
             "bars", 0, 100_000, default=0),
    Argument("lead_seconds", "f", "how far ahead of the host music is made: less reacts sooner, more is safer",
             "s", 0.2, 20, default=2.0),
    Argument("level_db", "f", "level of the lane",
             "dB", -60, 12, default=0.0),
    Argument("loudness_match", "i", "1: approach the loudness of the continued region; 0: the model's own level",
             "", 0, 1, default=1),
    Argument("loudness_lufs", "f", "target loudness, with or without a region; 0: none",
             "LUFS", -60, 0, default=0.0),
    Argument("guard", "i", "1: check music before it is heard, and regenerate faults; 0: off",
             "", 0, 1, default=1),
    Argument("candidates", "i", "make this many candidates of each second, and keep the one best on the beat",
             "", 1, 4, default=1),
    Argument("bend", "i", "1: align models without tempo conditioning to the host's beat; 0: off",
             "", 0, 1, default=1),
    Argument("keep_harmony", "i", "without a melody: 1: stay within the chords and the key of the continued "
                                  "region; 0: freely. For models with the ability `harmony`",
             "", 0, 1, default=1),
    Argument("region_tempo", "i", "continue and style regions of another tempo: 1: first stretched to the host's "
                                  "tempo at their pitch; 0: unchanged", "", 0, 1, default=1),
)
# fmt: on

PARAMETERS: dict[str, Argument] = {row.name: row for row in _ROWS}
KNOBS = {  # names that the plugin's knobs have
    "creativity": "temperature", "guidance": "cfg", "level": "level_db", "ahead": "lead_seconds", "take": "seed",
}  # fmt: skip


def row_name(name: str) -> str:
    """The name of a parameter that is called by its own name or by that of the plugin's knob.  [any]"""
    return KNOBS.get(name, name)


def parameter(name: str) -> Argument:
    """The row of a parameter, by its name or the plugin's; OutOfRange names close ones when there is none.  [any]"""
    row = PARAMETERS.get(row_name(name))
    if row is None:
        raise OutOfRange(f"there is no parameter {name[:32]!r}; there is {', '.join(_near(name[:32]))}")
    return row


@lru_cache(256)
def _near(name: str) -> list[str]:
    found = get_close_matches(name, [*PARAMETERS, *KNOBS], n=2)
    return found or sorted(PARAMETERS)


def check_parameter(name: str, value: object) -> float:
    """A value for a parameter, whole ones too as float; WrongType or OutOfRange otherwise.

    Of the plugin's `take` 0 is a new one, as there.  [any]
    """
    checked = float(parameter(name).wire(value))
    return -1.0 if name == "take" and checked == 0.0 else checked


def defaults() -> dict[str, float]:
    """Every parameter at its default.  [any]"""
    return {name: float(str(row.default)) for name, row in PARAMETERS.items()}
