"""Orders from a DAW: a message or a small text file, both checked against one row (take_rows.py).

path=/home/me/song/guitar.wav
role=continue
bpm=137.5
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from bridge.control.arguments import Value
from bridge.control.take_rows import STEMS, TAKE
from bridge.errors import RegionMissing, RegionTooShort, RegionUnreadable, SegueError
from bridge.region.region import check_form
from bridge.region.region_file import open_plain
from bridge.time.units import Signature
from plugin_host.takes.errors import TakeError
from plugin_host.takes.names import portable
from plugin_host.takes.order import TakeOrder
from plugin_host.takes.place import TakeRegionRequest

ENDING = ".segue"
FILE_BYTES_MAX = 16_384
_PART = ("path", "offset_seconds", "length_seconds", "role")
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
COLUMNS = {column.name: column for column in TAKE.arguments if column.name != "id"}
STEMS_COLUMNS = {column.name: column for column in STEMS.arguments if column.name != "id"}  # of an order with lanes


def read_job(file: Path) -> dict[str, Value]:
    """The fields of a job file, checked, defaults filled in; TakeError names the wrong one.  [any]"""
    given: dict[str, str] = {}
    for line in re.split(r"\r\n|\r|\n", _text(file)):
        name, equals, text = line.partition("=")
        if line.strip() and not equals:
            raise TakeError(f"{file.name}: {line[:60]!r} is not name=value")
        if equals:
            given[name.strip()] = text.strip()
    return checked(given, file.name, file.parent)


def _text(file: Path) -> str:
    """The text of a small plain file: UTF-8, or as its byte order mark says; TakeError. Never blocks on a pipe."""
    try:
        with os.fdopen(os.open(file, os.O_RDONLY | _AT_ONCE), "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise TakeError(f"{file.name} is a pipe or a device, not a file")
            data = opened.read(FILE_BYTES_MAX + 1)
        if len(data) > FILE_BYTES_MAX:
            raise TakeError(f"{file.name} is larger than {FILE_BYTES_MAX} bytes: that is no job")
        return data.decode("utf-16" if data.startswith(_UTF_16) else "utf-8-sig")
    except OSError as error:
        raise TakeError(f"{file.name} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise TakeError(f"{file.name} is not text in UTF-8, nor in UTF-16 with its mark: save it so") from None


def checked(given: Mapping[str, str], who: str, folder: Path) -> dict[str, Value]:
    """Fields from their texts; paths are relative to `folder`. TakeError.  [any]"""
    columns = STEMS_COLUMNS if given.get("lanes") else COLUMNS
    if strange := sorted(set(given) - {"lanes", *columns}):
        raise TakeError(f"{who}: there is no {strange[0][:32]!r}; there is {', '.join(columns)}")
    values: dict[str, Value] = {}
    for name, column in columns.items():
        text = given.get(name)
        if text is None and column.default is None:
            raise TakeError(f"{who}: {name} is missing")
        try:
            raw = column.default if text is None else text if column.kind == "s" else float(text)
            values[name] = column.check(raw)
        except (SegueError, ValueError, OverflowError) as fault:
            raise TakeError(f"{who}: {name}: {fault}") from None
    values["path"] = str(folder / str(values["path"]))
    return values


def order_of(values: Mapping[str, Value], usual: TakeOrder, scratch: Path) -> TakeOrder:
    """The order of these fields; missing ones are taken from `usual`. Raises RegionError.  [any]"""
    got = dict(values)
    path = Path(str(got["path"]))
    if not os.path.isabs(path):
        raise RegionMissing(f"{str(path)!r} is not a full path")
    part = section(path, float(str(got["offset_seconds"])), float(str(got["length_seconds"])), scratch)
    bpm, start, own = (float(str(got[name])) for name in ("bpm", "start_beats", "region_bpm"))
    return replace(
        usual,
        region=TakeRegionRequest(part, str(got["role"]), own or None, start),
        bpm=bpm,
        signature=Signature(int(str(got["numerator"])), int(str(got["denominator"]))),
        bars=int(str(got["bars"])) or usual.bars,
        takes=max(int(str(got.get("takes", 1))), usual.takes),
        seed=int(str(got["seed"])) if got["seed"] != -1 else usual.seed,
        prompt=str(got["prompt"]) or usual.prompt,
    )


def name_of(values: Mapping[str, Value]) -> str:
    """The name of the folder of its takes.  [any]"""
    return str(values["name"]) or Path(str(values["path"])).stem


def error_name(values: Mapping[str, Value]) -> str:
    """The name of its error file, unique for each part and file.  [any]"""
    part = "\n".join(str(values.get(column, "")) for column in _PART)
    return f"{name_of(values)}-{hashlib.sha256(part.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


def section(path: Path, offset_seconds: float, length_seconds: float, scratch: Path) -> Path:
    """The file itself, or a part of it as a file in `scratch`; RegionError if there is none.  [any]"""
    if offset_seconds == 0 and length_seconds == 0:
        return path
    import soundfile

    try:
        with soundfile.SoundFile(open_plain(str(path)), closefd=True) as file:
            begin = round(offset_seconds * file.samplerate)
            left = max(0, file.frames - begin)
            count = min(left, round(length_seconds * file.samplerate)) if length_seconds else left
            if count == 0:
                raise RegionTooShort(f"{path.name} has nothing from {offset_seconds:g} s on")
            check_form(count, file.channels, file.samplerate)  # before anything is copied
            file.seek(begin)
            target = scratch / "part" / f"{portable(path.stem)}.wav"  # its own folder: never the file itself
            target.parent.mkdir(exist_ok=True)
            with soundfile.SoundFile(target, "w", file.samplerate, file.channels, "FLOAT", format="WAV") as out:
                while count > 0:
                    block = file.read(min(count, 1 << 18), dtype="float32", always_2d=True)
                    if not len(block):
                        break
                    out.write(block)
                    count -= len(block)
    except (soundfile.LibsndfileError, OSError, TypeError) as error:
        raise RegionUnreadable(f"{path} cannot be read: {getattr(error, 'error_string', error)}") from None
    return target
