"""MusicGen's methods: audiocraft's behaviour, and the corrections of its errors."""

from __future__ import annotations

import copy
import inspect
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.api.musicgen import MusicGen
from engine.api.reference import draw_batch
from engine.conditions.musicgen import MusicGenConditioner
from engine.core.sampling import Sampling
from engine.errors import AudioError, CheckpointError, UnsupportedError
from engine.model import ExcerptRange, LoadedModel

SHORT, LONG = "sad jazz", "slow ambient drone with warm analog pads and choir"


@pytest.fixture(scope="module")
def models(golden_models) -> dict[str, LoadedModel]:
    return {name: golden_models[f"audiocraft/{name}"] for name in ("text", "melody", "stereo")}


def tone(seconds: float, hz: float, channels: int = 1) -> torch.Tensor:
    wav = 0.3 * torch.sin(torch.arange(int(seconds * 32_000)) * (2 * torch.pi * hz / 32_000))
    return wav.expand(channels, -1)


def test_importing_the_package_is_cheap():
    """torch is imported only when needed; names stay the same after their modules are imported."""
    code = (
        "import sys, engine; assert 'torch' not in sys.modules; import engine.audio.audio_file, engine.api.musicgen; "
        "from engine import MusicGen, audio_read, audio_write; assert callable(audio_write) and callable(audio_read); "
        "assert MusicGen is engine.api.musicgen.MusicGen"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])


def test_what_audiocrafts_users_look_for(models):
    model = MusicGen(models["stereo"], "facebook/musicgen-stereo-tiny")
    assert (model.name, model.sample_rate, model.frame_rate) == ("facebook/musicgen-stereo-tiny", 32_000, 50)
    assert (model.audio_channels, model.max_duration, model.duration) == (2, 3.0, 15.0)
    model.set_generation_params()
    assert (model.duration, model.extend_stride) == (30.0, 1.8)
    sampling = {"use_sampling": True, "temp": 1.0, "top_k": 64, "top_p": 0.0}
    guidance = {"cfg_coef": 3.0, "two_step_cfg": False, "cfg_coef_beta": None}
    assert model.generation_params == sampling | guidance
    assert model.lm.config.n_codebooks == 8
    assert model.device.type == "cpu"
    codes, scale = model.compression_model.encode(tone(0.1, 220.0, 2)[None])
    assert (codes.shape, scale) == ((1, 8, 5), None)
    assert torch.equal(model.compression_model.decode(codes), model.generate_audio(codes))
    codec = model.compression_model
    assert (codec.channels, codec.frame_rate, codec.cardinality, codec.num_codebooks) == (2, 50.0, 64, 8)
    with pytest.raises(ValueError, match="scale"):
        codec.decode(codes, torch.ones(1))


def test_arguments_have_audiocrafts_order():
    def names(method):
        return [name for name, given in inspect.signature(method).parameters.items() if given.kind.value < 3][1:]

    assert names(MusicGen.generate) == ["descriptions", "progress", "return_tokens"]
    assert names(MusicGen.generate_unconditional) == ["num_samples", "progress", "return_tokens"]
    chroma = ["descriptions", "melody_wavs", "melody_sample_rate", "progress", "return_tokens"]
    assert names(MusicGen.generate_with_chroma) == chroma
    continuation = ["prompt", "prompt_sample_rate", "descriptions", "progress", "return_tokens"]
    assert names(MusicGen.generate_continuation) == continuation
    params = ["use_sampling", "top_k", "top_p", "temperature", "duration", "cfg_coef", "cfg_coef_beta"]
    assert names(MusicGen.set_generation_params) == [*params, "two_step_cfg", "extend_stride"]
    style = ["eval_q", "excerpt_length", "ds_factor", "encodec_n_q"]
    assert names(MusicGen.set_style_conditioner_params) == style


def test_same_seed_same_music_and_progress(models):
    model = MusicGen(models["text"])
    model.set_generation_params(duration=0.3)
    seen: list[tuple[int, int]] = []
    model.set_custom_progress_callback(lambda done, total: seen.append((done, total)))
    _, first = model.generate([SHORT, None], return_tokens=True, seed=4)
    _, again = model.generate([SHORT, None], return_tokens=True, seed=4)
    _, other = model.generate([SHORT, None], return_tokens=True, seed=5)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert seen[-1] == (15, 15)
    assert seen[0][0] < 15


