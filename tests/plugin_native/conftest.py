"""For all tests of the plugin: its core, compiled once; skipped with a reason where that is impossible."""

from __future__ import annotations

import ctypes
import shutil
import sys

import pytest

from plugin_host.native import build
from tests.plugin_native import native_core

if sys.platform == "win32":
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def core(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The C++ core as a library."""
    if not any(map(shutil.which, ("g++", "clang++"))):
        pytest.skip("no C++ compiler (apt install g++)")
    return native_core.load(build.build_core(tmp_path_factory.mktemp("core")))
