"""One panel for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from panel_rig import Rig, serving


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with serving(tmp_path_factory.mktemp("panel")) as made:
        yield made
