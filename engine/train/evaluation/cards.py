"""The published models' own metrics, for whoever has the weights they need: nothing is downloaded here.

    python -m engine.train.evaluation.cards --outputs DIR --references DIR [--texts texts.txt]
        [--vggish vggish-10086976.pth] [--passt] [--clap FOLDER]

FAD on VGGish (Kilgour et al. 2019), Kullback-Leibler divergence of PaSST's labels (Koutini et al. 2022), CLAP score
(Wu et al. 2023), as in MusicGen's model cards. Folders have WAV, FLAC or OGG files of the same names; line n of texts
belongs to the n-th output by name.

All of it [main].
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks, resample

from engine.errors import UnsupportedError
from engine.train.evaluation.nearness import frechet
from engine.train.metrics import Array

VGGISH_RATE_HZ, PASST_RATE_HZ, CLAP_RATE_HZ = 16000, 32000, 48000
VGGISH_HELP = ("FAD needs VGGish's weights: vggish-10086976.pth of harritaylor/torchvggish's releases on GitHub, "
               "as --vggish PATH")  # fmt: skip
PASST_HELP = "the KL divergence needs PaSST: pip install hear21passt, which fetches its weights when it first runs"
CLAP_HELP = "the CLAP score needs a folder with laion/larger_clap_music from the Hugging Face hub, as --clap FOLDER"


class VGGish(nn.Module):
    """Hershey et al. 2017: 0.96 s of log-mel to 128 numbers, before the PCA; names as in torchvggish's file."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for width, count in ((64, 1), (128, 1), (256, 2), (512, 2)):
            for _ in range(count):
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU(inplace=True)]
                before = width
            layers.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*layers)
        relu = nn.ReLU
        self.embeddings = nn.Sequential(
            nn.Linear(512 * 24, 4096), relu(True), nn.Linear(4096, 4096), relu(True), nn.Linear(4096, 128), relu(True)
        )

    def forward(self, patches: Tensor) -> Tensor:
        """[n, 96, 64] to [n, 128]."""
        maps = self.features(patches.unsqueeze(1)).permute(0, 2, 3, 1)
        embedded: Tensor = self.embeddings(maps.flatten(1))
        return embedded


def vggish_of(path: Path | None) -> VGGish:
    """VGGish with its weights.  UnsupportedError says what to download."""
    if path is None or not path.is_file():
        raise UnsupportedError(VGGISH_HELP)
    network = VGGish()
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except (RuntimeError, OSError, ValueError) as error:
        raise UnsupportedError(f"{path} is not VGGish's file: {error}. {VGGISH_HELP}") from error
    return network.eval()


def vggish_patches(audio: Array, rate_hz: int) -> Tensor:
    """Log-mel [n, 96, 64] of mono audio, as VGGish was taught: 25 ms every 10 ms, 125 to 7500 Hz."""
    mono = resample(torch.from_numpy(audio), rate_hz, VGGISH_RATE_HZ)
    window = torch.hann_window(400)
    spectrum = torch.stft(mono, 512, 160, 400, window, center=False, return_complex=True).abs()
    mel = torch.log(spectrum.T @ melscale_fbanks(257, 125.0, 7500.0, 64, VGGISH_RATE_HZ) + 0.01)
    count = len(mel) // 96
    return mel[: count * 96].reshape(count, 96, 64)


@torch.inference_mode()
def fad(outputs: Sequence[Array], references: Sequence[Array], rate_hz: int, weights: Path | None) -> float:
    """Frechet audio distance on VGGish; lower is nearer.  UnsupportedError without the weights."""
    network = vggish_of(weights)
    sets = []
    for some in (outputs, references):
        patches = torch.cat([vggish_patches(audio, rate_hz) for audio in some])
        sets.append(torch.cat([network(part) for part in patches.split(32)]).numpy())
    return frechet(*sets)


@torch.inference_mode()
def passt_divergence(outputs: Sequence[Array], references: Sequence[Array], rate_hz: int) -> float:
    """Mean KL divergence of PaSST's labels of each output from its reference's.  UnsupportedError without it."""
    try:
        from hear21passt.base import get_basic_model  # type: ignore[import-not-found]
    except ImportError:
        raise UnsupportedError(PASST_HELP) from None
    network, found = get_basic_model(mode="logits").eval(), []
    for output, reference in zip(outputs, references, strict=True):
        at_rate = [resample(torch.from_numpy(audio), rate_hz, PASST_RATE_HZ)[None] for audio in (output, reference)]
        heard, wanted = (network(audio).log_softmax(dim=1) for audio in at_rate)
        found.append(float(divergence(wanted, heard)))
    return float(np.mean(found))


def divergence(wanted: Tensor, heard: Tensor) -> Tensor:
    """KL divergence of log-probabilities [1, classes]: of the wanted ones from those that were heard."""
    return (wanted.exp() * (wanted - heard)).sum()


@torch.inference_mode()
def clap_score(outputs: Sequence[Array], texts: Sequence[str], rate_hz: int, folder: Path | None) -> float:
    """Mean cosine of CLAP's embeddings of each output and its text.  UnsupportedError without the weights."""
    if folder is None or not (folder / "config.json").is_file():
        raise UnsupportedError(CLAP_HELP)
    from transformers import ClapModel, ClapProcessor

    network = ClapModel.from_pretrained(folder, local_files_only=True).eval()
    processor = ClapProcessor.from_pretrained(folder, local_files_only=True)
    found = []
    for output, text in zip(outputs, texts, strict=True):
        audio = resample(torch.from_numpy(output), rate_hz, CLAP_RATE_HZ).numpy()
        given = processor(text=[text], audio=[audio], sampling_rate=CLAP_RATE_HZ, return_tensors="pt", padding=True)
        said = network(**given)
        found.append(float(torch.nn.functional.cosine_similarity(said.text_embeds, said.audio_embeds)[0]))
    return float(np.mean(found))


def read_folder(folder: Path) -> tuple[list[Array], int]:
    """Mono audio of a folder's files by name, and their one sample rate.  ValueError where there is none or several."""
    import soundfile

    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".wav", ".flac", ".ogg"))
    read = [soundfile.read(path, dtype="float32", always_2d=True) for path in paths]
    if len({rate for _, rate in read}) != 1:
        raise ValueError(f"{folder} must hold WAV, FLAC or OGG files of one sample rate, it holds {len(paths)} files")
    return [audio.mean(axis=1) for audio, _ in read], int(read[0][1])


def main() -> None:
    """Command line: each metric, or what it lacks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--outputs", type=Path, required=True)
    parser.add_argument("--references", type=Path, required=True)
    parser.add_argument("--texts", type=Path, default=None)
    parser.add_argument("--vggish", type=Path, default=None)
    parser.add_argument("--clap", type=Path, default=None)
    args = parser.parse_args()
    (outputs, rate_hz), (references, other_hz) = read_folder(args.outputs), read_folder(args.references)
    references = [resample(torch.from_numpy(one), other_hz, rate_hz).numpy() for one in references]
    texts = args.texts.read_text().splitlines() if args.texts else []
    wanted: dict[str, Any] = {
        "FAD (VGGish)": lambda: fad(outputs, references, rate_hz, args.vggish),
        "KL (PaSST)": lambda: passt_divergence(outputs, references, rate_hz),
    }
    if texts:
        wanted["CLAP score"] = lambda: clap_score(outputs, texts, rate_hz, args.clap)
    for name, measure in wanted.items():
        try:
            print(f"{name}: {measure():.3f}")
        except UnsupportedError as error:
            print(f"{name}: not measured; {error}")


if __name__ == "__main__":
    main()
