"""A missing library and a broken one raise different classes."""

import sys
from pathlib import Path

import pytest

from engine.errors import NotInstalled, UnsupportedError
from engine.system.optional_library import needed


def test_a_library_that_is_not_there() -> None:
    with pytest.raises(NotInstalled, match="reading needs a library: not_there_at_all is not"), needed("reading"):
        import not_there_at_all  # type: ignore[import-not-found] # noqa: F401


def test_a_library_that_is_there_and_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own message has no effect on the class."""
    home = tmp_path / "site-packages"
    (home / "broken_one").mkdir(parents=True)
    (home / "broken_one" / "__init__.py").write_text("raise RuntimeError('its driver is not installed')")
    info = home / "broken_one-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken_one\nVersion: 1.0\n")
    (info / "RECORD").write_text("broken_one/__init__.py,,\n")
    monkeypatch.syspath_prepend(str(home))
    from bridge.system import dependencies

    dependencies._homes.cache_clear()
    with pytest.raises(UnsupportedError, match="its driver is not installed") as raised, needed("reading"):
        import broken_one  # type: ignore[import-not-found] # noqa: F401
    dependencies._homes.cache_clear()
    assert not isinstance(raised.value, NotInstalled)
    assert "broken_one" not in sys.modules
