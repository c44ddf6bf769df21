"""Building reports missing tools; installing puts bundles where hosts look; the plugin's lists agree with ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from plugin_host.plugin import bundles as native_bundles
from plugin_host.plugin import install
from plugin_host.plugin.build import SOURCES, PluginBuildError, find_compiler


def test_bundles_come_to_where_hosts_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    made = tmp_path / "made"
    (made / "Segue.lv2").mkdir(parents=True)
    (made / "Segue.lv2" / "manifest.ttl").write_text("new")
    (made / "Segue.clap").write_text("binary")
    old = install.host_folder("lv2") / "Segue.lv2"
    old.mkdir(parents=True)
    (old / "left over").touch()
    spaced = install.host_folder("lv2") / "Segue mono.lv2"
    spaced.mkdir()
    placed = install.install(made)
    assert placed == [old, install.host_folder("clap") / "Segue.clap"]
    assert [path.name for path in old.iterdir()] == ["manifest.ttl"]
    assert install.installed() == placed
    assert not spaced.exists()  # the mono bundle's former name


def test_bundles_that_came_with_the_wheel_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "SHIPPED", str(tmp_path / "built"))
    assert install.shipped() is None
    (tmp_path / "built" / "Segue.lv2").mkdir(parents=True)
    assert install.shipped() == tmp_path / "built"


def test_nothing_to_install_is_said(tmp_path: Path) -> None:
    with pytest.raises(PluginBuildError, match="segue plugin build"):
        install.install(tmp_path)


def test_folders_on_every_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APPDATA", "/roaming")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert install.host_folder("vst3", "linux") == Path.home() / ".vst3"
    assert install.host_folder("clap", "darwin") == Path.home() / "Library/Audio/Plug-Ins/CLAP"
    assert install.host_folder("lv2", "win32") == Path("/roaming/LV2")
    assert install.host_folder("vst3", "win32") == Path("/local/Programs/Common/VST3")


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SEGUE_DPF", str(tmp_path))
    with pytest.raises(PluginBuildError, match="apt install dpf-source"):
        native_bundles.find_dpf()
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(PluginBuildError, match=r"apt install g\+\+|xcode-select"):
        find_compiler()


def test_knobs_turn_the_lanes_parameters() -> None:
    """Each has the name of its row in the table of parameters; tests/bridge/control has the rest of the table."""
    rows = (SOURCES / "params.hpp").read_text()
    knobs = set(re.findall(r"\{lane_parameter::(\w+)\.knob", rows))
    assert knobs == {"temperature", "cfg", "bars", "level_db", "lead_seconds", "seed"}
    assert set(re.findall(r"lane_parameter::(\w+)\.name[},]", rows)) == knobs - {"seed"}
