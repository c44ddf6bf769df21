"""Libraries that do not load: which one an error is about, and what to install.

A library can be missing, or fail while it is imported: built for another version of a second library, or without a
system library that it needs. Such errors are of any class (ImportError, OSError, AttributeError, ...); they are
recognised by where they were raised: in the body of a module that is not Segue's.
"""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import TracebackType

from packaging.requirements import Requirement

PROGRAM = "segue"
PAIRS = (("torch", "torchaudio"),)  # compiled against each other: reinstalled together
_OURS = ("bridge", "engine", "plugin_host", "presets")
_TEXT_MAX = 200  # characters of a library's own error
_LIBRARIES = ("site-packages", "dist-packages")


def broken_library(error: BaseException) -> str | None:
    """The message for an error that a library raised during its import; None for any other error.  [any]"""
    name = _failed_import(error)
    if name is None:
        return None
    version = _version_there(error, name)
    what = f"{name} {version} does not load" if version else f"{name} is not installed"
    why = f" ({_first_cause(error)})" if version else ""
    return f"{what}{why}: {advice(name, reinstall=bool(version))}; `segue doctor` tries every library"


def is_missing(error: BaseException) -> bool:
    """Whether the library that an error is about is not there, rather than there and broken.  [any]"""
    name = _failed_import(error)
    return name is not None and not _version_there(error, name)


def _version_there(error: BaseException, name: str) -> str:
    missing = isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] == name
    return "" if missing else _version(distribution_of(name))


def advice(name: str, reinstall: bool = False) -> str:
    """The command that installs what the import `name` needs, in the versions that this Segue requires.  [any]"""
    distribution = distribution_of(name)
    pair = next((pair for pair in PAIRS if distribution in pair), (distribution,))
    wanted = [requirement for requirement in requirements() if requirement.name in pair]
    if wanted and not reinstall and all(extra_of(requirement) for requirement in wanted):
        return f"pip install '{PROGRAM}[{extra_of(wanted[0])}]'"
    exact = [f"{one.name}{one.specifier}" for one in wanted] or [distribution]
    words = " ".join(f"'{text}'" if re.search(r"[<>]", text) else text for text in dict.fromkeys(exact))
    return f"pip install {'--force-reinstall ' if reinstall else ''}{words}"


@lru_cache(maxsize=1)
def requirements() -> tuple[Requirement, ...]:
    """Segue's requirements on this machine, extras included; empty for a checkout that is not installed.

    [any]
    """
    try:
        lines = importlib.metadata.requires(PROGRAM) or []
    except importlib.metadata.PackageNotFoundError:
        return ()
    found = [Requirement(line) for line in lines]
    return tuple(one for one in found if one.marker is None or one.marker.evaluate({"extra": extra_of(one)}))


def extra_of(requirement: Requirement) -> str:
    """The extra of a requirement; "" for one that is always needed.  [any]"""
    found = re.search(r"extra == ['\"]([^'\"]+)['\"]", str(requirement.marker or ""))
    return found[1] if found else ""


def distribution_of(name: str) -> str:
    """The distribution of an import: soundfile for "soundfile", PyYAML for "yaml".  [any]"""
    homes = _homes().get(name, [])
    wanted = {requirement.name for requirement in requirements()}
    return next((home for home in homes if home in wanted), homes[0] if homes else _NOT_HERE.get(name, name))


_NOT_HERE = {"yaml": "PyYAML", "pythonosc": "python-osc", "rtmidi": "python-rtmidi", "jack": "JACK-Client"}


@lru_cache(maxsize=1)
def _homes() -> dict[str, list[str]]:
    return {name: sorted(set(homes)) for name, homes in importlib.metadata.packages_distributions().items()}


def imports_of(distribution: str) -> list[str]:
    """The top-level modules of an installed distribution, the one of its name first.  [any]"""
    plain = distribution.lower().replace("-", "_")
    names = [name for name, homes in _homes().items() if distribution in homes and not name.startswith("_")]
    return sorted(names, key=lambda name: (name.lower() != plain, name))


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _failed_import(error: BaseException) -> str | None:
    """The import that failed: the imported library; or one that it needs, if Segue requires that one too."""
    loading = [
        name
        for frame in _frames(error.__traceback__)
        if frame.tb_frame.f_code.co_name == "<module>" and (name := _library(Path(frame.tb_frame.f_code.co_filename)))
    ]
    if loading:
        wanted = {requirement.name for requirement in requirements()}
        return next((name for name in reversed(loading) if distribution_of(name) in wanted), loading[0])
    if isinstance(error, ImportError) and error.name:
        name = error.name.partition(".")[0]
        return None if name in _OURS or name in sys.stdlib_module_names else name
    return None


def _frames(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _library(path: Path) -> str:
    """The top-level module of a file in an installed library; "" for other files."""
    parts = path.parts
    place = next((number for number, part in enumerate(parts) if part in _LIBRARIES), None)
    if place is None or place + 1 >= len(parts):
        return ""
    name = parts[place + 1].partition(".")[0]
    return "" if name in _OURS else name


def _first_cause(error: BaseException) -> str:
    """The text of the first error, in one line."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    text = " ".join(str(error).split()) or "no reason given"
    return f"{type(error).__name__}: {text[-_TEXT_MAX:]}"
