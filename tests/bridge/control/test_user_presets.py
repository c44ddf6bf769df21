"""Presets of the user's: saved, listed, loaded; names that are taken or none."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.control.presets import Preset, parse_preset, preset_names, shares
from bridge.control.user_presets import UserPresets, toml_of
from bridge.errors import OutOfRange, PresetError

SCENE = Preset(
    "my-scene", 'half "way"', {"temperature": 0.9, "cfg": 4.25}, ("soft pads", "dub\n\\ é 🎹"), (0.25, 0.75), (1.0,)
)


def test_a_scene_is_read_as_it_was_saved(tmp_path: Path) -> None:
    presets = UserPresets(tmp_path / "not" / "there" / "yet")
    assert presets.names() == []
    path = presets.save(SCENE)
    assert presets.names() == ["my-scene"]
    assert presets.load("my-scene") == SCENE
    assert path.read_text("utf-8") == toml_of(SCENE)
    presets.save(Preset("my-scene", "", {}))
    assert presets.load("my-scene").prompts == ()


@pytest.mark.parametrize("name", [preset_names()[0], "../evil", "Big", "", "a b", "x\n"])
def test_names_that_cannot_be_saved(tmp_path: Path, name: str) -> None:
    with pytest.raises(PresetError):
        UserPresets(tmp_path).save(Preset(name, "", {}))
    assert not list(tmp_path.iterdir())


def test_a_missing_one_is_answered_with_close_ones_of_both_kinds(tmp_path: Path) -> None:
    presets = UserPresets(tmp_path)
    presets.save(SCENE)
    with pytest.raises(PresetError, match="my-scene"):
        presets.load("my-scen")
    with pytest.raises(PresetError, match="peak-hour"):
        presets.load("peak-houre")
    assert presets.load("peak-hour").prompt


def test_a_file_that_is_wrong_says_where(tmp_path: Path) -> None:
    (tmp_path / "odd.toml").write_bytes(b"\xff")
    (tmp_path / "large.toml").write_text("#" * 100_000)
    for name, says in (("odd", "cannot be read"), ("large", "bytes")):
        with pytest.raises(PresetError, match=says):
            UserPresets(tmp_path).load(name)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("prompt = 'a'\nprompts = ['b']", "one of them"),
        ("prompts = ['a','b','c','d','e','f','g','h','i']", "up to 8"),
        ("weights = [1, -1]", "none below"),
        ("weights = [0, 0]", "above 0"),
        ("weights = ['a']", "numbers"),
        ("style_weights = [1, 1, 1, 1, 1]", "up to 4"),
    ],
)
def test_mixes_that_are_wrong(text: str, match: str) -> None:
    with pytest.raises(PresetError, match=match):
        parse_preset("x", text)


def test_weights_are_shares() -> None:
    assert shares([1, 3, 0, 0]) == (0.25, 0.75)
    for wrong in ([0.0, 0.0], [2.0, -1.0], [float("inf")], [float("nan")]):
        with pytest.raises(OutOfRange):
            shares(wrong)
