"""Fixture of the ring's tests: words in plain memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from torn_writes import plain_words

from bridge.ring.fields import Words


@pytest.fixture
def words() -> Iterator[Words]:
    made = plain_words()
    yield made
    made.release()
