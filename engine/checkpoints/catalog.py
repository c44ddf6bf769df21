"""The published models: names, sizes, licences, and which file format is fetched.

Source: MusicGen (Copet et al. 2023), MusicGen-Style (Rouard et al. 2024). Transformers' safetensors are fetched if
they exist: they contain codec, text encoder and tokenizer, and no pickle has to be read. Only style has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches

MUSICGEN_LICENCE = "CC-BY-NC-4.0"
CODEC, T5, MERT = "facebook/encodec_32khz", "google-t5/t5-base", "m-a-p/MERT-v1-95M"
HTDEMUCS = "adefossez/HTDemucs"
_DIMS = {"small": (1024, 16, 24), "medium": (1536, 24, 48), "large": (2048, 32, 48)}


@dataclass(frozen=True)
class Published:
    """One model of the family: `kind` is "text", "melody" or "style"; sizes of the language model.  [any]"""

    name: str
    kind: str
    dim: int
    n_heads: int
    n_layers: int
    channels: int = 1

    @property
    def repo(self) -> str:
        """Its name on the hub."""
        return f"facebook/musicgen-{self.name}"

    @property
    def format(self) -> str:
        """The fetched format: "transformers" or "audiocraft"."""
        return "audiocraft" if self.kind == "style" else "transformers"

    @property
    def n_codebooks(self) -> int:
        """Number of the language model's codebooks."""
        return 4 * self.channels

    @property
    def delays(self) -> tuple[int, ...]:
        """The delay of each codebook; left and right of stereo have the same delays."""
        return tuple(k // self.channels for k in range(self.n_codebooks))


def _all() -> dict[str, Published]:
    kinds = [(size, "text", size) for size in _DIMS]
    kinds += [("melody", "melody", "medium"), ("melody-large", "melody", "large")]
    models = [Published("style", "style", *_DIMS["medium"])]
    for name, kind, size in kinds:
        models.append(Published(name, kind, *_DIMS[size]))
        models.append(Published(f"stereo-{name}", kind, *_DIMS[size], channels=2))
    return {model.name: model for model in models}


MODELS = _all()
# what else a model may need, with its licence
COMPANIONS = {CODEC: MUSICGEN_LICENCE, T5: "Apache-2.0", MERT: "CC-BY-NC-4.0", HTDEMUCS: "MIT"}
OTHER_NAMES = {"t5-base": T5}
LICENCE_TEXT = {
    "CC-BY-NC-4.0": (
        "The weights of MusicGen, of its codec and of MERT are published under the Creative Commons\n"
        "Attribution-NonCommercial 4.0 licence: you may use and share them, with credit, and not commercially.\n"
        "https://creativecommons.org/licenses/by-nc/4.0/legalcode"
    )
}


def short_name(name: str) -> str | None:
    """'facebook/musicgen-small', 'musicgen-small' or 'small' to 'small'; None for names outside the family.  [any]"""
    short = name.removeprefix("facebook/").removeprefix("musicgen-")
    return short if short in MODELS else None


def full_name(name: str) -> str:
    """Name on the hub: 'small' -> 'facebook/musicgen-small', 't5-base' -> its new place; others as they are.  [any]"""
    short = short_name(name)
    return MODELS[short].repo if short else OTHER_NAMES.get(name, name)


def near_name(name: str) -> str:
    """'; did you mean small?' for 'smal'; empty without a similar name.  [any]"""
    short = name.removeprefix("facebook/").removeprefix("musicgen-")
    near = get_close_matches(short[:100], ["embedded", *MODELS], n=1, cutoff=0.7)
    return f"; did you mean {near[0]}?" if near else ""
