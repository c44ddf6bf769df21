"""The table of lane parameters: what can be turned while music plays. Presets are rows of these columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import IntEnum
from functools import lru_cache
from typing import Any, Generic, TypeVar

from bridge.control.arguments import WHOLE_MAX, Argument
from bridge.errors import OutOfRange

T = TypeVar("T", int, float, bool)


class Depth(IntEnum):
    """What a stream that plays regenerates for another value of a parameter.  [any]"""

    SOUND = 0  # nothing: only the level changes, or music that is not made yet
    DRAWN = 1  # the music ahead, in the open window
    WINDOW = 2  # the music ahead, in a new window: its conditioning changes


@dataclass(frozen=True, slots=True)
class Parameter(Argument, Generic[T]):
    """A row: an argument for which every lane has a value. `regenerates`: what a stream that plays regenerates for
    another value; `read` converts a checked number to the engine's value.
    """

    read: Callable[[float], T] = field(kw_only=True)
    regenerates: Depth = field(kw_only=True)

    @property
    def initial(self) -> T:
        """The default, as the engine's value.  [any]"""
        return self.read(float(str(self.default)))


def _number(
    name: str, meaning: str, unit: str, low: float, high: float, default: float, regenerates: Depth = Depth.SOUND
) -> Parameter[float]:
    return Parameter(name, "f", meaning, unit, low, high, default=default, read=float, regenerates=regenerates)


def _whole(
    name: str, meaning: str, unit: str, low: float, high: float, default: int, regenerates: Depth = Depth.SOUND
) -> Parameter[int]:
    return Parameter(name, "i", meaning, unit, low, high, default=default, read=int, regenerates=regenerates)


def _switch(name: str, meaning: str, default: int, regenerates: Depth = Depth.SOUND) -> Parameter[bool]:
    return Parameter(name, "i", meaning, "", 0, 1, default=default, read=bool, regenerates=regenerates)


# fmt: off
TEMPERATURE = _number("temperature", "randomness: 0 always the likeliest, 1 as trained, above 1 wilder",
                      "", 0, 4, 1.0, Depth.DRAWN)
TOP_K = _whole("top_k", "draw among this many likeliest entries; 0: among all", "", 0, 4096, 250, Depth.DRAWN)
TOP_P = _number("top_p", "draw among the likeliest of this share; 0: off; above 0 it replaces top_k",
                "", 0, 1, 0.0, Depth.DRAWN)
CFG = _number("cfg", "guidance, how closely prompt and references are followed: 1 none, 3 usual, above 6 harsh",
              "", 0, 20, 3.0, Depth.DRAWN)
CFG_BETA = _number("cfg_beta", "further guidance of the prompt against the style; 0: off",
                   "", 0, 20, 0.0, Depth.WINDOW)
TWO_STEP = _switch("two_step", "1: guidance in two passes, as some checkpoints were tuned; cfg_beta takes "
                               "precedence",
                   0, Depth.WINDOW)
EXCERPT_SECONDS = _number("excerpt_seconds", "length of the style region's excerpt",
                          "s", 1.5, 4.5, 3.0, Depth.WINDOW)
EXCERPT_START = _number("excerpt_start", "where the excerpt begins in the region; -1: drawn from the seed",
                        "s", -1, 3600, -1.0, Depth.WINDOW)
EVAL_Q = _whole("eval_q", "how much of the style is used: 1 its gist, 6 nearly the excerpt itself",
                "", 1, 6, 3, Depth.WINDOW)
SEED = _whole("seed", "the same seed and inputs give the same music; -1: a new one at each play",
              "", -1, WHOLE_MAX, -1)
BARS = _whole("bars", "how many bars a play without a number makes; 0: until stopped", "bars", 0, 100_000, 0)
LEAD_SECONDS = _number("lead_seconds", "how far ahead of the host music is made: less reacts sooner, more is safer",
                       "s", 0.2, 20, 2.0)
LEVEL_DB = _number("level_db", "level of the lane", "dB", -60, 12, 0.0)
LOUDNESS_MATCH = _switch(
    "loudness_match", "1: approach the loudness of the continued region; 0: the model's own level", 1)
