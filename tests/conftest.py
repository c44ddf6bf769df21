"""For all tests: one thread a process (tests start processes, and two cores are soon busy), no hub."""

import os
import signal
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # tests of the hub use a stand-in on this machine
# the time of an example depends on the machine's load, not on the code
settings.register_profile("segue", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("segue")

# Engines that play in real time, DAWs and sound servers: these run in one process, one after the other, and begin
# first, as they take the longest. A machine that others use may give them no processor for a second, which only they
# notice: a failed one runs once more. Others are repeated only with a reason, `@pytest.mark.second_try("...")`. The
# summary names what was repeated: a test that is often among it has a fault.
ON_CLOCKS = (
    "integration/", "plugin_host/plugin/", "plugin_host/host/test_jack_ends.py", "plugin_host/host/test_soundcard.py",
    "plugin_host/patches/test_stories.py",
    "plugin_host/jam/test_jam_hands.py", "plugin_host/jam/test_round_trip.py", "plugin_host/takes/test_ardour_story.py",
)  # fmt: skip
WAIT_FOR_EACH_OTHER = tuple(  # the plugin, but hosts and engines that wait as long as it takes, or none
    f"plugin_host/plugin/test_{name}"
    for name in ("native_ring.py", "plugin_install.py", "plugin_jam.py", "plugin_songs.py", "same_")
)


BEHIND_CLOCKS = 5  # steps of niceness


def on_clocks(nodeid: str) -> bool:
    """Whether a test belongs to those that run one after the other."""
    place = nodeid.removeprefix("tests/")
    return place.startswith(ON_CLOCKS) and not place.startswith(WAIT_FOR_EACH_OTHER)


def pytest_configure() -> None:
    """A shell's `&` and nohup let signals be ignored, which programs inherit. Here they still do nothing; but programs
    that tests start have them as they are by default."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda number, frame: None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A loaded model makes the processor flush subnormal numbers to 0; numeric tests need them. A worker that has left
    the tests with clocks to another, or has done them, lets them go first."""
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)
    if "PYTEST_XDIST_WORKER" in os.environ and hasattr(os, "nice") and not on_clocks(item.nodeid) and os.nice(0) == 0:
        os.nice(BEHIND_CLOCKS)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for mark in item.iter_markers("second_try"):
            if len(mark.args) != 1 or not isinstance(mark.args[0], str):
                raise pytest.UsageError(f"{item.nodeid}: second_try takes one text that says why")
        if on_clocks(item.nodeid) or item.get_closest_marker("second_try"):
            item.add_marker(pytest.mark.flaky(reruns=1, reruns_delay=1))
    if "PYTEST_XDIST_WORKER" in os.environ:
        tests = Counter(item.path for item in items)
        items.sort(key=lambda item: (not on_clocks(item.nodeid), -tests[item.path]))  # small files fill the end


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A file's tests go to one process, so that what they share is made once; all tests with clocks go to one process.
    Not by xdist's groups: xdist 3.8 does not recognise them under pytest 9.2."""
    from xdist.scheduler import LoadScopeScheduling

    class OnClocksTogether(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "clocks" if on_clocks(nodeid) else nodeid.partition("::")[0]

    config.option.loadscopereorder = False  # the tests come in order
    return OnClocksTogether(config, log)
