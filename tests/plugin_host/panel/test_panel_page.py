"""The page's files: small, nothing from elsewhere, and no parameter or address but those of the table."""

from __future__ import annotations

import re

from bridge.control.parameters import KNOBS, PARAMETERS
from plugin_host.panel import table
from plugin_host.panel.server import PAGE

FILES = {path.name: path.read_text() for path in PAGE.iterdir()}
CODE = {name: text for name, text in FILES.items() if name.endswith(".js")}
KNOWN_NAMES = {  # the seed has a lock, the key a list of names, a take its bars; the rest is made from the table
    "seed", "key", "bars", "level",
}  # fmt: skip


def test_the_page_is_small() -> None:
    assert sum(len(text.encode()) for text in FILES.values()) < 100_000


def test_nothing_is_loaded_from_elsewhere() -> None:
    found = {address for text in FILES.values() for address in re.findall(r"https?://[\w.]+", text)}
    assert found <= {"http://www.w3.org"}  # the name of SVG


def test_every_address_is_one_of_the_table() -> None:
    found = {address for text in CODE.values() for address in re.findall(r'"(/(?:segue|panel)/[\w/]+)"', text)}
    later = {"/segue/lane/slot", "/segue/lane/morph", "/segue/lane/surface"}  # shown when the engine has them
    assert len(found) > 15
    assert found <= table.REQUESTS.keys() | later


def test_no_parameter_is_named_a_second_time() -> None:
    for name, text in CODE.items():
        quoted = set(re.findall(r'"(\w+)"', text)) & (PARAMETERS.keys() | KNOBS.keys())
        assert quoted <= KNOWN_NAMES, name


def test_every_module_that_is_imported_is_there() -> None:
    for name, text in CODE.items():
        assert set(re.findall(r'from "\./([\w.]+)"', text)) <= CODE.keys(), name
