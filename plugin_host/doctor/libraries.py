"""Whether every library that Segue needs loads: each is imported in its own process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from bridge.system.dependencies import advice, extra_of, imports_of, requirements

IMPORT_SECONDS = 60
_CODE = """
import sys
sys.path[:] = [path for path in sys.path if path]
from bridge.system.dependencies import broken_library
try:
    for name in sys.argv[1:]:
        __import__(name)
except BaseException as error:
    print(broken_library(error) or f"{type(error).__name__}: {error}")
    raise SystemExit(1)
"""


@dataclass(frozen=True)
class Library:
    """One library: its distribution's name and version, its fault ("" for none), and the remedy."""

    name: str
    version: str
    fault: str = ""
    advice: str = ""
    extra: str = ""


def try_libraries() -> list[Library]:
    """All libraries that this version of Segue requires on this machine, and installed extras; takes seconds.

    Empty for a checkout that is not installed: its requirements are unknown.  [main]
    """
    wanted = {requirement.name: extra_of(requirement) for requirement in reversed(requirements())}
    with ThreadPoolExecutor(2) as pool:
        return [library for library in pool.map(_try, wanted.items()) if library is not None]


def _try(item: tuple[str, str]) -> Library | None:
    name, extra = item
    try:
        there = version(name)
    except PackageNotFoundError:
        return None if extra else Library(name, "", f"{name} is not installed", advice(name))
    modules = imports_of(name)
    fault = _imported(modules[:1])
    return Library(name, there, fault, advice((modules or [name])[0], reinstall=True) if fault else "", extra)


def _imported(modules: Iterable[str]) -> str:
    """The fault; "" if these modules load."""
    command = [sys.executable, "-c", _CODE, *modules]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=IMPORT_SECONDS)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    said = (done.stdout.strip() or done.stderr.strip()).splitlines()
    return (said or [f"its import ended with code {done.returncode}"])[-1].partition(": pip install")[0]