LOUDNESS_LUFS = _number("loudness_lufs", "target loudness, with or without a region; 0: none", "LUFS", -60, 0, 0.0)
GUARD = _switch("guard", "1: check music before it is heard, and regenerate faults; 0: off", 1)
CANDIDATES = _whole("candidates", "make this many candidates of each second, and keep the one best on the beat",
                    "", 1, 4, 1)
BEND = _switch("bend", "1: align models without tempo conditioning to the host's beat; 0: off", 1)
KEEP_HARMONY = _switch("keep_harmony", "without a melody: 1: stay within the chords and the key of the continued "
                                       "region; 0: freely. For models with the ability `harmony`",
                       1, Depth.WINDOW)
REGION_TEMPO = _switch("region_tempo", "continue and style regions of another tempo: 1: first stretched to the "
                                       "host's tempo at their pitch; 0: unchanged", 1)
INSTRUMENTS = _whole("instruments", "which instruments play, as a sum: 1 drums, 2 bass, 4 keys, 8 guitar, 16 strings, "
                                    "32 winds, 64 lead, 128 pads; 0: not said. For models with the ability "
                                    "`instruments`", "", 0, 255, 0, Depth.WINDOW)
DENSITY = _number("density", "how many notes: 0 few, 1 very many; -1: not said. For models with the ability `density`",
                  "", -1, 1, -1.0, Depth.WINDOW)
SECTION = _whole("section", "0 intro, 1 verse, 2 chorus, 3 break, 4 build, 5 fill, 6 out; -1: not said. For models "
                            "with the ability `section`", "", -1, 6, -1, Depth.WINDOW)
KEY = _whole("key", "the key: 0 C major, 1 C sharp major to 11 B major, 12 C minor to 23 B minor; -1: not said. For "
                    "models with the ability `key`", "", -1, 23, -1, Depth.WINDOW)
# fmt: on
_ROWS: tuple[Parameter[Any], ...] = (
    TEMPERATURE,
    TOP_K,
    TOP_P,
    CFG,
    CFG_BETA,
    TWO_STEP,
    EXCERPT_SECONDS,
    EXCERPT_START,
    EVAL_Q,
    SEED,
    BARS,
    LEAD_SECONDS,
    LEVEL_DB,
    LOUDNESS_MATCH,
    LOUDNESS_LUFS,
    GUARD,
    CANDIDATES,
    BEND,
    KEEP_HARMONY,
    REGION_TEMPO,
    INSTRUMENTS,
    DENSITY,
    SECTION,
    KEY,
)  # fmt: skip

PARAMETERS: dict[str, Parameter[Any]] = {row.name: row for row in _ROWS}
KNOBS = {  # names of the plugin's knobs
    "creativity": TEMPERATURE.name, "guidance": CFG.name, "level": LEVEL_DB.name, "ahead": LEAD_SECONDS.name,
    "take": SEED.name,
}  # fmt: skip


def row_name(name: str) -> str:
    """The name of a parameter, given by its own name or that of the plugin's knob.  [any]"""
    return KNOBS.get(name, name)


def parameter(name: str) -> Parameter[Any]:
    """The row of a parameter, by its name or the plugin's; OutOfRange names similar ones if there is none.  [any]"""
    row = PARAMETERS.get(row_name(name))
    if row is None:
        raise OutOfRange(f"there is no parameter {name[:32]!r}; there is {', '.join(_near(name[:32]))}")
    return row


@lru_cache(256)
def _near(name: str) -> list[str]:
    found = get_close_matches(name, [*PARAMETERS, *KNOBS], n=2)
    return found or sorted(PARAMETERS)


def check_parameter(name: str, value: object) -> float:
    """A checked value for a parameter, as float; WrongType or OutOfRange.

    For the name `take` 0 means a new take, as in the plugin.  [any]
    """
    checked = float(parameter(name).wire(value))
    return -1.0 if name == "take" and checked == 0.0 else checked
