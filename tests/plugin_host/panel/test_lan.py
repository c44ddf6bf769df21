"""`segue panel --lan` as another device sees it, over a network of two namespaces."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

APART = ["unshare", "--net", "--mount"]
MISSING = [name for name in ("unshare", "ip") if not shutil.which(name)]


def test_another_device_opens_the_page_and_guests_change_nothing(tmp_path: Path) -> None:
    if MISSING or subprocess.run([*APART, "ip", "link", "add", "here", "type", "veth"], capture_output=True).returncode:
        pytest.skip("needs root, unshare and ip (apt install iproute2)")
    command = [*APART, sys.executable, str(Path(__file__).with_name("lan_rig.py")), str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "roles": ["owner", "guest"], "shared": [True, True], "owner stops": {}, "guest stops": "not_allowed",
        "guest shares": "not_allowed", "pages": [200, 200], "guest uploads": 405, "wrong token": [404, 404, 404],
        "wrong Host": [403, 403, 403], "wrong Origin": [403, 403], "websocket": [True, False, False],
        "without --lan": 0,
    }  # fmt: skip