def test_without_a_seed_torchs_own_decides(models):
    model = MusicGen(models["text"])
    model.set_generation_params(duration=0.2)

    def made(seed):
        torch.manual_seed(seed)
        return model.generate([None], return_tokens=True)[1]

    assert torch.equal(made(1), made(1))
    assert not torch.equal(made(1), made(2))


@pytest.mark.parametrize("name", ["text", "melody", "stereo"])
def test_rows_do_not_change_one_another(models, name):
    model = MusicGen(models[name])
    model.set_generation_params(duration=0.4)
    audio, together = model.generate([SHORT, LONG, None], return_tokens=True, seed=7)
    for row, text in enumerate([SHORT, LONG, None]):
        alone, tokens = model.generate([text], return_tokens=True, seed=7 + row)
        assert torch.equal(tokens[0], together[row])
        torch.testing.assert_close(alone[0], audio[row], atol=1e-5, rtol=0)


def test_melodies_do_not_change_one_another(models):
    model = MusicGen(models["melody"])
    model.set_generation_params(duration=0.3)
    wavs = [tone(1.0, 294.0), None, tone(3.0, 392.0)]
    _, together = model.generate_with_chroma([SHORT] * 3, wavs, 32_000, return_tokens=True, seed=7)
    for row, wav in enumerate(wavs):
        _, tokens = model.generate_with_chroma([SHORT], [wav], 32_000, return_tokens=True, seed=7 + row)
        assert torch.equal(tokens[0], together[row])
    reference = MusicGen(models["melody"], reference=True)
    reference.set_generation_params(use_sampling=False, duration=0.3)
    model.set_generation_params(use_sampling=False, duration=0.3)
    theirs = reference.generate_with_chroma([SHORT, LONG, SHORT], wavs, 32_000, return_tokens=True)[1]
    ours = model.generate_with_chroma([SHORT, LONG, SHORT], wavs, 32_000, return_tokens=True)[1]
    assert not torch.equal(theirs[0], ours[0])  # padded to its neighbours' length


@pytest.mark.parametrize("reference", [False, True])
def test_a_stream_put_together_is_the_whole(models, reference):
    model = MusicGen(models["stereo"], reference=reference)
    model.set_generation_params(duration=4.1, extend_stride=1.7)  # longer than a window
    prompt = tone(0.35, 330.0, 2).expand(2, 2, -1)
    given = {"prompt": prompt, "prompt_sample_rate": 32_000, "descriptions": [SHORT, LONG], "seed": 2}
    audio, tokens = model.generate_continuation(**given, return_tokens=True)
    pieces = list(model.generate_continuation(**given, return_tokens=True, stream=True))
    assert len(pieces) > 15
    assert torch.equal(torch.cat([codes for _, codes in pieces], dim=-1), tokens)
    torch.testing.assert_close(torch.cat([piece for piece, _ in pieces], dim=-1), audio, atol=1e-5, rtol=0)
    piece = next(iter(model.generate_continuation(**given, stream=True)))
    assert isinstance(piece, torch.Tensor)


def test_prompt_and_melody_together(models):
    model = MusicGen(models["melody"])
    model.set_generation_params(use_sampling=False, duration=1.0)
    prompt, low, high = tone(0.4, 330.0), tone(1.5, 294.0), tone(1.5, 392.0)

    def made(melody):
        given = {"melody_wavs": [melody], "descriptions": [SHORT], "return_tokens": True}
        return model.generate_continuation(prompt, 32_000, **given)[1]

    assert torch.equal(made(low)[..., :20], made(None)[..., :20])  # the prompt itself
    assert not torch.equal(made(low), made(None))
    assert not torch.equal(made(low), made(high))
    same = model.generate_with_chroma([SHORT], [low], 32_000, prompt=prompt, return_tokens=True)[1]
    assert torch.equal(same, made(low))
    stereo_melody = model.generate_with_chroma([SHORT], low.expand(1, 2, -1), 32_000, return_tokens=True)[1]
    assert torch.equal(stereo_melody, model.generate_with_chroma([SHORT], low[None], 32_000, return_tokens=True)[1])


