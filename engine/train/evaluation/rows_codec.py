"""Rows of the codec alone: the fidelity of held-out pieces after coding, the limit of all other rows.

All of it [main].
"""

from collections.abc import Sequence

import numpy as np
import torch

from engine.train import metrics
from engine.train.evaluation import ears, sound
from engine.train.evaluation.pieces import shuffled
from engine.train.evaluation.study import Study
from engine.train.evaluation.table import EvaluationRow


def codec_rows(study: Study) -> None:
    """All of the codec's rows."""
    put, wanted, heard = study.report.mean, study.originals, study.coded
    pairs = list(zip(wanted, heard, strict=True))
    other = [wanted[index] for index in shuffled(len(wanted))]
    put("codec", "mel distance, dB (80 bands)", [sound.mel_distance_db(*pair) for pair in pairs], "<=", 3.0)
    crossed = [sound.mel_distance_db(a, b) for a, b in zip(wanted, other, strict=True)]
    put("codec", "mel distance to another piece, dB", crossed, note="control")
    put("codec", "spectral convergence", [sound.spectral_convergence(*pair) for pair in pairs])
    put("codec", "SI-SDR, dB", [sound.si_sdr_db(*pair) for pair in pairs], note="means nothing: phases are invented")
    cosine = [metrics.chroma_cosine(metrics.chroma_of(a), metrics.chroma_of(b)) for a, b in pairs]
    put("codec", "chroma cosine", cosine, ">=", 0.93)
    crossed = [metrics.chroma_cosine(metrics.chroma_of(a), metrics.chroma_of(b))
               for a, b in zip(wanted, other, strict=True)]  # fmt: skip
    put("codec", "chroma cosine to another piece", crossed, note="control")
    _beats(study)
    _independent(study)
    _use(study)


def _beats(study: Study) -> None:
    """Onsets on the grid, coded over original."""
    tempi = [held.piece.bpm for held in study.pieces]
    original = [metrics.beat_score(audio, bpm) for audio, bpm in zip(study.originals, tempi, strict=True)]
    coded = [metrics.beat_score(audio, bpm) for audio, bpm in zip(study.coded, tempi, strict=True)]

    def share(some: Sequence[int]) -> float:
        return float(sum(coded[i] for i in some) / (sum(original[i] for i in some) + 1e-9))

    study.report.of("codec", "onset score over the original's", len(tempi), share, ">=", 0.95)


def _independent(study: Study) -> None:
    """What trackers of others hear before and after."""
    pitch, same, real = [], [], []
    samples = int(study.plan.seconds * 32000)
    for held, wanted, heard in zip(study.pieces, study.originals, study.coded, strict=True):
        melody = held.audio.melody[:samples]
        pitch.append(ears.same_pitch(melody, study.through_codec(melody)))
        if held.has_drums:
            before, after = ears.heard_bpm(wanted), ears.heard_bpm(heard)
            same.append(float(ears.tempo_is(after, before)))
            real.append(float(ears.tempo_is(before, held.piece.bpm)))
    put = study.report.mean
    put("codec", "melody's pitch the same to half a semitone (SwiftF0)", pitch)
    put("codec", "tempo the same as before to 2 % (librosa)", same)
    put("codec", "librosa right about the originals, 2 %", real, note="what this tracker can hear")


def _use(study: Study) -> None:
    """How many entries of each codebook held-out music uses; all that is rendered of it, for there are 1024."""
    audio = [torch.from_numpy(held.audio.mix)[None, None] for held in study.pieces]
    codes = torch.cat([study.model.codec.encode(one)[0].cpu() for one in audio], dim=1)
    used = [len(torch.unique(book)) / study.model.codec.card for book in codes]
    mean, note = float(np.mean(used)), f"the interval is the worst and the best codebook; {codes.shape[1]} frames"
    study.report.put(
        EvaluationRow(
            "codec",
            "share of entries in use",
            mean,
            min(used),
            max(used),
            len(audio),
            "at least 0.9",
            mean >= 0.9,
            note,
        )
    )
