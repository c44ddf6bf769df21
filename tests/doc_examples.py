"""The examples of the documentation: each fenced block of each page, and checks of what it says.

A line of shell is given to the real parser of its program, which is not run: `segue` to its command line, `python -m`
to the module's options, `oscsend` through a datagram to the message table.
"""

from __future__ import annotations

import argparse
import importlib
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import typer.main

from bridge.control import messages
from bridge.control.arguments import Message
from bridge.control.history_rows import TAKES_REQUESTS
from bridge.control.jam_rows import JAM_REQUESTS
from bridge.control.packet import encode, parse
from bridge.control.parameters import parameter
from plugin_host.cli.main import app
from plugin_host.oscquery.tree import find, tree

ROOT = Path(__file__).parents[1]
ROWS = {row.address: row for row in (*TAKES_REQUESTS, *JAM_REQUESTS)} | messages.TABLE
NOT_OURS = {"apt", "git", "export", ".", "pytest", "python3 -m venv", "python3 -m pip"}  # only people read them
_PASSED_ON = {"engine": ("engine.serve.options", "parse"), "models": ("engine.checkpoints.__main__", "main")}
_BLOCK = re.compile(r"^ *```(?P<language>\w*)\n(?P<text>.*?)^ *```", re.DOTALL | re.MULTILINE)
_KINDS: dict[str, Callable[[str], object]] = {"i": int, "f": float, "s": str}


class Example(NamedTuple):
    """A fenced block: page (relative to the project), language (empty: none said), text."""

    page: str
    language: str
    text: str


def examples() -> list[Example]:
    """All blocks of all pages that the project keeps."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    pages = [ROOT / name for name in listed] or [*ROOT.glob("docs/**/*.md"), *ROOT.glob("*.md")]
    return [
        Example(str(page.relative_to(ROOT)), match["language"], match["text"])
        for page in pages for match in _BLOCK.finditer(page.read_text("utf-8"))
    ]  # fmt: skip


# -- OSC ----------------------------------------------------------------------------------------------


def taken(address: str, values: list[Any]) -> Message:
    """The row that takes a message as it arrives, in its long or short form; fails where none does."""
    (packet,) = parse(encode(address, values))
    short = "/do/" in address
    row = ROWS[address.replace("/do/", "/")]
    checked = row.check([0, *packet.values] if short else list(packet.values))
    if row is messages.LANE_SET:
        parameter(str(checked["name"]))
    return row


def number_or_text(word: str) -> object:
    """A word as an OSC program types it that knows numbers from texts by their looks."""
    return (float(word) if "." in word else int(word)) if re.fullmatch(r"-?[\d.]+", word) else word


def osc_lines(text: str) -> None:
    """Lines of an address and its values."""
    for line in text.splitlines():
        address, *words = shlex.split(line, comments=True)
        taken(address, [number_or_text(word) for word in words])


def lane_lines(text: str) -> None:
    """Lines for an object of a lane in Max: a message's last word and its values after the lane."""
    for line in text.splitlines():
        word, *words = shlex.split(line)
        taken(f"/segue/do/lane/{word}", [0, *(number_or_text(word) for word in words)])


def json_values(text: str) -> list[Any]:
    """Values in JavaScript or Ruby, whose numbers and texts are JSON's; a function at the end is left out."""
    return list(json.loads(f"[{text.partition(', () =>')[0]}]"))


def javascript(text: str) -> None:
    sent = re.findall(r'\.send\("([^"]+)", (.*)\);', text)
    assert len(sent) == text.count(".send(") > 0
    for address, values in sent:
        taken(address, json_values(values))


def ruby(text: str) -> None:
    """Calls of Sonic Pi's functions; tests/plugin_host/patches/test_packages.py runs them where Ruby is."""
    for line in text.splitlines():
        name, _, rest = line.strip().partition(" ")
        if name in ("segue", "segue_lane"):
            lane, _, values = rest.partition(", ") if name == "segue_lane" else ("0", "", rest)
            word, _, given = values.partition(", ")
            taken(f"/segue/do/lane/{word.strip(':')}", [int(lane), *json_values(given)])
        elif name == "segue_ask":
            path, *given = json_values(rest)
            taken(f"/segue/do/{path}", given)


def haskell(text: str) -> None:
    """Tidal's target: the arguments of its shape are those of the row, in their order."""
    (address, names) = re.search(r'OSC "([^"]+)" \$ ArgList \[(.*)\]', text).groups()  # type: ignore[union-attr]
    row = ROWS[address.replace("/do/", "/")]
    given = re.findall(r'\("(\w+)"', names)
    assert given == [argument.name for argument in row.arguments[1:]][: len(given)]
    assert all(argument.default is not None for argument in row.arguments[1 + len(given) :])
    used = dict(re.findall(r'p[SFI] "(\w+)" "?([\w.]+|\(.*?\))', text))
    assert set(used) == set(given)
    parameter(used["name"])