def test_whole_frames_from_seconds(models):
    model = MusicGen(models["text"])
    for seconds, frames in ((0.58, 29), (0.1, 5), (0.3, 15)):
        model.set_generation_params(duration=seconds)
        assert model.generate_unconditional(1, return_tokens=True, seed=1)[1].shape == (1, 4, frames)


@pytest.mark.parametrize(("seconds", "stride"), [(4.1, 1.8), (3.4, 0.58), (3.02, 2.96)])
def test_long_music_has_every_frame_whatever_the_stride(models, seconds, stride):
    model = MusicGen(models["text"])
    model.set_generation_params(duration=seconds, extend_stride=stride)
    tokens = model.generate([SHORT], return_tokens=True, seed=1)[1]
    assert tokens.shape[-1] == round(seconds * 50)


def test_the_reference_fails_where_a_window_is_full_of_prompt(models):
    """3.8 s in 3 s windows by 1.8 s, with audiocraft's arithmetic; `sampled.npz` shows the frame lost at 4.1 s."""
    reference, ours = MusicGen(models["text"], reference=True), MusicGen(models["text"])
    for model in (reference, ours):
        model.set_generation_params(duration=3.8, extend_stride=1.8)
    with pytest.raises(ValueError, match=r"audiocraft fails at 3\.8 s"):
        reference.generate([SHORT], seed=1)
    assert ours.generate([SHORT], seed=1).shape == (1, 1, 190 * 640)
    with pytest.raises(ValueError, match=r"129.*128"):
        reference.set_generation_params(top_k=129)


def test_two_step_guidance_of_the_reference_ignores_the_coefficient(models):
    def made(reference, coefficient):
        model = MusicGen(models["melody"], reference=reference)
        model.set_generation_params(use_sampling=False, duration=0.4, cfg_coef=coefficient, two_step_cfg=True)
        return model.generate([SHORT], return_tokens=True)[1]

    assert torch.equal(made(True, 5.0), made(True, 3.0))
    assert torch.equal(made(False, 3.0), made(True, 3.0))
    assert not torch.equal(made(False, 5.0), made(False, 3.0))


def test_reference_draws_from_the_global_generators(models):
    model = MusicGen(models["text"], reference=True)
    model.set_generation_params(duration=0.2)
    torch.manual_seed(3)
    first = model.generate([SHORT, LONG], return_tokens=True)[1]
    assert torch.equal(first, model.generate([SHORT, LONG], return_tokens=True, seed=3)[1])
    logits = torch.randn(2, 4, 10)
    generator = torch.Generator().manual_seed(5)
    probs = torch.softmax(logits, dim=-1).view(-1, 10)
    want = torch.multinomial(probs, 1, generator=torch.Generator().manual_seed(5)).view(2, 4)
    assert torch.equal(draw_batch(logits, Sampling(top_k=0), generator), want)
    likeliest = draw_batch(logits, Sampling(top_p=1e-6), generator)
    assert torch.equal(likeliest, logits.argmax(dim=-1))


def test_what_the_model_cannot_do_is_refused_by_name(models):
    model = MusicGen(models["text"])
    wav = torch.zeros(1, 32_000)
    with pytest.raises(UnsupportedError, match="melody"):
        model.generate_with_chroma(["x"], [wav], 32_000)
    with pytest.raises(UnsupportedError, match="style"):
        model.generate_with_references(["x"], style_wavs=[wav])
    with pytest.raises(UnsupportedError, match="tempo"):
        model.set_generation_params(bpm=120)
    with pytest.raises(UnsupportedError, match="musicgen-style"):
        model.set_style_conditioner_params()


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"duration": 0}, "duration"),
        ({"duration": float("nan")}, "duration"),
        ({"top_k": -1}, "top_k"),
        ({"top_p": 1.5}, "top_p"),
        ({"extend_stride": 3.0}, "stride"),
        ({"temperature": -1}, "temperature"),
        ({"cfg_coef": float("inf")}, "cfg_coef"),
    ],
)
def test_parameters_out_of_range_are_refused(models, wrong, text):
    with pytest.raises(ValueError, match=text):
        MusicGen(models["text"]).set_generation_params(**wrong)


def test_top_k_above_the_codebook_keeps_it_all(models):
    model = MusicGen(models["text"])
    model.set_generation_params(top_k=5000)
    assert model.generation_params["top_k"] == 128


