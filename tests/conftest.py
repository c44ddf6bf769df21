"""For all tests: one thread a process (tests start processes of their own, and two cores are soon full), no hub."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # tests of the hub have a stand-in on this machine
# how long an example takes says how busy the machine is, not whether the code is right
settings.register_profile("segue", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("segue")

# Real processes, clocks and sound servers: these run in one process, one after the other. A machine that stands still
# for a moment can spoil one; so one that fails is tried once more, and the summary says so.
ON_CLOCKS = ("integration", "plugin_native", "plugin_host", "takes")


def pytest_runtest_setup() -> None:
    """A model that was loaded lets the processor take tiny numbers for 0; tests of numbers need them all."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.relative_to(Path(__file__).parent).parts[0] in ON_CLOCKS:
            item.add_marker(pytest.mark.xdist_group("clocks"))
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=1))
