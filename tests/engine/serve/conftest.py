"""Fixture: a host of one lane, advanced by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lane_rig import RigHost


@pytest.fixture
def host() -> Iterator[RigHost]:
    made = RigHost()
    made.publish()
    yield made
    made.close()
