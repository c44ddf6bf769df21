"""The models on this machine and on the hub: `segue models`, or `python -m engine.checkpoints`.

list                  available and installed models, sizes, licences
get NAME              download it, with its companions
remove NAME           delete the download and its conversions
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
import time
from pathlib import Path

from bridge.system.plain_text import printed
from engine.checkpoints import licence
from engine.checkpoints.cache import conversions_of
from engine.checkpoints.catalog import COMPANIONS, LICENCE_TEXT, MODELS, full_name, near_name, short_name
from engine.checkpoints.find import find_here, hub_cache, own_places, snapshots
from engine.errors import CheckpointError

EXIT_ERROR = 3
_BAR = 30


def folder_bytes(folder: Path) -> int:
    """Bytes of a folder's files, links followed.  [any]"""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _print(text: str) -> None:
    print(printed(text, sys.stdout))


def show() -> int:
    """List every published model, and whether it is installed.  [main]"""
    print(f"{'model':<23} {'here':>9}  {'follows':<14} {'licence':<13} folder")
    for name in [*MODELS, *COMPANIONS]:
        folder = find_here(name)
        begun = folder is None and bool(snapshots(name))
        size = f"{folder_bytes(folder) / 1e9:.2f} GB" if folder else "begun" if begun else "-"
        kind = {"text": "text", "melody": "text, melody", "style": "text, style"}
        follows = kind[MODELS[name].kind] if name in MODELS else ""
        _print(f"{name:<23} {size:>9}  {follows:<14} {licence.licence_of(name):<13} {folder or ''}".rstrip())
    print("\nThe embedded model comes with Segue and needs none of these. `segue models get NAME` downloads one.")
    return 0


def get(name: str, accept: bool, form: str | None) -> int:
    """Download a model; asks for the licence on a terminal.  [main]"""
    _must_be_published(name)
    here = find_here(name)
    if here is not None:
        _print(f"{name} is here: {here}")
        return 0
    terms = licence.licence_of(name)
    if not licence.accepted(terms):
        if not accept and sys.stdin.isatty():
            print(LICENCE_TEXT.get(terms, terms))
            accept = input("Accept? [y/N] ").strip().lower() in ("y", "yes")
        if accept:
            licence.accept(terms)
    licence.require(name)
    from engine.checkpoints.hub import fetch

    _print(f"{name}: {fetch(name, _Bar(), form)}")
    return 0


def _must_be_published(name: str) -> None:
    if name == "embedded":
        raise CheckpointError("the embedded model comes with Segue: it is here, and not among what is downloaded")
    if not short_name(name) and full_name(name) not in COMPANIONS:
        there = ", ".join(MODELS)
        raise CheckpointError(f"'{name}' is not a published model{near_name(name)}; there are: {there}")


class _Bar:
    """Progress on one line of a terminal; elsewhere a line for every tenth."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown = -1.0

    def __call__(self, stage: str, done: float, total: float) -> None:
        """Show the bytes done.  [main]"""
        share = done / total if total else 1.0
        terminal = sys.stderr.isatty()
        if share < 1 and share - self._shown < (0.002 if terminal else 0.1):
            return
        self._shown = share
        speed = done / max(1e-3, time.monotonic() - self._began) / 1e6
        bar = "#" * round(_BAR * share)
        sizes = f"{done / 1e9:.2f} of {total / 1e9:.2f} GB  {speed:.1f} MB/s"
        text = f"{stage} [{bar:<{_BAR}}] {100 * share:5.1f} %  {sizes}"
        sys.stderr.write(f"\r{text}" if terminal else f"{text}\n")
        if terminal and share >= 1:
            sys.stderr.write("\n")
        sys.stderr.flush()


def remove(name: str) -> int:
    """Delete a downloaded model and the conversions of its files.  [main]"""
    _must_be_published(name)
    freed = 0
    repos = {place.parents[1] for place in snapshots(name)}
    for repo in repos:
        if repo.parent != hub_cache():
            raise CheckpointError(f"{repo} is not where downloads go; nothing was deleted")
        for pickled in repo.glob("snapshots/*/*.bin"):
            for path in conversions_of(pickled):
                freed += path.stat().st_size
                path.unlink()
        freed += sum(path.lstat().st_size for path in repo.rglob("*") if path.is_file() and not path.is_symlink())
        shutil.rmtree(repo)
    own = [place for place in own_places(name) if place.is_dir()]
    if own:
        print(f"{own[0]} is in a folder of your own and stays")
    _print(f"{name}: {freed / 1e9:.2f} GB deleted" if repos else f"{name}: nothing was downloaded")
    return 0


def main(arguments: list[str]) -> int:
    """The command; 3 for an error, which is printed in one line.  [main]"""
    parser = argparse.ArgumentParser(
        prog="segue models",
        description="The MusicGen models: list them, download one, remove one.",
        epilog="Example: `segue models get melody` shows the licence, asks, and downloads.",
    )
    commands = parser.add_subparsers(dest="command", metavar="list | get | remove")
    commands.add_parser("list", help="list the models, and which are installed (default)")
    getting = commands.add_parser("get", help="download a model and all that it needs: get NAME")
    getting.add_argument("name", help="melody, style, small, ... or facebook/musicgen-melody")
    getting.add_argument(
        "--accept-license", "--accept-licence", action="store_true", dest="accept", help="accept it without a question"
    )
    getting.add_argument(
        "--format", choices=("transformers", "audiocraft"), help="format of the files; by default the model's usual one"
    )
    removing = commands.add_parser("remove", help="delete a downloaded model and its conversions: remove NAME")
    removing.add_argument("name", help="of a downloaded model")
    given = parser.parse_args(arguments)
    try:
        if given.command == "get":
            return get(given.name, given.accept, given.format)
        return remove(given.name) if given.command == "remove" else show()
    except CheckpointError as fault:
        sys.stderr.write(printed(f"segue models: {fault}", sys.stderr) + "\n")
        return EXIT_ERROR
    except KeyboardInterrupt:
        sys.stderr.write("\nstopped; the same command goes on from there\n")
        return 130
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
