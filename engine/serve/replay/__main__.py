"""Runs `command.main`."""

import sys

from engine.serve.replay.command import main

sys.exit(main())
