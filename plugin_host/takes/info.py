"""What a folder or a file of Segue's is, in words: `segue info`. It reads only, and executes nothing."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from bridge.control.presets import parse_preset
from bridge.errors import SegueError
from bridge.system.plain_text import plain
from bridge.time.units import Signature, beats_to_seconds
from plugin_host.history.database import NAME
from plugin_host.history.files import REFERENCES, inside, is_there
from plugin_host.history.history import History
from plugin_host.history.node import Node
from plugin_host.render.again import JOURNAL
from plugin_host.render.journal import read_lane
from plugin_host.takes import jobs
from plugin_host.takes.errors import TakeError
from plugin_host.takes.reopen import describe
from plugin_host.takes.take import read_recipe
from plugin_host.takes.tell import head_line

FILES_MAX = 100_000
LINES_MAX = 1_000_000
TEXT_BYTES_MAX = 1 << 16
STRETCHES_SHOWN = 8
_OURS = (".wav", ".flac")


def lines_about(path: Path) -> Iterator[str]:
    """What a session's folder or a file is, as lines; TakeError if there is none.  [main]"""
    if path.name == NAME:
        path = path.parent
    if path.is_dir():
        yield from _session(path) if (path / NAME).exists() else _folder(path)
        return
    if not path.is_file():
        raise TakeError(f"{path} is neither a folder nor a file")
    try:
        yield from _KINDS.get(path.suffix.lower(), _sound)(path)
    except (OSError, UnicodeDecodeError, zipfile.BadZipFile) as error:
        raise TakeError(f"{path} cannot be read: {error}") from None


# -- folders ------------------------------------------------------------------------------------------


def _session(folder: Path) -> Iterator[str]:
    with History(folder) as history:
        nodes = history.nodes()
        kept, discarded = sum(node.kept for node in nodes), sum(node.discarded for node in nodes)
        yield f"session {folder}: {len(nodes)} takes, {kept} kept, {discarded} discarded, {_rated(nodes)} rated"
        yield head_line(history)
        for bpm, numerator, denominator, rate_hz in sorted({node.grid for node in nodes}):
            yield f"time: {bpm:g} bpm, {numerator}/{denominator}, {rate_hz} Hz"
        for name in sorted({node.model for node in nodes if node.model}):
            yield f"model: {plain(name)}"
        lanes = sorted({node.lane for node in nodes if node.lane})
        if lanes:
            yield f"lanes: {plain(', '.join(lanes))}"
        missing = [str(node.number) for node in nodes if node.file and not history.has_file(node)]
        yield f"files: {_size(folder, nodes)}"
        yield _database_line(folder, nodes)
        if missing:
            yield f"missing: the files of takes {' '.join(missing)}; `segue takes again NUMBER` makes them again"
        unknown = _unlisted(folder, nodes)
        if unknown:
            yield f"not in the history: {unknown} sound files; `segue takes add FILE` adds a take"
    yield from _beside(folder)
    yield "the folder can be moved and copied as a whole; `segue takes check` compares every file with its checksum"


def _rated(nodes: list[Node]) -> int:
    return sum(node.rating > 0 for node in nodes)


def seconds_of(node: Node) -> float:
    """The length of a node's music.  [any]"""
    bar = Signature(node.numerator, node.denominator).beats_per_bar
    return float(beats_to_seconds(node.bars * bar, node.bpm))


def _size(folder: Path, nodes: list[Node]) -> str:
    references = {each.sha256 for node in nodes for each in node.references}
    stored = sum(path.stat().st_size for path in (folder / REFERENCES).glob("*.flac"))
    files = {node.file for node in nodes if node.file and is_there(folder, node.file)}
    takes = sum(inside(folder, name).stat().st_size for name in files)
    return f"{takes / 1e6:.1f} MB of takes, {len(references)} references of {stored / 1e6:.1f} MB"


def _database_line(folder: Path, nodes: list[Node]) -> str:
    n_bytes, own = (folder / NAME).stat().st_size, [node for node in nodes if not node.source]
    hours = sum(map(seconds_of, own)) / 3600
    codes = sum(len(node.tokens) for node in own)
    with_codes = sum(bool(node.tokens) for node in own)
    length = f"{hours:.1f} hours" if hours >= 1 else f"{60 * hours:.1f} minutes"
    return f"{NAME}: {n_bytes / 1e6:.2f} MB for {length} of music, codes of {with_codes} takes in {codes / 1e6:.2f} MB"


def _unlisted(folder: Path, nodes: list[Node]) -> int:
    named = {node.file for node in nodes}
    return sum(path.relative_to(folder).as_posix() not in named and _may_be_added(path) for path in _files(folder)
               if path.suffix in _OURS and REFERENCES not in path.parts)  # fmt: skip


