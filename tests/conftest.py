"""For all tests: one thread a process (tests start processes of their own, and two cores are soon full), no hub."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # tests of the hub have a stand-in on this machine
