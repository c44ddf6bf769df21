"""For all tests: one thread a process. Tests start processes of their own, and two cores are soon full."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