def _may_be_added(path: Path) -> bool:
    """Whether a sound file is a take, and no mix of stems that are takes themselves."""
    try:
        return not read_recipe(path).stem.parts
    except SegueError:
        return False


def _files(folder: Path) -> Iterator[Path]:
    count = 0
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            count += 1
            if count > FILES_MAX:
                return
            yield Path(parent) / name


def _beside(folder: Path) -> Iterator[str]:
    """Presets and journals in a session's folder."""
    for kind, ending in (("presets", ".toml"), ("journals", ".jsonl"), ("projects", ".dawproject")):
        names = [plain(path.relative_to(folder).as_posix()) for path in _files(folder) if path.suffix == ending]
        if names:
            yield f"{kind}: {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}"


def _folder(folder: Path) -> Iterator[str]:
    takes = 0
    for path in _files(folder):
        if path.suffix.lower() in _OURS:
            try:
                read_recipe(path)
                takes += 1
            except SegueError:
                pass
    yield f"{folder} is no session: it has no {NAME}"
    if takes:
        yield f"it has {takes} takes: `segue takes add --session {folder} FILES` makes it one"
    yield from _beside(folder)
    if any(folder.glob(f"*/{JOURNAL}")):
        yield f"`segue render {folder}` makes what was heard again, `segue takes live {folder}` makes takes of it"


# -- files --------------------------------------------------------------------------------------------


def _sound(path: Path) -> Iterator[str]:
    """A take, another sound, or nothing of Segue's."""
    if path.suffix.lower() in _OURS:
        try:
            yield from describe(read_recipe(path))
            return
        except SegueError as error:
            yield str(error)
    import soundfile

    try:
        found = soundfile.info(str(path))
    except (soundfile.LibsndfileError, RuntimeError):
        raise TakeError(f"{path} is nothing that Segue makes or reads") from None
    yield f"sound: {found.duration:.2f} s, {found.channels} channels, {found.samplerate} Hz, {found.format}"


def _project(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.startswith("audio/")]
    yield f"DAWproject: {len(names)} sounds: {plain(', '.join(name.removeprefix('audio/') for name in names[:8]))}"


def _preset(path: Path) -> Iterator[str]:
    if path.stat().st_size > TEXT_BYTES_MAX:
        raise TakeError(f"{path} is larger than a preset may be")
    found = parse_preset(path.stem, path.read_text("utf-8"))
    yield f"preset: {plain(found.description)}"
    yield "values: " + ", ".join(f"{name} {value:g}" for name, value in sorted(found.parameters.items()))


def _journal(path: Path) -> Iterator[str]:
    """The journal of a live session: one JSON object a line."""
    if path.name == JOURNAL:
        yield from _lane(path.parent)
        return
    count = broken = 0
    first: dict[str, object] = {}
    with path.open(encoding="utf-8") as file:
        for line in file:
            count += 1
            try:
                table = json.loads(line) if count <= LINES_MAX else {}
            except ValueError:
                broken += 1
                continue
            first = first or (table if isinstance(table, dict) else {})
    yield f"journal: {count} lines, {broken} that cannot be read; each has {plain(', '.join(first)) or 'nothing'}"


def _lane(folder: Path) -> Iterator[str]:
    """A lane's journal: where its host was, and what was asked for."""
    lane = read_lane(folder)
    yield f"journal of lane {lane.lane}, {lane.rate_hz} Hz, {lane.n_bytes / 1e6:.2f} MB"
    for stretch in lane.stretches[-STRETCHES_SHOWN:]:
        grid, seconds = stretch.grid, (stretch.end - stretch.begin) / lane.rate_hz
        first, last = max(1, grid.next_bar(stretch.begin) + 1), grid.bar_at(stretch.end)
        bars = f"bars {first} to {last}" if first <= last else "no whole bar"
        yield f"heard: {bars} at {grid.tempo_bpm:g} bpm, {seconds:.1f} s"
    prompts = dict.fromkeys(plain(each.prompt) for each in lane.asked if each.prompt)
    if lane.asked:
        yield f"asked: {', '.join(prompts) or 'no prompt'}; model {plain(lane.asked[-1].model)}"
    yield f"`segue render {folder}` makes what was heard again, `segue takes live {folder}` makes takes of it"


def _order(path: Path) -> Iterator[str]:
    yield "order of takes by a DAW's script:"
    for name, value in jobs.read_job(path).items():
        yield f"  {name}: {plain(str(value))}"


_KINDS: dict[str, Callable[[Path], Iterator[str]]] = {
    ".dawproject": _project, ".toml": _preset, ".jsonl": _journal, jobs.ENDING: _order,
}  # fmt: skip
