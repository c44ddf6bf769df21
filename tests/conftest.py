"""For all tests: one thread a process (tests start processes of their own, and two cores are soon full), no hub."""

import os

from hypothesis import HealthCheck, settings

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # tests of the hub have a stand-in on this machine
# how long an example takes says how busy the machine is, not whether the code is right
settings.register_profile("segue", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("segue")
