"""Everything needed to make a take again, as JSON inside the file.

    {"segue_take": 1, "model": {...}, "prompt": ..., "seed": ..., "values": {...}, "bpm": ..., "regions": [...]}

A recipe may come from outside: sizes, types and ranges are checked before it is used, a region given by a path is used
only if its checksum matches, and no file is named after its contents.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

from bridge.control.arguments import WHOLE_MAX, Argument
from bridge.control.messages import PRECISIONS, ROLES
from bridge.control.parameters import PARAMETERS
from bridge.control.rows import BPM, START
from bridge.control.time_rows import DENOMINATORS
from bridge.errors import SegueError
from bridge.time.units import Signature, beats_to_seconds
from plugin_host.takes.errors import TakeError
from plugin_host.takes.live_note import LIVE_COLUMNS, LiveNote
from plugin_host.takes.loudness import check_request

VERSION = 1
JSON_BYTES_MAX = 16 * 2**20
MARKS_MAX, DIGITS_MAX = 20_000, 500  # limits of a recipe's JSON
REGION_BYTES_MAX = 6 * 2**20  # embedded; a larger one is given by its path
REGIONS_MAX = 3
SECONDS_MAX = 3600  # of a take
_MODEL_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?\Z")
BARS_MAX = 1000
TEMPO_MAX = 300  # characters of a region's tempo text
NOT_STORED = ("seed", "bars", "lead_seconds")  # of the lane's values: stored elsewhere, or without influence


@dataclass(frozen=True)
class UsedRegion:
    """A region given to the engine: its file's bytes, or the path of a large one."""

    role: str
    bpm: float
    start_beats: float
    sha256: str
    flac: bytes = b""
    path: str = ""
    name: str = ""  # its file's name, for people
    tempo: str = ""  # its tempo, source and certainty, for people


@dataclass(frozen=True)
class ModelUsed:
    """The model; `sha256` of its weights if the engine was a child, else empty."""

    name: str = "embedded"
    precision: str = "auto"
    sha256: str = ""


@dataclass(frozen=True)
class StemNote:
    """What makes a take a stem: its lane and variation, the change of its level, what took it out of a mix of
    instruments (empty: nothing), and of a mix the names of its stems, separated by spaces.
    """

    lane: str = ""
    variation: int = 0
    gain_db: float = 0.0
    separated: str = ""
    parts: str = ""


@dataclass(frozen=True)
class Recipe:
    """How a take is made: bars count from 0, `loudness` is "off", "peak" or LUFS, `bits` those of the file."""

    bpm: float
    bars: int
    start_bar: int = 0
    signature: Signature = Signature(4, 4)  # noqa: RUF009 - frozen
    rate_hz: int = 48_000
    prompt: str = ""
    seed: int = -1
    values: Mapping[str, float] = field(default_factory=dict)
    regions: tuple[UsedRegion, ...] = ()
    model: ModelUsed = ModelUsed()
    loop: bool = False
    loudness: str = "off"
    bits: int = 24
    key: str = ""
    stem: StemNote = StemNote()
    live: LiveNote = LiveNote()  # noqa: RUF009 - frozen
    note: str = ""  # what was omitted on reading
    tokens: bytes = field(default=b"", compare=False, repr=False)  # codes of the take just made; not in its file

    @property
    def model_is_named(self) -> bool:
        """Whether the model has a name, not a folder: only such models of a foreign recipe are loaded.  [any]"""
        return bool(_MODEL_NAME.match(self.model.name))

    @property
    def seconds(self) -> float:
        """The length of the take.  [any]"""
        return float(beats_to_seconds(self.bars * self.signature.beats_per_bar, self.bpm))

    def with_seed(self, seed: int) -> Recipe:
        """The same with another seed.  [any]"""
        return replace(self, seed=seed)


# -- writing ------------------------------------------------------------------------------------------


