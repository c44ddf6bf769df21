"""DAWproject files: valid by the format's schema, clips on their bars, complete takes inside.

The schema is Bitwig's (github.com/bitwig/dawproject, MIT) and not included: with its Project.xsd and MetaData.xsd in
the folder SEGUE_DAWPROJECT_XSD, the files are validated against it too.
"""

from __future__ import annotations

import io
import os
import zipfile
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import soundfile

from bridge.time.units import Signature
from plugin_host.takes.dawproject import export, project_file
from plugin_host.takes.errors import TakeError
from plugin_host.takes.finish import finish
from plugin_host.takes.recipe import Recipe
from plugin_host.takes.take import read_recipe, read_take, save_take, span_of

RATE = 48_000
RECIPES = (
    Recipe(bpm=137.5, bars=8, start_bar=4, prompt="dub & <bass>", seed=1),
    Recipe(bpm=137.5, bars=4, start_bar=4, prompt="piano", seed=2, loop=True),
    Recipe(bpm=137.5, bars=2, start_bar=12, seed=3),
)


def files(folder: Path, *recipes: Recipe, kind: str = "wav") -> list[Path]:
    made = []
    for recipe in recipes:
        start, end = span_of(recipe)
        noise = np.random.default_rng(recipe.seed).normal(0, 0.1, (end - start, 2)).astype(np.float32)
        made.append(save_take(folder, recipe, finish(noise, RATE, "off", 24), kind))
    return made


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("project")
    out = folder / "song.dawproject"
    export([*files(folder, *RECIPES[:2]), *files(folder, RECIPES[2], kind="flac")], out, lambda line: None)
    return zipfile.ZipFile(out)


def test_clips_lie_on_their_bars(archive: zipfile.ZipFile) -> None:
    root = ElementTree.fromstring(archive.read("project.xml"))
    assert root.find("Transport/Tempo").get("value") == "137.5"
    clips = root.findall("Arrangement/Lanes/Lanes/Clips/Clip")
    assert [(clip.get("time"), clip.get("duration")) for clip in clips] == [("16", "32"), ("16", "16"), ("48", "8")]
    assert [clip.get("loopEnd") for clip in clips] == [None, "16", None]
    for clip, recipe in zip(clips, RECIPES, strict=True):
        start, end = span_of(recipe)
        warps = [(float(w.get("time")), float(w.get("contentTime"))) for w in clip.iter("Warp")]
        assert warps[0] == (0, 0)
        assert warps[1] == (4 * recipe.bars, pytest.approx((end - start) / RATE, abs=1 / RATE))
    markers = root.findall("Arrangement/Markers/Marker")
    assert [(m.get("time"), m.get("name")) for m in markers] == [("16", "dub & <bass>"), ("32", "end"), ("48", "end"),
                                                               ("56", "end")]  # fmt: skip


def test_every_reference_leads_somewhere(archive: zipfile.ZipFile) -> None:
    root = ElementTree.fromstring(archive.read("project.xml"))
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    wanted = {element.get(name) for element in root.iter() for name in ("track", "destination") if element.get(name)}
    assert wanted <= set(ids)
    inside = set(archive.namelist())
    assert {element.get("path") for element in root.iter("File")} == inside - {"project.xml", "metadata.xml"}


def test_takes_are_whole_inside(archive: zipfile.ZipFile, tmp_path: Path) -> None:
    names = [name for name in archive.namelist() if name.startswith("audio/")]
    assert len(names) == 3
    for name, recipe in zip(names, RECIPES, strict=True):
        path = Path(archive.extract(name, tmp_path / "out"))
        assert read_recipe(path) == recipe
        assert soundfile.info(io.BytesIO(archive.read(name))).frames == span_of(recipe)[1] - span_of(recipe)[0]


def test_valid_against_the_published_schema(archive: zipfile.ZipFile) -> None:
    folder = os.environ.get("SEGUE_DAWPROJECT_XSD")
    if not folder:
        pytest.skip("SEGUE_DAWPROJECT_XSD does not name a folder with Bitwig's Project.xsd and MetaData.xsd")
    etree = pytest.importorskip("lxml.etree")
    for name, schema in (("project.xml", "Project.xsd"), ("metadata.xml", "MetaData.xsd")):
        rules = etree.XMLSchema(etree.parse(Path(folder) / schema))
        rules.assertValid(etree.fromstring(archive.read(name)))


def test_what_does_not_fit_together_is_refused(tmp_path: Path) -> None:
    other = replace(RECIPES[0], signature=Signature(7, 8))
    with pytest.raises(TakeError, match=r"4/4, 7/8"):
        project_file([read_take(path) for path in files(tmp_path, RECIPES[0], other)])
    with pytest.raises(TakeError, match="not a file"):
        export([tmp_path / "none.wav"], tmp_path / "x.dawproject", lambda line: None)


def test_entries_lead_nowhere_and_xml_stays_xml(tmp_path: Path) -> None:
    """Names and prompts that other systems do not allow: parent folders on Windows, escapes, bytes that are not
    UTF-8."""
    recipe = replace(RECIPES[2], prompt="dub\n\ufffe and bass")
    for number, name in enumerate(["..\\..\\x:y", "a\x1b[31m\x01", os.fsdecode(b"n\xffon"), "...", "con<>|"]):
        files(tmp_path, replace(recipe, seed=number))[0].rename(tmp_path / f"{name}.wav")
    project = tmp_path / "song.dawproject"
    export(sorted(tmp_path.glob("*.wav")), project, lambda line: None)
    with zipfile.ZipFile(project) as archive:
        audio = [name for name in archive.namelist() if name.startswith("audio/")]
        root = ElementTree.fromstring(archive.read("project.xml"))
        ElementTree.fromstring(archive.read("metadata.xml"))
    assert len(audio) == 5
    for name in audio:
        assert not set('\\:*?"<>|\x1b\x01') & set(name)
        assert name.count("/") == 1
        assert not name.removeprefix("audio/").startswith(".")
    assert sorted(element.get("path") for element in root.iter("File")) == sorted(audio)
