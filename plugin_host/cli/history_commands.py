"""`segue takes ...`: the history of a session. A command's docstring is its help; all of them are [main]."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from plugin_host.cli import live_command
from plugin_host.cli import take_commands as shared
from plugin_host.cli.far_engine import reaches_engine
from plugin_host.cli.guard import guarded
from plugin_host.cli.options import Device, Precision, Prompt, SecretFile, Seed, Weights
from plugin_host.console.screen import print_line

Session = Annotated[Path, typer.Option("--session", "-s", help="The session's folder.")]
Numbers = Annotated[list[int], typer.Argument(help="Takes by their numbers.")]
Number = Annotated[int, typer.Argument(help="A take by its number.")]
Off = Annotated[bool, typer.Option("--off", help="Take it back.")]
BarOption = Annotated[int, typer.Option(min=0, help="Up to before this bar of the song, from 2; 0: the take's end.")]
HERE = shared.OUT

takes = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="The history of a session: every take that was made, as a tree. `segue take` adds to it.",
    epilog="\b\nsegue takes list\nsegue takes extend --bars 8 --takes 4\nsegue takes switch C --at 13\n"
    "segue takes live gig --last 8\nsegue takes keep 7\nsegue takes export --out song.wav",
)


def _open(session: Path) -> Any:
    from plugin_host.history.history import History

    return History(session)


def _say_head(history: Any) -> None:
    from plugin_host.takes.tell import head_line

    print_line(head_line(history))


@takes.command("list", short_help="Show all takes as a tree.")
@guarded
def list_takes(
    session: Session = HERE,
    every: Annotated[bool, typer.Option("--all", help="Discarded ones too.")] = False,
) -> None:
    """Show all takes as a tree; > marks the head, after which the music goes on."""
    from plugin_host.takes.tell import tree

    with _open(session) as history:
        for line in tree(history, every):
            print_line(line)
        _say_head(history)


@takes.command()
@guarded
def show(number: Number, session: Session = HERE) -> None:
    """Show everything about a take."""
    from plugin_host.takes.tell import describe

    with _open(session) as history:
        for line in describe(history, history.node(number)):
            print_line(line)


@takes.command(short_help="Find takes by words of their prompt.")
@guarded
def find(words: Annotated[list[str], typer.Argument(help="Words of the prompt.")], session: Session = HERE) -> None:
    """Find takes by the words of their prompt; the best rated first."""
    from plugin_host.takes.tell import line_of

    with _open(session) as history:
        for node in history.find(" ".join(words)):
            print_line(line_of(node))


@takes.command(short_help="Make takes that go on from the head.")
@guarded
@reaches_engine
def extend(
    bars: Annotated[int, typer.Option(min=1, max=1000, help="How many bars.")] = 8,
    takes: shared.Takes = 1,
    prompt: Prompt = "",
    seed: Seed = -1,
    values: shared.Values = None,
    session: Session = HERE,
    port: shared.Port = 0,
    secret_file: SecretFile = None,
    model: shared.Model = "embedded",
    device: Device = "auto",
    precision: Precision = Weights.AUTO,
) -> None:
    """Make takes that go on from the head: with --takes 4 the takes A, B, C and D."""
    from plugin_host.console.screen import Screen
    from plugin_host.takes.engines import hot_engine
    from plugin_host.takes.extend import Extension, order_of
    from plugin_host.takes.order import fill

    screen, asked = Screen(), Extension(bars, takes, seed, prompt, shared.values_of(values))
    request = shared.engine_of(port, secret_file, model, device, precision)
    with _open(session) as history, tempfile.TemporaryDirectory(prefix="segue-") as scratch:
        order = order_of(history, asked, Path(scratch))
        with hot_engine(request, screen.say) as engine:
            fill(order, engine, history.folder, screen.say, screen.show)
        _say_head(history)


@takes.command(short_help="Make a take's file again from its recipe.")
@guarded
@reaches_engine
def again(
    number: Number,
    session: Session = HERE,
    port: shared.Port = 0,
    secret_file: SecretFile = None,
    model: Annotated[str, typer.Option(help="A different model; required if the take's model was a folder.")] = "",
    device: Device = "auto",
) -> None:
    """Make the file of a take again from its recipe, if it is not there any more."""
    from plugin_host.console.screen import Screen
    from plugin_host.takes.engines import hot_engine
    from plugin_host.takes.errors import TakeError
    from plugin_host.takes.extend import make_again
    from plugin_host.takes.live import live_again
    from plugin_host.takes.record import recipe_of
    from plugin_host.takes.tell import line_of

    screen = Screen()
    with _open(session) as history:
        node = history.node(number)
        if not history.has_file(node):
            recipe = recipe_of(history, node)
            if recipe.live:
                print_line(line_of(live_again(history, number, screen.show)))
                return
            if not (model or port or recipe.model_is_named):
                raise TakeError(
                    f"it was made with a model in a folder; say --model {recipe.model.name!r} if you trust it"
                )
            weights = Weights(recipe.model.precision)
            request = shared.engine_of(port, secret_file, model or recipe.model.name, device, weights)
            with hot_engine(request, screen.say) as engine:
                node = make_again(history, number, engine, screen.say, screen.show)
        print_line(line_of(node))


@takes.command(short_help="Move the head to a take.")
@guarded
def go(
    number: Annotated[int, typer.Argument(help="A take by its number; 0: before all music.")],
    at: BarOption = 0,
    session: Session = HERE,
) -> None:
    """Move the head to a take; the next `extend` goes on from there."""
    from plugin_host.history import head

    with _open(session) as history:
        head.go(history, number, max(0, at - 1))
        _say_head(history)


@takes.command(short_help="Move the head back by some bars.")
@guarded
def rewind(bars: Annotated[int, typer.Argument(min=1, help="How many bars.")], session: Session = HERE) -> None:
    """Move the head back by some bars; the next `extend` forks there. Nothing is lost."""
    from plugin_host.history import head

    with _open(session) as history:
        head.rewind(history, bars)
        _say_head(history)


@takes.command(short_help="Take the head's last move back.")
@guarded
def undo(session: Session = HERE) -> None:
    """Take the head's last move back: a take, a rewind, a switch."""
    from plugin_host.history import head

    with _open(session) as history:
        head.undo(history)
        _say_head(history)


