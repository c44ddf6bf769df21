"""`--engine HOST:PORT` of every command that talks to an engine: a relay that lives as long as the command. [main]"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

FarEngine = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="HOST:PORT",
        help="An engine on another machine (`segue engine --listen`), instead of --port; with its --secret-file.",
    ),
]
FarBuffer = Annotated[
    str, typer.Option("--buffer", help="With --engine: jitter buffer, auto, initial, or a length like 80ms, 0.25beats.")
]


def reaches_engine(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--engine` and `--buffer`; it has `port` and `secret_file`, and gets the relay's port.  [main]"""

    @functools.wraps(command)
    def run(*arguments: Any, far_engine: str = "", far_buffer: str = "auto", **options: Any) -> Any:
        if not far_engine:
            return command(*arguments, **options)
        from plugin_host.console.screen import complain
        from plugin_host.relay.beside import relay_beside
        from plugin_host.relay.run import RelayOptions

        wanted = RelayOptions(far_engine, secret_of(options["secret_file"]), 0, far_buffer)
        with relay_beside(wanted, complain) as port:
            return command(*arguments, **{**options, "port": port, "secret_file": None})

    own = inspect.signature(command, eval_str=True)
    more = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, default, annotation in (("far_engine", "", FarEngine), ("far_buffer", "auto", FarBuffer))
    ]
    run.__signature__ = own.replace(parameters=[*own.parameters.values(), *more])  # type: ignore[attr-defined]
    return run


def secret_of(file: Any) -> str:
    """The secret in `--secret-file`, which `--engine` needs; BadParameter.  [main]"""
    if file is None:
        raise typer.BadParameter("--engine needs --secret-file, the file that `segue engine --listen` has, too")
    try:
        return str(file.read_text("utf-8").strip())
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"--secret-file: {error}") from None
