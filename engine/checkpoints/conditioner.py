"""The conditioner of a checkpoint: its own parts, and those that checkpoints leave out and are found or given.

Text encoder, stem separator and feature model come from elsewhere. What is not there is not made up: the model
then cannot follow that reference, or hears the whole mix, and a note says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from engine.checkpoints.find import find
from engine.checkpoints.mert import MERT, load_mert
from engine.checkpoints.opened import Opened
from engine.checkpoints.read import Plugs, Stored
from engine.conditions.melody import MelodyConditioner
from engine.conditions.musicgen import MusicGenConditioner
from engine.conditions.style import FeatureModel, StyleConditioner
from engine.conditions.text_t5 import StandInTexts, T5Texts, TextConditioner, load_tokenizer
from engine.errors import CheckpointError, UnsupportedError

if TYPE_CHECKING:
    from engine.checkpoints.build import Modules

NO_SEPARATOR = "stem separation is not installed: the chroma is of the whole mix; pip install 'segue[separation]'"


@dataclass(frozen=True)
class Maker:
    """Makes the conditioner of one checkpoint; `notes` gathers what the user should know.  [main]"""

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
        separator = self.plugs.separator
        if separator is None:
            self.notes.append(NO_SEPARATOR)
        return MelodyConditioner(
            chroma, projection, model.chroma_frames, model.sample_rate, separator, self.window_samples
        )

    def _style(self) -> tuple[StyleConditioner | None, str]:
        """The style conditioner, and what it lacks to hear a style."""
        net, projection, model = self.modules.style, self.modules.project_style, self.stored.model
        if net is None or projection is None:
            return None, ""
        features, why_not = self._features()
        if why_not:
            self.notes.append(f"this model cannot follow a style here: {why_not}")
        style = StyleConditioner(
            net, projection, features, model.sample_rate, self.window_samples, model.stride_frames
        )
        return style, why_not

    def _features(self) -> tuple[FeatureModel | None, str]:
        """The feature model; asked for by path it must be there, else a reason is as good."""
        given = self.plugs.style_features
        if callable(given):
            return given, ""
        if given is not None:
            return load_mert(find(given), self.device, self.opened), ""
        try:
            folder = find(MERT)
        except CheckpointError as fault:
            return None, str(fault)
        try:
            return load_mert(folder, self.device, self.opened), ""
        except UnsupportedError as fault:  # transformers is not installed
            return None, str(fault)
