"""For all tests of the plugin: its core, compiled once; skipped with a reason if that is impossible."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from plugin_host.plugin import build
from plugin_host.plugin.build import PluginBuildError
from plugin_host.plugin.bundles import UNITS, VARIANTS, build_bundles
from tests.plugin_host.plugin import native_core

if sys.platform == "win32":
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture(scope="session")
def core(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The C++ core as a library."""
    if not any(map(shutil.which, ("g++", "clang++"))):
        pytest.skip("no C++ compiler (apt install g++)")
    return native_core.load(build.build_core(tmp_path_factory.mktemp("core")))


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin's three bundles, and the mono LV2 bundle."""
    if os.environ.get("SEGUE_TEST_BUNDLES"):  # built before
        return Path(os.environ["SEGUE_TEST_BUNDLES"])
    run = tmp_path_factory.getbasetemp()
    folder = (run.parent if "PYTEST_XDIST_WORKER" in os.environ else run) / "bundles"  # of all workers
    with FileLock(f"{folder}.lock"):
        if not (folder / "built").exists():
            try:
                build_bundles(folder, folder / "objects", [*UNITS[:3], (VARIANTS[1], "lv2")], level="-O0")
            except PluginBuildError as fault:
                pytest.skip(f"the plugin cannot be built here: {str(fault)[:300]}")
            (folder / "built").touch()
    return folder
