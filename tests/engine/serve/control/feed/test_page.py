"""Every example of docs/subscriptions.md is taken by the table; its list of kinds is the table's."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from bridge.control import messages, state_rows
from engine.serve.control.feed.feed import SENT_PER_SECOND

ROOT = Path(__file__).parents[5]
PAGE = (ROOT / "docs" / "subscriptions.md").read_text("utf-8")


def typed(types: str, words: list[str]) -> list[object]:
    kinds = {"i": int, "f": float, "s": str}
    return [kinds[kind](word) for kind, word in zip(types, words, strict=True)]


def test_the_shell_example_is_taken() -> None:
    lines = [shlex.split(line) for line in PAGE.split("```sh\n")[1].split("```")[0].splitlines()]
    sent = [line for line in lines if line[0] == "oscsend"]
    assert len(sent) == 6
    for _, _, port, address, types, *words in sent:
        assert int(port) == messages.DEFAULT_PORT
        messages.TABLE[address].check(typed(types, words))


def test_the_supercollider_example_is_taken() -> None:
    text = PAGE.split("```supercollider\n")[1].split("```")[0]
    sent = re.findall(r'sendMsg\("([^"]+)", (.*?)\)', text)
    assert len(sent) == 2
    for address, words in sent:
        values = [word.strip('"') if word.startswith('"') else float(word) for word in words.split(", ")]
        messages.TABLE[address].check(values)
    names = [argument.name for argument in state_rows.STATE_BEAT.arguments]
    used = [int(number) for number in re.findall(r"message\[(\d+)\]", text)]
    assert [names[number - 1] for number in used] == ["ms", "bar", "beat"]  # message[0] is the address


def test_the_table_of_kinds_is_the_tables() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", PAGE, re.MULTILINE)
    assert [kind for kind, _ in rows] == [*state_rows.WHAT, state_rows.ALL_WHAT]
    for kind, cell in rows[:-1]:
        assert re.findall(r"`([^`]+)`", cell) == [row.address for row in state_rows.STATES_OF[kind]]


def test_the_numbers_of_the_page_are_the_codes() -> None:
    for text in (
        f"{state_rows.RATE_MIN_HZ:g} to {state_rows.RATE_MAX_HZ:g} Hz", f"{SENT_PER_SECOND:,.0f} messages a second",
        f"every {state_rows.REFRESH_SECONDS:g} seconds", f"comes {state_rows.AHEAD_MS:g} ms before",
        f"most {state_rows.DUMPS_PER_SECOND:g}\na second",
    ):  # fmt: skip
        assert text in PAGE, text
