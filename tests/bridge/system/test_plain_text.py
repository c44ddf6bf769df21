"""Names and texts from outside: no control characters, no surrogates, nothing that XML cannot hold."""

from __future__ import annotations

import io
import logging
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.control.arguments import Argument
from bridge.control.presets import parse_preset
from bridge.errors import OutOfRange, PresetError
from bridge.system.plain_text import LINES, is_plain, plain, printed, xml_text

EVIL = "riff\x1b]0;owned\x07\x1b[2J\x9b31m\r\u202egnp\u2028\udcff\ud800.wav"


def test_what_a_terminal_obeys_is_written_out() -> None:
    want = r"riff\x1b]0;owned\x07\x1b[2J\x9b31m\x0d\u202egnp\u2028\xff\ud800.wav"
    assert plain(EVIL) == want
    assert not is_plain(EVIL)


@pytest.mark.parametrize("name", ["Grüße 92 bpm.wav", "ループ 1.wav", "حلقة.wav", "👩‍🎤\u00a0lead.wav", "می‌خواهم"])
def test_names_of_every_language_stay(name: str) -> None:
    assert plain(name) == name
    assert is_plain(name)


def test_lines_stay_where_they_are_wanted() -> None:
    assert plain("a\n\tb\r") == r"a\x0a\x09b\x0d"
    assert plain("a\n\tb\r", LINES) == "a\n\tb\\x0d"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp1252"])
def test_every_terminal_can_print_it(encoding: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding)
    stream.write(printed(EVIL + " ü ループ", stream))
    stream.flush()


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_plain_afterwards_and_fits_xml(text: str) -> None:
    assert is_plain(plain(text))
    plain(text).encode()
    element = ElementTree.Element("a", name=xml_text(text))
    element.text = xml_text(text)
    again = ElementTree.fromstring(ElementTree.tostring(element, "utf-8"))
    assert (again.text or "").replace("\n", "") == xml_text(text).replace("\r", "").replace("\n", "")


def test_halves_of_characters_are_no_text() -> None:
    with pytest.raises(OutOfRange, match="not whole Unicode"):
        Argument("prompt", "s", "").check("warm \ud800")


def test_a_preset_nested_without_end_is_an_error() -> None:
    with pytest.raises(PresetError, match="deep"):
        parse_preset("deep", "a = " + "[" * 100_000)


def test_the_engines_log_is_plain() -> None:
    from engine.serve.screen import PlainFormatter

    record = logging.LogRecord("segue", logging.WARNING, "", 0, "%s cannot be read", (EVIL,), None)
    assert is_plain(PlainFormatter("%(levelname)s %(message)s").format(record))
