"""Takes as one DAWproject 1.0: a track for each, its clip on its bars, tempo, bar markers, the audio inside.

    project.xml    transport (tempo, signature) | structure (tracks, master) | arrangement (lanes of clips, markers)
    metadata.xml   title
    audio/*.wav    the takes as WAV with their recipes

A clip's position is in beats of the project; its warps map seconds of the audio to its beats, so that a DAW can change
the tempo. Source: the schema that Bitwig publishes under the MIT licence.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, tostring

from bridge.system.plain_text import plain, xml_text
from bridge.time.units import beats_to_seconds
from plugin_host.console.output import put
from plugin_host.doctor.doctor import version
from plugin_host.takes.errors import TakeError
from plugin_host.takes.finish import Finished
from plugin_host.takes.loudness import measure
from plugin_host.takes.take import Take, read_take, title_of, wav_file

TRACKS_MAX = 320  # 32 variations of 8 lanes are 256 tracks and 32 groups
AROUND_BYTES_MAX = 2**26  # besides the samples in a take's file: a larger file is rewritten, not copied
_HEAD = b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_EPOCH = (2020, 1, 1, 0, 0, 0)  # of all entries: the same takes give the same file


@dataclass(frozen=True)
class Group:
    """Takes whose tracks lie in one group: its name, its first take and how many, and whether it is muted."""

    name: str
    first: int
    count: int
    muted: bool = False


def export(files: Sequence[Path], out: Path, say: Callable[[str], None]) -> None:
    """Read takes and write them as a project; TakeError if they do not fit together, OutputError.  [main]"""
    if not 1 <= len(files) <= TRACKS_MAX:
        raise TakeError(f"a project takes 1 to {TRACKS_MAX} takes, got {len(files)}")
    takes = [read_take(path) for path in files]
    put(out.absolute(), project_file(takes))
    first = takes[0].recipe
    say(f"  {out}  ({len(takes)} tracks, {first.bpm:g} bpm)")


def project_file(takes: Sequence[Take], groups: Sequence[Group] = (), track_names: Sequence[str] = ()) -> bytes:
    """The bytes of a .dawproject of these takes; TakeError if their signatures differ.  [any]

    Tracks lie in `groups`, if there are any, which have all takes. They are named after their files, or as given.
    """
    meters = {take.recipe.signature for take in takes}
    if len(meters) > 1:
        signatures = ", ".join(sorted(f"{meter.numerator}/{meter.denominator}" for meter in meters))
        raise TakeError(f"the takes have different signatures ({signatures}); a project has one")
    names = _names(takes)
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        _add(archive, "project.xml", _HEAD + tostring(project_xml(takes, names, groups, track_names), "utf-8"))
        _add(archive, "metadata.xml", _HEAD + tostring(_metadata(takes), "utf-8"))
        for take, name in zip(takes, names, strict=True):
            _add(archive, f"audio/{name}.wav", _wav(take, name))
    return memory.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, data)


def _names(takes: Sequence[Take]) -> list[str]:
    """A unique name for each take's audio, valid on every system and without a path."""
    names: list[str] = []
    for take in takes:
        own = _entry_name(take.path.stem)
        stem, number = own, 2
        while stem.lower() in (name.lower() for name in names):
            stem, number = f"{own}-{number}", number + 1
        names.append(stem)
    return names


def _entry_name(stem: str) -> str:
    """A file name for any system: on Windows `..\\` leads to the parent folder, `:` to another stream of the file."""
    bare = re.sub(r'[\\/:*?"<>|]', "_", xml_text(plain(stem))).strip(" .")
    return bare or "take"


def _wav(take: Take, name: str) -> bytes:
    most = 2 * take.audio.nbytes + AROUND_BYTES_MAX
    if take.path.suffix.lower() == ".wav" and take.path.stat().st_size <= most:
        return take.path.read_bytes()
    done = Finished(take.audio, measure(take.audio, take.recipe.rate_hz), 0.0, 0, "")
    return wav_file(take.recipe, done, f"{name}.wav")


def _metadata(takes: Sequence[Take]) -> Element:
    root = Element("MetaData")
    SubElement(root, "Title").text = xml_text(title_of(takes[0].recipe))
    SubElement(root, "Comment").text = f"{len(takes)} takes by Segue"
    return root