def test_prompts_that_do_not_fit_are_refused(models):
    model = MusicGen(models["text"])
    model.set_generation_params(duration=1.0)
    with pytest.raises(AudioError, match="shorter than the duration"):
        model.generate_continuation(torch.zeros(1, 1, 40_000), 32_000)
    with pytest.raises(AudioError, match="NaN"):
        model.generate_continuation(torch.full((1, 1, 3000), float("nan")), 32_000)
    with pytest.raises(ValueError, match="one count"):
        model.generate_continuation(torch.zeros(2, 1, 3000), 32_000, ["only one"])
    with pytest.raises(ValueError, match=r"\[B, C, n\]"):
        model.generate_continuation(torch.zeros(3000), 32_000)


def test_what_is_no_audio_is_refused_by_kind(models):
    text, melody = MusicGen(models["text"]), MusicGen(models["melody"])
    with pytest.raises(AudioError, match="prompt is a ndarray"):
        text.generate_continuation(np.zeros((1, 1, 6400), np.float32), 32_000)
    for wavs in (["bach.mp3"], np.zeros((1, 1, 6400), np.float32)):
        with pytest.raises(AudioError, match=r"a melody is a (str|ndarray), must be a torch tensor"):
            melody.generate_with_chroma(["x"], wavs, 32_000)


def test_seeds_of_numpy_and_seeds_that_are_none(models):
    model = MusicGen(models["text"])
    model.set_generation_params(duration=0.1)
    assert torch.equal(model.generate([SHORT], seed=np.int64(4)), model.generate([SHORT], seed=4))
    for wrong in (2**70, -(2**62), 1.5, "4"):
        with pytest.raises(ValueError, match="seed is"):
            model.generate([SHORT], seed=wrong)


def test_lists_are_asked_for(models):
    model = MusicGen(models["melody"])
    with pytest.raises(ValueError, match="'sad jazz', must be a list"):
        model.generate(SHORT)
    with pytest.raises(ValueError, match=r"\(3000,\), must be \[B, C, n\]"):
        model.generate_with_chroma([SHORT], torch.zeros(3000), 32_000)
    with pytest.raises(ValueError, match="num_samples"):
        model.generate_unconditional(0)


def test_no_such_model():
    with pytest.raises(CheckpointError, match="musicgen-gigantic"):
        MusicGen.get_pretrained("facebook/musicgen-gigantic")


@pytest.fixture
def style(golden_models) -> MusicGen:
    model = MusicGen(golden_models["audiocraft/style"])
    model.set_generation_params(use_sampling=False, duration=0.4)
    model.set_style_conditioner_params(eval_q=2, excerpt_length=1.5)
    return model


def tune(seconds: float) -> torch.Tensor:
    """A glide, so that its excerpts differ."""
    at = torch.arange(int(seconds * 32_000)) / 32_000
    return 0.3 * torch.sin(2 * torch.pi * (110 * at + 60 * at**2))[None]


def test_style_by_seed_or_by_start(style):
    def made(**given):
        return style.generate_with_chroma([None], [tune(4.0)], 32_000, return_tokens=True, **given)[1]

    assert torch.equal(made(seed=1), made(seed=1))
    assert len({made(seed=seed).numpy().tobytes() for seed in range(6)}) > 1
    assert torch.equal(made(seed=1, style_starts=[64_000]), made(seed=2, style_starts=[64_000]))
    assert not torch.equal(made(style_starts=[0]), made(style_starts=[64_000]))
    with pytest.raises(ValueError, match="start_samples"):
        made(style_starts=[-1])


@pytest.mark.parametrize(("seconds", "windows"), [(5.0, 1), (7.0, 2), (7.02, 3)])
def test_which_part_of_a_style_was_used_is_reported(style, seconds, windows):
    """Windows of 5 s by 2 s; a window begins only if frames are left to make."""
    style.set_generation_params(duration=seconds, extend_stride=2.0)
    made = style.generate_with_chroma([None, None], [tune(4.0), None], 32_000, seed=3, stream=True)
    excerpts = style.style_heard
    assert [len(pieces) for pieces in excerpts] == [2] * windows
    assert {pieces[0].count_samples for pieces in excerpts} == {48_000}
    assert all(pieces[1] is None for pieces in excerpts)
    assert len({pieces[0].start_samples for pieces in excerpts}) == windows
    assert isinstance(next(iter(made)), torch.Tensor)