@takes.command()
@guarded
def redo(session: Session = HERE) -> None:
    """Do again what was undone."""
    from plugin_host.history import head

    with _open(session) as history:
        head.redo(history)
        _say_head(history)


@takes.command(short_help="Change over to take A, B, C, ... of the order.")
@guarded
def switch(
    letter: Annotated[str, typer.Argument(help="A, B, C, ...: a take of the same order as the head's.")],
    at: Annotated[int, typer.Option(min=0, help="The bar of the song on which it begins; 0: the whole take.")] = 0,
    session: Session = HERE,
) -> None:
    """Change over to another take of the order, as a whole or from a bar line on."""
    from plugin_host.history import head

    with _open(session) as history:
        head.switch(history, letter, max(0, at - 1))
        _say_head(history)


@takes.command()
@guarded
def keep(numbers: Numbers, off: Off = False, session: Session = HERE) -> None:
    """Keep takes: nothing removes them, nor what comes before them."""
    _mark(session, lambda history: history.keep(numbers, not off))


@takes.command()
@guarded
def discard(numbers: Numbers, off: Off = False, session: Session = HERE) -> None:
    """Mark takes as not wanted; `gc` removes them."""
    _mark(session, lambda history: history.discard(numbers, not off))


@takes.command()
@guarded
def rate(
    numbers: Numbers,
    rating: Annotated[int, typer.Argument(min=0, max=5, help="1 to 5; 0: no rating.")],
    session: Session = HERE,
) -> None:
    """Rate takes from 1 to 5.

    \b
    segue takes rate 7 5        # take 7
    segue takes rate 7 8 9 2    # takes 7, 8 and 9
    """
    _mark(session, lambda history: history.rate(numbers, rating))


def _mark(session: Path, change: Any) -> None:
    from plugin_host.takes.tell import line_of

    with _open(session) as history:
        for node in change(history):
            print_line(line_of(node))


