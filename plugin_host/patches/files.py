"""All files that are made here: their paths in plugin_host/, and their bytes."""

from __future__ import annotations

from pathlib import Path

from plugin_host.patches import max_pages, max_patches
from plugin_host.patches.about import ABOUT
from plugin_host.patches.max_json import live_device, max_patcher, max_text
from plugin_host.patches.pd_help import help_patch
from plugin_host.patches.pd_patches import ABSTRACTIONS
from plugin_host.patches.pd_text import pd_text

PLUGIN_HOST = Path(__file__).parents[1]
MAX = "max/Segue"


def all_files() -> dict[str, bytes]:
    """Each file by its path.  [any]"""
    return _pd() | _max()


def _pd() -> dict[str, bytes]:
    made = {f"pd/segue/{name}.pd": pd_text(make()) for name, make in ABSTRACTIONS.items()}
    made |= {f"pd/segue/{about.name}-help.pd": pd_text(help_patch(about)) for about in ABOUT}
    return {name: text.encode() for name, text in made.items()}


def _max() -> dict[str, bytes]:
    made = {f"{MAX}/patchers/{name}.maxpat": _patch(make()) for name, make in max_patches.ABSTRACTIONS.items()}
    for about in ABOUT:
        made[f"{MAX}/help/{about.name}.maxhelp"] = _patch(max_pages.help_patch(about))
        made[f"{MAX}/docs/{about.name}.maxref.xml"] = max_pages.reference(about).encode()
    made[f"{MAX}/extras/Segue Overview.maxpat"] = _patch(max_pages.overview())
    made[f"{MAX}/examples/segue.panel.maxpat"] = max_text(max_patcher(max_patches.panel(), presentation=True))
    made[f"{MAX}/package-info.json"] = max_pages.facts_text().encode()
    device = max_patcher(max_patches.live_panel(), presentation=True)
    made["max/Segue/examples/Segue.amxd"] = live_device(device, "Segue.amxd")
    return made


def _patch(patch: object) -> bytes:
    return max_text(max_patcher(patch))  # type: ignore[arg-type]
