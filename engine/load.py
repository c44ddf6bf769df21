"""A model by name or folder: the one that ships with Segue, or a checkpoint on this machine."""

from __future__ import annotations

from pathlib import Path

from engine.model import LoadedModel

EMBEDDED = "embedded"


def load_model(name: str = EMBEDDED, device: str = "cpu", t5: str | Path | None = None) -> LoadedModel:
    """Load "embedded" or the checkpoint in folder `name` (audiocraft's or transformers' format) to `device`.

    `t5` is the folder of the text encoder that audiocraft checkpoints leave out.  Raises CheckpointError when
    there is no such folder or something in it is not what it should be; nothing is downloaded.  [generate]
    """
    if name == EMBEDDED:
        from engine.embedded import load

        return load(device)
    from engine.checkpoints.load import load_model as load_checkpoint

    return load_checkpoint(name, device, t5=t5)
