"""Lane parameters and presets."""

from __future__ import annotations

from pathlib import Path

import pytest

from bridge.control.messages import LANE_SET
from bridge.control.packet import encode, parse
from bridge.control.parameters import KNOBS, PARAMETERS, Depth, check_parameter, parameter
from bridge.control.presets import PLACES, load_preset, parse_preset, preset_names
from bridge.errors import OutOfRange, PresetError, WrongType

README = Path(__file__).parents[3] / "presets" / "README.md"


def test_defaults_fit_their_own_rows() -> None:
    for name, row in PARAMETERS.items():
        assert check_parameter(name, row.default) == row.initial == row.default


@pytest.mark.parametrize("name", PARAMETERS)
def test_edges_are_taken_and_what_lies_beyond_is_not(name: str) -> None:
    """The limits of a row's range are valid; values beyond them, NaN and text are refused."""
    row = parameter(name)
    assert check_parameter(name, row.low) == row.low
    assert check_parameter(name, row.high) == row.high
    for wrong in (row.low - 1, row.high + 1, float("nan")):
        with pytest.raises(OutOfRange, match=name):
            check_parameter(name, wrong)
    with pytest.raises(WrongType):
        check_parameter(name, "1")


@pytest.mark.parametrize("wrong", [2**24, 2**31 - 1, -(2**24), 1e9])
def test_a_value_that_is_too_large_is_answered_with_its_parameters_range(wrong: float) -> None:
    (packet,) = parse(encode(LANE_SET.address, [1, 0, "seed", wrong]))
    value = LANE_SET.check(packet.values)["value"]
    with pytest.raises(OutOfRange, match=r"^seed is \S+, must be -1 to 16777215$"):
        check_parameter("seed", value)


def test_the_page_of_commands_knows_what_makes_music_anew() -> None:
    page = " ".join((README.parents[1] / "docs" / "commands.md").read_text("utf-8").split())
    for depth in (Depth.DRAWN, Depth.WINDOW):
        *names, last = (f"`{name}`" for name, row in PARAMETERS.items() if row.regenerates is depth)
        assert f"{', '.join(names)} and {last}" in page


def test_a_misspelt_name_is_answered_with_close_ones() -> None:
    with pytest.raises(OutOfRange, match="temperature"):
        check_parameter("temprature", 1.0)


def test_presets_keep_their_places() -> None:
    """Hosts store a preset by its place: those of the first release stay where they were."""
    first = "answer-me night-bus out-on-a-limb peak-hour porch same-but-new slow-tide straight-on"
    assert preset_names()[:8] == first.split()
    assert set(preset_names()) == set(PLACES), "a new preset's name goes to the end of PLACES"


def test_presets_load_and_the_readme_knows_them_all() -> None:
    names = preset_names()
    assert len(names) >= 24
    for name in names:
        preset = load_preset(name)
        assert preset.description
        assert preset.parameters
        assert f"| `{name}` | {preset.description[0].lower()}{preset.description[1:]} |" in README.read_text("utf-8")


def test_presets_differ() -> None:
    presets = [load_preset(name) for name in preset_names()]
    assert len({(p.prompt, *sorted(p.parameters.items())) for p in presets}) == len(presets)


@pytest.mark.parametrize("name", ["night-buss", "", "../presets/night-bus", "__init__", "x" * 5000, "night-bus\n"])
def test_no_such_preset(name: str) -> None:
    with pytest.raises(PresetError, match="there is"):
        load_preset(name)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("desciption = 'x'", "desciption"),
        ("parameters = 3", "table"),
        ("[parameters]\ntemprature = 1", "temprature"),
        ("[parameters]\ntemperature = 99", "0 to 4"),
        ("[parameters]\ntop_k = 2.5", "whole"),
        ("prompt = 5", "text"),
        (f"prompt = '{'x' * 1001}'", "1000"),
        ("not toml", "line 1"),
    ],
)
def test_a_preset_that_is_wrong_says_where(text: str, match: str) -> None:
    with pytest.raises(PresetError, match=match):
        parse_preset("mine", text)


def test_knobs_are_called_as_in_the_plugin() -> None:
    assert set(KNOBS) == {"creativity", "guidance", "level", "ahead", "take"}
    for knob, name in KNOBS.items():
        assert parameter(knob) is PARAMETERS[name]
    assert check_parameter("guidance", 2) == 2.0
    assert check_parameter("take", 7) == 7.0
    assert check_parameter("take", 0) == -1.0  # a new take, as in the plugin
    with pytest.raises(OutOfRange, match="creativity"):
        parameter("creativty")
