"""Recipes from outside: valid ones are used, all others are refused with a reason."""

from __future__ import annotations

import base64
import hashlib
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugin_host.takes.errors import TakeError
from plugin_host.takes.make import make
from plugin_host.takes.recipe import Recipe, UsedRegion, from_json, region_bytes, to_json

REGION = UsedRegion("melody", 92.0, -3.5, hashlib.sha256(b"music").hexdigest(), b"music")
RECIPE = Recipe(bpm=92.0, bars=4, seed=3, prompt="ü", values={"cfg": 3.0}, regions=(REGION,))


def table() -> dict[str, Any]:
    return json.loads(to_json(RECIPE))


def changed(**values: object) -> str:
    return json.dumps({**table(), **values})


def test_round_trip() -> None:
    assert from_json(to_json(RECIPE)) == RECIPE
    assert region_bytes(from_json(to_json(RECIPE)).regions[0]) == b"music"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "cannot be read"),
        ("[]", "none of Segue"),
        ("{}", "none of Segue"),
        ("[" * 100_000, "cannot be read"),
        ('{"segue_take": 1, "bpm": NaN}', "NaN"),
        ('{"segue_take": 1, "bpm": ' + "9" * 5000 + "}", "cannot be read"),
        (changed(segue_take=2), "version 2"),
        (changed(segue_take={"a": 1}), "version"),
        (changed(bpm="fast"), "bpm"),
        (changed(bpm=1e308), "bpm"),
        (changed(bpm=10**400), "bpm"),
        (changed(bpm=None), "bpm"),
        (changed(bars=10**9), "bars"),
        (changed(bars=-1), "bars"),
        (changed(bars=1.5), "bars"),
        (changed(start_bar=-1), "start_bar"),
        (changed(denominator=3), "denominator"),
        (changed(rate_hz=1), "rate_hz"),
        (changed(bits=17), "bits"),
        (changed(loudness="loud"), "recipe"),
        (changed(loudness="nan"), "recipe"),
        (changed(prompt="a\x00b"), "control"),
        (changed(prompt=["a"]), "prompt"),
        (changed(prompt="a" * 100_000), "prompt"),
        (changed(seed=-1), "seed"),
        (changed(model="embedded"), "table"),
        (changed(model={"name": "embedded", "precision": "rm -rf"}), "precision"),
        (changed(values={"temperature": 1e9}), "temperature"),
        (changed(values={"temperature": "hot"}), "temperature"),
        (changed(values=[1]), "table"),
        (changed(regions={}), "regions"),
        (changed(regions=table()["regions"] * 4), "regions"),
        (changed(regions=[{**table()["regions"][0], "role": "drums"}]), "role"),
        (changed(regions=[{**table()["regions"][0], "flac": "%%%"}]), "base64"),
        (changed(regions=[{**table()["regions"][0], "flac": base64.b64encode(b"other").decode()}]), "checksum"),
        (changed(regions=[{**table()["regions"][0], "flac": 7}]), "base64"),
        ("x" * (17 * 2**20), "MB"),
    ],
    ids=lambda value: str(value)[-24:],
)
def test_what_is_wrong_is_reported(text: str, word: str) -> None:
    """TakeError names the fault of an invalid recipe."""
    with pytest.raises(TakeError, match=word):
        from_json(text)


def test_parameters_of_another_version_are_named_and_left_out() -> None:
    recipe = from_json(changed(values={"cfg": 2.0, "sparkle": 1.0, "seed": 5}))
    assert recipe.values == {"cfg": 2.0}
    assert "sparkle" in recipe.note


@pytest.mark.parametrize(
    "path",
    ["", "riff.flac", "../riff.flac", "{folder}/../{name}/riff.flac", "/dev/zero", "{folder}", "//elsewhere/riff"],
)
def test_regions_by_path_must_be_plain_files_of_the_same_content(tmp_path: Path, path: str) -> None:
    (tmp_path / "riff.flac").write_bytes(b"music")
    used = path.format(folder=tmp_path, name=tmp_path.name)
    with pytest.raises(TakeError):
        region_bytes(UsedRegion("style", 100.0, 0.0, REGION.sha256, path=used))


def test_region_by_path(tmp_path: Path) -> None:
    file = tmp_path / "riff.flac"
    file.write_bytes(b"music")
    assert region_bytes(UsedRegion("style", 100.0, 0.0, REGION.sha256, path=str(file))) == b"music"
    file.write_bytes(b"other")
    with pytest.raises(TakeError, match="changed"):
        region_bytes(UsedRegion("style", 100.0, 0.0, REGION.sha256, path=str(file)))


@pytest.mark.parametrize("name", ["embedded", "melody", "facebook/musicgen-small", "v1.1-large"])
def test_models_by_name_are_loaded(name: str) -> None:
    assert from_json(changed(model={"name": name, "precision": "auto"})).model_is_named


@pytest.mark.parametrize("name", ["/etc", "../x", "-h", "", "\\\\elsewhere\\x", "a/b/c", "C:\\x", ".", "x/..", "a b"])
def test_models_in_folders_are_not_loaded_for_a_stranger(name: str) -> None:
    assert not from_json(changed(model={"name": name, "precision": "auto"})).model_is_named


def test_take_of_hours_is_refused_before_anything_is_made() -> None:
    long = from_json(changed(bpm=20, bars=1000, rate_hz=192_000))
    with pytest.raises(TakeError, match="minutes"):
        make(None, long, print, print)  # type: ignore[arg-type]


FLOATS = st.floats(allow_subnormal=False)  # torch may have switched subnormal numbers off
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(sorted(table())), json_values)
def test_no_value_makes_it_fall_over(name: str, value: object) -> None:
    with suppress(TakeError):
        assert isinstance(from_json(changed(**{name: value})), Recipe)
