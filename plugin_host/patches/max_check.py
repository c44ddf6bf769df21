"""What can be checked of the Max package without Max: its files belong together and its patches are possible."""

from __future__ import annotations

import json
import re
import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plugin_host.patches.max_objects import SCRIPTS, ports

KEYS = ("name", "displayname", "version", "author", "description", "tags", "website", "max_version_min", "homepatcher")
FOLDERS = ("patchers", "help", "docs", "extras", "examples", "init", "media", "javascript", "code")
_ABSOLUTE = re.compile(r'"(?:/Users/|/home/|/root/|/tmp/|[A-Z]:[\\/]|Macintosh HD:)')


def faults(package: Path) -> list[str]:
    """Sentences, each naming a file; none: nothing was found.  [any]"""
    return [*_layout(package), *_facts(package), *(fault for path in patches(package) for fault in patch_faults(path))]


def patches(package: Path) -> list[Path]:
    """All patches of the package.  [any]"""
    return sorted(path for path in package.rglob("*") if path.suffix in (".maxpat", ".maxhelp", ".amxd"))


def patcher(path: Path) -> dict[str, Any]:
    """The patcher in a file; ValueError for a container that does not hold together.  [any]"""
    data = path.read_bytes()
    if path.suffix == ".amxd":
        size, length = struct.unpack_from("<I", data, 16)[0], struct.unpack_from(">I", data, 32)[0]
        if data[:4] != b"ampf" or data[12:16] != b"ptch" or data[20:24] != b"mx@c" or size != len(data) - 20:
            raise ValueError("the container's head does not fit its size")
        data = data[36 : 20 + length].rstrip(b"\0")
    return dict(json.loads(data)["patcher"])


def _layout(package: Path) -> Iterator[str]:
    yield from (f"{name}/ is missing" for name in FOLDERS if not any((package / name).glob("*")))
    yield from (f"{name} is missing" for name in ("README.md", "LICENSE") if not (package / name).is_file())
    names = {path.stem for path in (package / "patchers").glob("*.maxpat")}
    for folder, ending in (("help", ".maxhelp"), ("docs", ".maxref.xml")):
        found = {path.name.removesuffix(ending) for path in (package / folder).glob("*")}
        yield from (f"{folder}/{name}{ending} is missing" for name in sorted(names - found))
        yield from (f"{folder}/{name}{ending} is about nothing" for name in sorted(found - names))
    for page in (package / "docs").glob("*.maxref.xml"):
        root = ElementTree.fromstring(page.read_text("utf-8"))  # noqa: S314 - our own file
        if root.tag != "c74object" or root.get("name") != page.name.removesuffix(".maxref.xml"):
            yield f"docs/{page.name}: names {root.get('name')!r}"
        yield from (f"docs/{page.name}: no {part}" for part in ("digest", "description") if not root.findtext(part))


def _facts(package: Path) -> Iterator[str]:
    facts = json.loads((package / "package-info.json").read_text("utf-8"))
    yield from (f"package-info.json: no {key}" for key in KEYS if not facts.get(key))
    if not any(package.rglob(facts.get("homepatcher", ""))):
        yield "package-info.json: its homepatcher is missing"


def patch_faults(path: Path) -> Iterator[str]:
    """What is wrong with one patch.  [any]"""
    if _ABSOLUTE.search(path.read_bytes().decode("utf-8", "replace")):
        yield f"{path.name}: an absolute path"
    try:
        inside = patcher(path)
    except (ValueError, KeyError, struct.error) as fault:
        yield f"{path.name}: {fault}"
        return
    boxes: dict[str, tuple[int, int]] = {}
    for entry in inside["boxes"]:
        box = entry["box"]
        boxes[box["id"]] = box["numinlets"], box["numoutlets"]
        yield from (f"{path.name}: {fault}" for fault in _box_faults(box, path))
    for entry in inside["lines"]:
        (source, outlet), (target, inlet) = entry["patchline"]["source"], entry["patchline"]["destination"]
        if source not in boxes or target not in boxes:
            yield f"{path.name}: a cord from {source} to {target}, which is not there"
        elif not (0 <= outlet < boxes[source][1] and 0 <= inlet < boxes[target][0]):
            yield f"{path.name}: a cord from outlet {outlet} of {source} to inlet {inlet} of {target}"


def _box_faults(box: dict[str, Any], path: Path) -> Iterator[str]:
    text = box.get("text", box["maxclass"])
    kind = "newobj" if box["maxclass"] in ("inlet", "outlet", "ezdac~") else box["maxclass"]
    try:
        inlets, outlets, _ = ports(kind, text)
    except (KeyError, IndexError):
        yield f"{text!r} is no object that comes with Max or this package"
        return
    if (box["numinlets"], box["numoutlets"]) != (inlets, outlets):
        yield f"{text!r} has {box['numinlets']} inlets, {box['numoutlets']} outlets, must have {inlets} and {outlets}"
    words = text.split()
    package = next((parent for parent in path.parents if (parent / "package-info.json").is_file()), path.parent)
    for name, folder in (("js", "javascript"), ("node.script", "code")):
        if words[0] == name and not (package / folder / words[1]).is_file():
            yield f"{words[1]} is missing in {folder}/"
    if words[0] == "js" and (package / "javascript" / words[1]).is_file():
        script = (package / "javascript" / words[1]).read_text("utf-8")
        declared = tuple(int(re.findall(rf"^{end} = (\d+);", script, re.MULTILINE)[0]) for end in ("inlets", "outlets"))
        if declared != SCRIPTS[words[1]]:
            yield f"{words[1]} declares {declared} inlets and outlets"