@takes.command(short_help="Write what is heard as one WAV file.")
@guarded
def export(
    out: Annotated[Path, typer.Option(help="The WAV file to write.")],
    number: Annotated[int, typer.Option("--take", min=0, help="The last take of the path; 0: the head's.")] = 0,
    at: BarOption = 0,
    bits: shared.BitsOption = shared.Bits.B24,
    session: Session = HERE,
) -> None:
    """Write what is heard from the beginning to the head, or to a take, as one WAV file.

    Takes that were played live, and have no file yet, are rendered first.
    """
    from plugin_host.console.screen import Screen
    from plugin_host.history import head
    from plugin_host.history.path import path_to
    from plugin_host.takes.join import export as write
    from plugin_host.takes.live import with_files

    with _open(session) as history:
        pieces = path_to(history, number, max(0, at - 1)) if number else head.pieces(history)
        n_samples = write(history, with_files(history, pieces, Screen().show), out, int(bits.value))
        bars = pieces[-1].stop_bar - pieces[0].start_bar
        print_line(f"  {out}  {bars} bars, {n_samples / pieces[0].node.rate_hz:.2f} s, {len(pieces)} takes")


@takes.command(short_help="Remove takes by your rule.")
@guarded
def gc(
    unrated: Annotated[bool, typer.Option("--unrated", help="Also takes without a rating.")] = False,
    rated_below: Annotated[int, typer.Option(min=0, max=6, help="Also takes rated lower than this.")] = 0,
    older_days: Annotated[float, typer.Option(min=0, help="Only takes made so many days ago.")] = 0.0,
    files_only: Annotated[
        bool, typer.Option("--files-only", help="Keep the recipes: `again` brings them back.")
    ] = False,
    now: Annotated[bool, typer.Option("--now", help="Remove them; otherwise only show what would go.")] = False,
    session: Session = HERE,
) -> None:
    """Show or remove discarded takes; never a kept one, nor what a take that stays or the head goes on from."""
    from plugin_host.history.collect import Rule, collect
    from plugin_host.history.collect import find as would_go
    from plugin_host.takes.tell import line_of

    rule = Rule(unrated, rated_below, older_days, files_only)
    with _open(session) as history:
        gone = collect(history, rule) if now else would_go(history, rule)
        for node in gone.nodes:
            print_line(line_of(node))
        what = f"{len(gone.nodes)} takes, {len(gone.files)} files, {gone.n_bytes / 1e6:.1f} MB"
        print_line(f"{what}: removed" if now else f"{what} would go; --now removes them")


@takes.command(short_help="Check that the session is whole.")
@guarded
def check(session: Session = HERE) -> None:
    """Check that the session is whole: database, tree, every file's checksum, journals. Exit code 1 if not."""
    from plugin_host.history.check import faults_of
    from plugin_host.takes.live import live_faults

    with _open(session) as history:
        faults = [*faults_of(history), *live_faults(history)]
        for line in faults:
            print_line(f"  {line}")
        print_line(f"{len(history.nodes())} takes, {len(faults)} faults")
    raise typer.Exit(1 if faults else 0)


@takes.command(short_help="Add takes that are in the folder already.")
@guarded
def add(
    files: Annotated[list[Path], typer.Argument(help="Takes that Segue made, in the session's folder.")],
    lane: Annotated[str, typer.Option(help="Their lane, like drums.")] = "",
    session: Session = HERE,
) -> None:
    """Add takes that are in the folder already: made before there was a history, or copied there."""
    from plugin_host.history.history import History
    from plugin_host.takes.errors import TakeError
    from plugin_host.takes.record import node_of
    from plugin_host.takes.take import read_recipe
    from plugin_host.takes.tell import line_of

    with History(session, create=True) as history:
        for file in files:
            recipe = read_recipe(file)
            own = recipe.stem
            if own.parts:
                raise TakeError(f"{file} is a mix: its stems are the takes, {', '.join(own.parts.split())}")
            node = node_of(history.folder, recipe, file.absolute(), max(1, own.variation), lane or own.lane)
            for added in history.add([node]):
                print_line(line_of(added))


@guarded
def info(
    path: Annotated[Path, typer.Argument(help="A session's folder, or a file: take, sound, project, preset, journal.")],
) -> None:
    """Say what a session's folder or a file is: takes, what they were made from, place on the disk, what is missing."""
    from plugin_host.takes.info import lines_about

    for line in lines_about(path):
        print_line(line)


def add_to(app: typer.Typer) -> None:
    """Add these commands to the command line.  [main]"""
    app.command(short_help="Say what a session's folder or a file is.")(info)
    live_command.add_to(takes)
    app.add_typer(takes, name="takes", short_help="The history of a session: keep, undo, find.")