def to_json(recipe: Recipe, with_audio: bool = True) -> str:
    """The recipe as JSON text, with or without the embedded regions' audio.  [any]"""
    bar = recipe.signature.beats_per_bar
    table = {
        "segue_take": VERSION,
        "model": vars(recipe.model),
        "prompt": recipe.prompt, "seed": recipe.seed, "values": dict(recipe.values),
        "bpm": recipe.bpm, "numerator": recipe.signature.numerator, "denominator": recipe.signature.denominator,
        "start_bar": recipe.start_bar, "start_beats": float(recipe.start_bar * bar), "bars": recipe.bars,
        "rate_hz": recipe.rate_hz, "bits": recipe.bits, "loop": int(recipe.loop), "loudness": recipe.loudness,
        "key": recipe.key,
        "regions": [_region_table(region, with_audio) for region in recipe.regions],
    }  # fmt: skip
    if recipe.stem.lane:
        table["stem"] = vars(recipe.stem)
    if recipe.live:
        table["live"] = vars(recipe.live)
    return json.dumps(table, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def _region_table(region: UsedRegion, with_audio: bool) -> dict[str, object]:
    table: dict[str, object] = {
        "role": region.role, "bpm": region.bpm, "start_beats": region.start_beats, "sha256": region.sha256,
        "name": region.name, "tempo": region.tempo,
    }  # fmt: skip
    if region.path:
        table["path"] = region.path
    if region.flac and with_audio:
        table["flac"] = base64.b64encode(region.flac).decode()
    return table


# -- reading ------------------------------------------------------------------------------------------

# fmt: off
_COLUMNS = (
    Argument("prompt", "s", "", default=""), Argument("seed", "i", "", low=0, high=WHOLE_MAX), BPM,
    Argument("numerator", "i", "", low=1, high=64), Argument("denominator", "i", "", low=1, choices=DENOMINATORS),
    Argument("start_bar", "i", "", low=0, high=100_000), Argument("bars", "i", "", low=1, high=BARS_MAX),
    Argument("rate_hz", "i", "", low=8000, high=192_000), Argument("bits", "i", "", low=16, high=32),
    Argument("loop", "i", "", low=0, high=1), Argument("loudness", "s", "", max_length=16),
    Argument("key", "s", "", default="", max_length=16),
)
_MODEL = (
    Argument("name", "s", "", max_length=500), Argument("precision", "s", "", choices=PRECISIONS),
    Argument("sha256", "s", "", default="", max_length=64),
)
_REGION = (
    Argument("role", "s", "", choices=ROLES), BPM, START, Argument("sha256", "s", "", max_length=64),
    Argument("path", "s", "", default="", max_length=1000), Argument("name", "s", "", default="", max_length=100),
    Argument("tempo", "s", "", default="", max_length=TEMPO_MAX),
)
_STEM = (
    Argument("lane", "s", "", default="", max_length=16), Argument("variation", "i", "", low=0, high=100, default=0),
    Argument("gain_db", "f", "", low=-60, high=60, default=0.0),
    Argument("separated", "s", "", default="", max_length=64),
    Argument("parts", "s", "", default="", max_length=100),
)
# fmt: on


def from_json(text: str | bytes) -> Recipe:
    """The recipe in a text; TakeError says what is wrong with it.  [any]"""
    if len(text) > JSON_BYTES_MAX:
        raise TakeError(f"the recipe has {len(text) / 2**20:.0f} MB, at most {JSON_BYTES_MAX / 2**20:.0f} are read")
    try:
        marks = _marks(text)
        if marks > MARKS_MAX:
            raise ValueError(f"{marks} brackets and commas, at most {MARKS_MAX} are read")
        table = json.loads(text, parse_constant=_no_constant, parse_int=_short_whole)
    except (ValueError, RecursionError) as fault:
        raise TakeError(f"the recipe cannot be read: {fault}") from None
    if not isinstance(table, dict) or "segue_take" not in table:
        raise TakeError("the recipe is none of Segue's")
    if table["segue_take"] != VERSION:
        raise TakeError(f"the recipe is of version {table['segue_take']!r:.20}, this Segue reads {VERSION}; update it")
    got = _checked(table, _COLUMNS)
    if got["bits"] not in (16, 24, 32):
        raise TakeError(f"recipe: bits are {got['bits']}, must be 16, 24 or 32")
    try:
        check_request(got["loudness"])
    except ValueError as fault:
        raise TakeError(f"recipe: {fault}") from None
    signature = Signature(got.pop("numerator"), got.pop("denominator"))
    values, note = _values(table.get("values", {}))
    model = ModelUsed(**_checked(_table(table.get("model")), _MODEL))
    regions = _regions(table.get("regions", []))
    stem = StemNote(**_checked(_table(table.get("stem", {})), _STEM))
    got["loop"] = bool(got["loop"])
    live = LiveNote(**_checked(_table(table.get("live", {})), LIVE_COLUMNS))
    return Recipe(
        **got, signature=signature, values=values, model=model, regions=regions, stem=stem, live=live, note=note
    )


def _marks(text: str | bytes) -> int:
    """The number of brackets and commas in a text: the cost of parsing it as JSON."""
    if isinstance(text, bytes):
        return text.count(b"[") + text.count(b"{") + text.count(b",")
    return text.count("[") + text.count("{") + text.count(",")


def _short_whole(digits: str) -> int:
    if len(digits) > DIGITS_MAX:  # parsing a number of thousands of digits takes long
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} stands where a number belongs")


