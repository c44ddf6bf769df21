"""Segue's wheel. The native step of the language model is compiled if there is a C++ compiler, the DAW plugin if DPF is
there, too, and both go into the wheel, which is then for machines like this one; the rest is in pyproject.toml.

pip wheel --no-deps .                     segue-...-py3-none-linux_x86_64.whl with a compiler, else -py3-none-any.whl
SEGUE_PLUGIN=0 pip wheel --no-deps .      without the DAW plugin; SEGUE_PLUGIN=1: fails if it cannot be built
SEGUE_NATIVE_STEP=0                       without the native step; with SEGUE_PLUGIN=0 always -py3-none-any.whl, for all
pip install -e .                          the native step is compiled into the source tree
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
PLUGIN = os.environ.get("SEGUE_PLUGIN", "")  # empty: if it can be built here
WITH_STEP = os.environ.get("SEGUE_NATIVE_STEP", "") != "0"


def step_builder() -> ModuleType:
    """`engine.lm.executors.native.build` alone: the packages around it import what need not be installed yet."""
    return alone(ROOT / "engine/lm/executors/native/build.py")


def alone(path: Path) -> ModuleType:
    """A module that needs the standard library and `bridge.system.compiler` only."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    spec = importlib.util.spec_from_file_location(f"segue_{path.parent.name}_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def can_build_step() -> bool:
    """Whether there is a compiler and a processor for it."""
    builder = step_builder()
    try:
        builder.find_compiler()
    except builder.BuildError:
        return False
    return True


def with_plugin() -> bool:
    """Whether the wheel gets the plugin."""
    if PLUGIN:
        return PLUGIN != "0"
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from plugin_host.plugin.build import PluginBuildError, find_compiler
    from plugin_host.plugin.bundles import find_dpf

    try:
        find_compiler()
        find_dpf()
    except PluginBuildError:
        return False
    return sys.platform == "linux"


class BuildWithNative(build_py):
    """Copies the packages, then adds the compiled parts."""

    def run(self) -> None:
        """Fails if the plugin is requested and cannot be built; continues without the native step, else."""
        super().run()
        if WITH_STEP:
            self._step()
            self._bus()
        if not self.editable_mode and with_plugin():
            self._plugin()

    def _step(self) -> None:
        builder = step_builder()
        root = ROOT if self.editable_mode else Path(self.build_lib)
        try:
            builder.build(root / "engine/lm/executors/native" / builder.LIBRARY.name)
        except builder.BuildError as error:
            print(f"segue: installed without the native step, steps run in ONNX Runtime and PyTorch: {error}")

    def _bus(self) -> None:
        builder = alone(ROOT / "bridge/ring/bus.py")
        root = ROOT if self.editable_mode else Path(self.build_lib)
        try:
            builder.build(root / "bridge/ring" / builder.LIBRARY.name)
        except builder.BuildError as error:
            print(f"segue: installed without bridge/ring/bus: a ring that is cut short ends the process: {error}")

    def _plugin(self) -> None:
        sys.path.insert(0, str(ROOT))
        from plugin_host.plugin.build import PluginBuildError
        from plugin_host.plugin.bundles import build_bundles
        from plugin_host.plugin.install import SHIPPED
        from plugin_host.plugin.window import why_no_window

        with tempfile.TemporaryDirectory(prefix="segue-objects-") as work:
            shipped = Path(self.build_lib) / "plugin_host" / "plugin" / SHIPPED
            try:
                build_bundles(shipped, Path(work), window=not why_no_window())
            except PluginBuildError as error:
                if PLUGIN:
                    raise
                print(f"segue: built without the DAW plugin, `segue plugin install` compiles it: {error}")
                shutil.rmtree(shipped, ignore_errors=True)


class WheelWithNative(bdist_wheel):
    """A wheel for any Python 3; for this kind of machine where something in it was compiled."""

    def get_tag(self) -> tuple[str, str, str]:
        python, abi, machine = super().get_tag()
        return ("py3", "none", machine) if self.distribution.has_ext_modules() else (python, abi, machine)


class WithNative(Distribution):
    """What is in it may belong to a kind of machine."""

    def has_ext_modules(self) -> bool:
        return (WITH_STEP and can_build_step()) or with_plugin()


setup(distclass=WithNative, cmdclass={"build_py": BuildWithNative, "bdist_wheel": WheelWithNative})
