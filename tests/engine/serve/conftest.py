"""Fixture: a host of one lane, advanced by hand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lane_rig import Host


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    made.publish()
    yield made
    made.close()
