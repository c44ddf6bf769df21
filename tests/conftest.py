"""For all tests: one thread a process (tests start processes, and two cores are soon busy), no hub."""

import os
import signal
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # tests of the hub use a stand-in on this machine
# the time of an example depends on the machine's load, not on the code
settings.register_profile("segue", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("segue")

# Real processes, clocks and sound servers: these run in one process, one after the other. A test is repeated only with
# a reason: `@pytest.mark.second_try("...")`; the summary names the repeated ones.
ON_CLOCKS = ("integration", "plugin_host")


def pytest_configure() -> None:
    """A shell's `&` and nohup let signals be ignored, which programs inherit. Here they still do nothing; but programs
    that tests start have them as they are by default."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda number, frame: None)


def pytest_runtest_setup() -> None:
    """A loaded model makes the processor flush subnormal numbers to 0; numeric tests need them."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("second_try"):
            if len(mark.args) != 1 or not isinstance(mark.args[0], str):
                raise pytest.UsageError(f"{item.nodeid}: second_try takes one text that says why")
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=1))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """All tests with clocks go to one process. Not by xdist's groups: xdist 3.8 does not recognise them under pytest
    9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class OnClocksTogether(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "clocks" if nodeid.split("/")[1] in ON_CLOCKS else nodeid

    return OnClocksTogether(config, log)