def _table(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TakeError(f"recipe: a table is needed, got {str(value)[:40]!r}")
    return value


def _checked(table: Mapping[str, Any], columns: tuple[Argument, ...]) -> dict[str, Any]:
    got: dict[str, Any] = {}
    for column in columns:
        if column.name not in table and column.default is None:
            raise TakeError(f"recipe: {column.name} is missing")
        raw = table.get(column.name, column.default)
        try:
            got[column.name] = column.check(raw)
        except SegueError as fault:
            raise TakeError(f"recipe: {fault}") from None
        except OverflowError:
            raise TakeError(f"recipe: {column.name} is a number beyond all use") from None
    return got


def _values(table: object) -> tuple[dict[str, float], str]:
    """Known parameters, checked; the names of others."""
    given = _table(table)
    known = {name: PARAMETERS[name] for name in given if name in PARAMETERS and name not in NOT_STORED}
    strange = sorted(str(name)[:32] for name in given if name not in PARAMETERS)
    note = f"parameters that this Segue does not have: {', '.join(strange[:8])}" if strange else ""
    return {name: float(value) for name, value in _checked(given, tuple(known.values())).items()}, note


def _regions(rows: object) -> tuple[UsedRegion, ...]:
    if not isinstance(rows, list) or len(rows) > REGIONS_MAX:
        raise TakeError(f"recipe: regions must be a list of at most {REGIONS_MAX}")
    regions = []
    for row in map(_table, rows):
        got, coded = _checked(row, _REGION), row.get("flac", "")
        if not isinstance(coded, str) or len(coded) > 4 * REGION_BYTES_MAX // 3 + 4:
            raise TakeError(f"recipe: a region's audio must be base64 text of at most {REGION_BYTES_MAX} bytes")
        try:
            flac = base64.b64decode(coded, validate=True)
        except (binascii.Error, ValueError):
            raise TakeError("recipe: a region's audio is not base64") from None
        if flac and hashlib.sha256(flac).hexdigest() != got["sha256"]:
            raise TakeError("recipe: a region's audio is not the one that was used (its checksum differs)")
        regions.append(UsedRegion(**got, flac=flac))
    return tuple(regions)


def region_bytes(region: UsedRegion) -> bytes:
    """The region's file: embedded, or read from its path; TakeError if that is missing or differs.  [any]"""
    if region.flac:
        return region.flac
    path = Path(region.path)
    elsewhere = region.path.startswith(("\\\\", "//"))  # another machine: it is not contacted
    if not os.path.isabs(region.path) or ".." in path.parts or elsewhere:
        raise TakeError(f"the recipe's region for {region.role} is neither inside the file nor at a plain full path")
    try:
        if not path.is_file() or path.stat().st_size > 2**30:
            raise TakeError(f"the recipe's region for {region.role} is not there any more: {region.path}")
        data = path.read_bytes()
    except (OSError, ValueError) as fault:
        raise TakeError(f"the recipe's region for {region.role} cannot be read: {fault}") from None
    if hashlib.sha256(data).hexdigest() != region.sha256:
        raise TakeError(f"{region.path} is not what the take was made from: its content has changed")
    return data
