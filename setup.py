"""Segue's wheel. With SEGUE_PLUGIN=1 the DAW plugin is compiled here and goes into it; everything else is in pyproject.

SEGUE_PLUGIN=1 pip wheel --no-deps .      segue-...-py3-none-linux_x86_64.whl, for machines like this one
pip wheel --no-deps .                     segue-...-py3-none-any.whl, for all
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

WITH_PLUGIN = os.environ.get("SEGUE_PLUGIN", "") not in ("", "0")


class BuildWithPlugin(build_py):
    """Copies the packages, then puts the plugin's bundles among them."""

    def run(self) -> None:
        """Fails where the plugin is asked for and cannot be built."""
        super().run()
        if not WITH_PLUGIN or self.editable_mode:
            return
        sys.path.insert(0, str(Path(__file__).parent))
        from plugin_host.native.bundles import build_bundles
        from plugin_host.native.install import SHIPPED

        with tempfile.TemporaryDirectory(prefix="segue-objects-") as work:
            build_bundles(Path(self.build_lib) / "plugin_host" / "native" / SHIPPED, Path(work))


class WheelWithPlugin(bdist_wheel):
    """A wheel for this kind of machine and any Python 3."""

    def get_tag(self) -> tuple[str, str, str]:
        python, abi, machine = super().get_tag()
        return ("py3", "none", machine) if WITH_PLUGIN else (python, abi, machine)


class WithPlugin(Distribution):
    """What is in it belongs to a kind of machine."""

    def has_ext_modules(self) -> bool:
        return WITH_PLUGIN


setup(distclass=WithPlugin, cmdclass={"build_py": BuildWithPlugin, "bdist_wheel": WheelWithPlugin})
