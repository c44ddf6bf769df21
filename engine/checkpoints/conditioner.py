"""The conditioner of a checkpoint: its own parts, and those that checkpoints omit and that are found or given.

Text encoder, stem separator and feature model come from elsewhere. If one is missing, the model cannot follow that
reference, or uses the whole mix, and a note says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from engine.checkpoints.catalog import HTDEMUCS, MERT
from engine.checkpoints.htdemucs import load_htdemucs
from engine.checkpoints.mert import load_mert
from engine.checkpoints.obtain import obtain
from engine.checkpoints.opened import Opened
from engine.checkpoints.read import Plugs, Stored
from engine.conditions.melody import MelodyConditioner, Separator
from engine.conditions.musicgen import MusicGenConditioner
from engine.conditions.separation import HOW_TO_INSTALL, installed
from engine.conditions.style import FeatureModel, StyleConditioner
from engine.conditions.text_t5 import StandInTexts, T5Texts, TextConditioner, load_tokenizer
from engine.errors import CheckpointError, UnsupportedError

if TYPE_CHECKING:
    from engine.checkpoints.build import Modules

WHOLE_MIX = "the chroma is of the whole mix"
NO_DEMUCS = f"stem separation is not installed: {WHOLE_MIX}; {HOW_TO_INSTALL}"


@dataclass(frozen=True)
class ConditionerMaker:
    """Makes the conditioner of one checkpoint; `notes` collects sentences for the user.  [main]"""

    stored: Stored
    modules: Modules
    plugs: Plugs
    device: torch.device
    opened: Opened
    notes: list[str]

    def conditioner(self) -> MusicGenConditioner:
        """The whole of it."""
        style, why_not = self._style()
        return MusicGenConditioner(self._text(), self.stored.model.text_prefix, self._melody(), style, why_not)

    @property
    def window_samples(self) -> int:
        """Samples that a window spans."""
        return self.stored.model.window_frames * self.stored.codec.frame_samples

    def _text(self) -> TextConditioner:
        stored, modules = self.stored, self.modules
        if modules.text is not None and stored.tokenizer is not None:
            return TextConditioner(T5Texts(modules.text, load_tokenizer(stored.tokenizer)), modules.project_text)
        assert callable(self.plugs.t5)
        return TextConditioner(StandInTexts(self.plugs.t5, modules.project_text.in_features), modules.project_text)

    def _melody(self) -> MelodyConditioner | None:
        chroma, projection, model = self.modules.chroma, self.modules.project_melody, self.stored.model
        if chroma is None or projection is None:
            return None
        return MelodyConditioner(
            chroma, projection, model.chroma_frames, model.sample_rate, self._separator(), self.window_samples
        )

    def _separator(self) -> Separator | None:
        """The stem separator; required if given by path, otherwise a note replaces it."""
        given = self.plugs.separator
        if callable(given):
            return given
        if given is not None:
            return load_htdemucs(obtain(given, self.opened.report), self.device, self.opened)
        if not installed():
            self.notes.append(NO_DEMUCS)
            return None
        try:
            folder = obtain(HTDEMUCS, self.opened.report)
        except CheckpointError as fault:
            self.notes.append(f"stem separation has no weights: {WHOLE_MIX}; {fault}")
            return None
        return load_htdemucs(folder, self.device, self.opened)

    def _style(self) -> tuple[StyleConditioner | None, str]:
        """The style conditioner, and what is missing for a style."""
        net, projection, model = self.modules.style, self.modules.project_style, self.stored.model
        if net is None or projection is None:
            return None, ""
        features, why_not = self._features(net.config.features)
        if why_not:
            self.notes.append(f"this model cannot follow a style here: {why_not}")
        style = StyleConditioner(net, projection, features, model.sample_rate, self.window_samples, model.stride_frames)
        return style, why_not

    def _features(self, width: int) -> tuple[FeatureModel | None, str]:
        """The feature model; required if given by path, otherwise a reason replaces it."""
        given = self.plugs.style_features
        if callable(given):
            return given, ""
        if given is not None:
            return load_mert(obtain(given, self.opened.report), self.device, self.opened, width), ""
        try:
            folder = obtain(MERT, self.opened.report)
        except CheckpointError as fault:
            return None, str(fault)
        try:
            return load_mert(folder, self.device, self.opened, width), ""
        except UnsupportedError as fault:  # transformers is not installed
            return None, str(fault)