def panel_lines(text: str) -> None:
    """JSON between the panel and its page: addresses and names are those of the table."""
    for line in text.splitlines():
        said = json.loads(line[3:].replace(", ...", "").replace("{...}", "{}"))
        if "do" in said:
            row, asked = ROWS[said["do"]], said["values"]
            row.check([0, *(asked[each.name] for each in row.arguments[1:] if each.name in asked)])
            assert set(asked) <= {each.name for each in row.arguments}
            answer = {each.name for each in row.reply}
        elif "ok" in said:
            assert set(said["ok"]) == answer
        elif "progress" in said:
            assert set(said["progress"]) <= {each.name for each in messages.PROGRESS.arguments}
        elif "state" in said or "event" in said:
            row = ROWS[f"/segue/{said.get('event', 'state/' + said.get('state', ''))}"]
            assert set(said["values"]) <= {each.name for each in row.arguments}
        else:
            assert set(said["error"]) <= {each.name for each in messages.ERROR.arguments}


# -- the shell ----------------------------------------------------------------------------------------


class _Parsed(Exception):
    """The options were taken: the program is not run."""


def shell(text: str) -> None:
    """Lines of shell: each command by its own check; an unknown program is a fault."""
    meant: dict[str, str] = {}
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
        lexer.whitespace_split = True
        words: list[str] = []
        for token in [*lexer, ";"]:
            if token[0] not in ";&|":
                words.append(meant.get(token, token))
                continue
            if words[:1] == ["for"]:
                meant[f"${words[1]}"] = words[3]
            elif words and not words[0].startswith("..."):
                _command(words)
            words = []


def _command(words: list[str]) -> None:
    while words and (words[0] in ("do", "done", "sudo") or re.match(r"[A-Z_]+=", words[0])):
        words = words[1:]
    if words and not {words[0], " ".join(words[:3])} & NOT_OURS:
        assert words[0] in _PROGRAMS, f"no test knows the program of {shlex.join(words)!r}"
        _PROGRAMS[words[0]](words[1:])


def segue(words: list[str]) -> None:
    """The real command line takes these words, which are not carried out."""
    command: Any = typer.main.get_command(app)
    name = words[0]
    while words and words[0] in getattr(command, "commands", {}):
        command, words = command.commands[words[0]], words[1:]
    assert not words or not getattr(command, "commands", {}), f"segue has no command {words[0]!r}"
    with command.make_context("segue", list(words)) as context:
        left = list(context.args)
    if name in _PASSED_ON:
        _options_taken(*_PASSED_ON[name], [word for word in left if word != "--panel"])


def _python(words: list[str]) -> None:
    option, name, *rest = words
    assert option == "-m"
    _options_taken(f"{name}.__main__" if (ROOT / name.replace(".", "/")).is_dir() else name, "main", rest)


def _options_taken(module: str, function: str, words: list[str]) -> None:
    """The parser in a function of a module takes these words; the function goes no further."""
    whole = argparse.ArgumentParser.parse_args
    run = getattr(importlib.import_module(module), function)

    def parse_only(self: argparse.ArgumentParser, *given: Any) -> None:
        whole(self, *given)
        raise _Parsed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
        patch.setattr(sys, "argv", [module, *words])
        given = [words] * bool(run.__code__.co_argcount)
        with pytest.raises(_Parsed):
            run(*given)


def _pip(words: list[str]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    for wanted in re.findall(r"\[([\w,-]+)\]", " ".join(words)):
        assert set(wanted.split(",")) <= set(extras)
    for place in re.findall(r"(?:^| )-c (\S+)", " ".join(words)):
        assert (ROOT / place).is_file()


def _oscsend(words: list[str]) -> None:
    _, port, address, *rest = words
    row = taken(address, [_KINDS[kind](word) for kind, word in zip(rest[0], rest[1:], strict=True)] if rest else [])
    assert int(port) == (9640 if row in JAM_REQUESTS else messages.DEFAULT_PORT)


def _curl(words: list[str]) -> None:
    where = urlsplit(words[-1])
    assert find(tree({0: {}}), where.path) is not None or where.query == "HOST_INFO"


def _docker(words: list[str]) -> None:
    made = (ROOT / "Dockerfile").read_text("utf-8")
    for name in re.findall(r"--build-arg (\w+)=", " ".join(words)):
        assert f"ARG {name}=" in made
    if words[0] == "run" and 'ENTRYPOINT ["segue"]' in made:
        images = [number for number, word in enumerate(words) if word in ("segue", "segue-cuda", "segue-farm")]
        segue(words[images[0] + 1 :] or ["engine"])


_PROGRAMS: dict[str, Callable[[list[str]], None]] = {
    "segue": segue, "python": _python, "python3": _python, "pip": _pip, "oscsend": _oscsend, "curl": _curl,
    "docker": _docker, "oscdump": lambda words: int(words[0]) and None,
}  # fmt: skip