def test_style_settings(style):
    for wrong in ({"eval_q": 0}, {"eval_q": 7}, {"excerpt_length": 0.0}, {"ds_factor": 0}):
        with pytest.raises(ValueError, match=r"must be"):
            style.set_style_conditioner_params(**wrong)
    with pytest.raises(UnsupportedError, match="EnCodec"):
        style.set_style_conditioner_params(encodec_n_q=2)
    assert (style.style_excerpt.seconds, style.style_excerpt.eval_q) == (1.5, 2)
    style.set_style_conditioner_params()
    assert (style.style_excerpt.seconds, style.style_excerpt.eval_q) == (3.0, 3)


def test_style_of_the_reference_is_drawn_once_for_all(style):
    theirs = MusicGen(style.model, reference=True)
    theirs.params, theirs.style_excerpt = style.params, style.style_excerpt

    def made(model, **given):
        wavs = [tune(4.0), tune(2.0)]
        return model.generate_with_chroma([None, None], wavs, 32_000, return_tokens=True, **given)[1]

    random.seed(5)
    drawn = random.Random(5).randint(0, 128_000 - 48_000)
    assert torch.equal(made(theirs), made(theirs, style_starts=[drawn]))
    assert theirs.style_heard == [[ExcerptRange(drawn, 48_000)] * 2]
    random.seed(5)
    assert torch.equal(made(theirs, seed=5), made(theirs))
    with pytest.raises(AudioError, match="48000 samples long"):
        theirs.generate_with_chroma([None], [tune(1.0)], 32_000)
    assert style.generate_with_chroma([None], [tune(1.0)], 32_000).shape == (1, 1, 12_800)  # repeated


def test_a_style_model_without_its_feature_model_says_what_is_missing(style):
    whole = style.model.conditioner
    deaf = copy.copy(whole.style)
    deaf.features = None
    conditioner = MusicGenConditioner(whole.text, True, None, deaf, "MERT is not here")
    model = MusicGen(replace(style.model, conditioner=conditioner))
    with pytest.raises(UnsupportedError, match=r"cannot follow style.*\(MERT is not here\)"):
        model.generate_with_chroma([None], [tune(2.0)], 32_000)
    model.set_generation_params(duration=0.1)
    assert model.generate([SHORT]).shape == (1, 1, 3200)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda m: m.generate([3]), r"descriptions has 3 in it, must be a list of texts and None"),
        (lambda m: m.generate(3), r"descriptions is 3, must be a list of texts"),
        (lambda m: m.generate_unconditional("2"), r"num_samples is '2', must be a whole number"),
        (lambda m: m.generate_unconditional(1.5), r"num_samples is 1\.5, must be a whole number"),
        (lambda m: m.set_generation_params(duration="3"), r"duration is '3', must be a number"),
        (lambda m: m.set_generation_params(cfg_coef="3"), r"cfg_coef is '3', must be a number"),
        (lambda m: m.set_generation_params(top_k=1.5), r"top_k is 1\.5, must be a whole number"),
        (lambda m: m.set_generation_params(temperature=[1]), r"temperature is \[1\], must be a number"),
        (lambda m: m.set_style_conditioner_params(eval_q=2.5), r"eval_q is 2\.5, must be a whole number"),
        (lambda m: m.set_style_conditioner_params(excerpt_length="3"), r"excerpt_length is '3', must be a number"),
        (lambda m: m.generate_with_references(["a"], style_starts=5), r"style_starts is 5, must be a list of whole"),
        (lambda m: m.generate_with_references(["a"], style_starts=[0.5]), r"style_starts is 0\.5, must be a whole"),
    ],
)
def test_arguments_of_a_wrong_type_are_refused_with_what_is_allowed(golden_models, call, said):
    model = MusicGen(golden_models["audiocraft/style"])
    before = model.params
    with pytest.raises(TypeError, match=said):
        call(model)
    assert model.params is before


def test_numpys_and_torchs_numbers_are_numbers(models):
    model = MusicGen(models["text"])
    model.set_generation_params(duration=np.float32(0.5), top_k=np.int64(5), cfg_coef=torch.tensor(2.0), top_p=0)
    assert (model.duration, model.params.sampling.top_k) == (0.5, 5)