def project_xml(
    takes: Sequence[Take], names: Sequence[str], groups: Sequence[Group] = (), track_names: Sequence[str] = ()
) -> Element:
    """The project's XML tree, with elements in the schema's order.  [any]"""
    first = takes[0].recipe
    root = Element("Project", version="1.0")
    SubElement(root, "Application", name="Segue", version=version())
    transport = SubElement(root, "Transport")
    tempo = {"unit": "bpm", "min": "20", "max": "999", "value": f"{first.bpm:.10g}", "id": "tempo", "name": "Tempo"}
    SubElement(transport, "Tempo", tempo)
    meter = {"numerator": str(first.signature.numerator), "denominator": str(first.signature.denominator)}
    SubElement(transport, "TimeSignature", meter, id="meter")
    structure = SubElement(root, "Structure")
    _tracks(structure, takes, track_names or names, groups)
    _track(structure, "main", "Master", "2", "master", "")
    arrangement = SubElement(root, "Arrangement", id="arrangement")
    lanes = SubElement(arrangement, "Lanes", timeUnit="beats", id="lanes")
    for number, (take, name) in enumerate(zip(takes, names, strict=True)):
        _clip(SubElement(lanes, "Lanes", track=f"take{number}", id=f"lanes{number}"), take, name, number)
    _markers(arrangement, takes)
    return root


def _tracks(structure: Element, takes: Sequence[Take], names: Sequence[str], groups: Sequence[Group]) -> None:
    """A track for each take: inside its group, or beside the master."""
    inside = {at: number for number, group in enumerate(groups) for at in range(group.first, group.first + group.count)}
    folders = []
    for number, group in enumerate(groups):
        folder = _track(structure, f"group{number}", xml_text(plain(group.name)), "2", "master", "master", "tracks")
        if group.muted:
            channel = folder.find("Channel")
            assert channel is not None
            channel.insert(0, Element("Mute", value="true", id=f"mute{number}", name="Mute"))
        folders.append(folder)
    for number, (take, name) in enumerate(zip(takes, names, strict=True)):
        parent, to = structure, "master"
        if number in inside:
            parent, to = folders[inside[number]], f"channel-group{inside[number]}"
        _track(parent, f"take{number}", name, str(take.audio.shape[1]), "regular", to)


def _track(
    structure: Element, id: str, name: str, channels: str, role: str, to: str, content: str = "audio"
) -> Element:
    track = SubElement(structure, "Track", contentType=content, loaded="true", id=id, name=name)
    to_master = {"destination": to} if to else {}
    channel_id = "master" if id == "main" else f"channel-{id}"
    channel = SubElement(track, "Channel", {"audioChannels": channels, "role": role, "id": channel_id, **to_master})
    SubElement(channel, "Pan", unit="normalized", min="0", max="1", value="0.5", id=f"pan-{id}", name="Pan")
    SubElement(channel, "Volume", unit="linear", min="0", max="2", value="1", id=f"volume-{id}", name="Volume")
    return track


def _clip(lanes: Element, take: Take, name: str, number: int) -> None:
    recipe, bar = take.recipe, take.recipe.signature.beats_per_bar
    length = recipe.bars * bar
    seconds = float(beats_to_seconds(length, recipe.bpm))
    clips = SubElement(lanes, "Clips", id=f"clips{number}")
    place = {"time": _number(recipe.start_bar * bar), "duration": _number(length), "playStart": "0", "name": name}
    if recipe.loop:
        place |= {"loopStart": "0", "loopEnd": _number(length)}
    clip = SubElement(clips, "Clip", {**place, "contentTimeUnit": "beats"})
    warps = SubElement(clip, "Warps", contentTimeUnit="seconds", timeUnit="beats", id=f"warps{number}")
    form = {"channels": str(take.audio.shape[1]), "sampleRate": str(recipe.rate_hz), "duration": f"{seconds:.9f}"}
    audio = SubElement(warps, "Audio", {**form, "algorithm": "stretch", "id": f"audio{number}"})
    SubElement(audio, "File", path=f"audio/{name}.wav", external="false")
    SubElement(warps, "Warp", time="0", contentTime="0")
    SubElement(warps, "Warp", time=_number(length), contentTime=f"{seconds:.9f}")


def _markers(arrangement: Element, takes: Sequence[Take]) -> None:
    """A marker at the start of each take, and at the end of the last."""
    places: dict[float, str] = {}
    for take in takes:
        recipe, bar = take.recipe, take.recipe.signature.beats_per_bar
        places.setdefault(float(recipe.start_bar * bar), title_of(recipe))
        places.setdefault(float((recipe.start_bar + recipe.bars) * bar), "end")
    markers = SubElement(arrangement, "Markers", id="markers", timeUnit="beats")
    for beats in sorted(places):
        SubElement(markers, "Marker", time=_number(beats), name=xml_text(places[beats]))


def _number(value: object) -> str:
    return f"{float(value):.9g}"  # type: ignore[arg-type]
