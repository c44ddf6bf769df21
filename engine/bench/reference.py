"""The other side of the contest: transformers' MusicGen decoder and its own `generate`, on Segue's weights.

Each of its tensors is Segue's, or a part of it, in the same memory if the precision is the same; only tables and
LayerNorms, which Segue keeps in float32, are copies in half precision. The cache is filled beforehand with random keys
and values, and `generate` continues from there. A step's time is that between two tokens, so the cost of a call before
its first token is not counted.
"""

from __future__ import annotations

import functools
import inspect
import itertools
import time
import warnings
from typing import Any

import torch
from torch import Tensor

from engine.bench.segue_side import ROWS, TOP_K, VISIT_STEPS, conditions_of
from engine.bench.shapes import Shape
from engine.lm import LanguageModel
from engine.system.optional_library import needed

POSITIONS = 2048
NORMS = {"norm1": "self_attn_layer_norm", "norm_cross": "encoder_attn_layer_norm", "norm2": "final_layer_norm"}


def build(shape: Shape, lm: LanguageModel, dtype: torch.dtype) -> Any:
    """transformers' decoder with head, on the tensors of `lm`.  Raises UnsupportedError.  [main]"""
    with needed("the comparison with transformers"):
        import transformers
    transformers.logging.set_verbosity_error()
    kind = "MusicgenMelody" if shape.prefix else "Musicgen"
    config = getattr(transformers, f"{kind}DecoderConfig")(**_sizes(shape))
    with torch.device("meta"):
        model = getattr(transformers, f"{kind}ForCausalLM")(config)
    model.load_state_dict({name: tensor.to(dtype) for name, tensor in _tensors(lm)}, strict=True, assign=True)
    decoder, device = model.model.decoder, lm.out_norm.weight.device
    decoder.embed_positions = type(decoder.embed_positions)(POSITIONS, shape.lm.dim).to(device=device, dtype=dtype)
    return model.eval().requires_grad_(False)


def _sizes(shape: Shape) -> dict[str, Any]:
    lm = shape.lm
    return {
        "vocab_size": lm.card, "hidden_size": lm.dim, "num_hidden_layers": lm.n_layers,
        "num_attention_heads": lm.n_heads, "ffn_dim": lm.ffn_mult * lm.dim, "num_codebooks": lm.n_codebooks,
        "pad_token_id": lm.card, "bos_token_id": lm.card, "max_position_embeddings": POSITIONS, "audio_channels": 1,
    }  # fmt: skip


def _tensors(lm: LanguageModel) -> list[tuple[str, Tensor]]:
    """transformers' names and Segue's tensors; query, key and value are parts of one matrix."""
    at, found = "model.decoder.", list[tuple[str, Tensor]]()
    own = lm.state_dict()
    for k in range(lm.config.n_codebooks):
        found.append((f"{at}embed_tokens.{k}.weight", own[f"emb.{k}.weight"]))
        found.append((f"lm_heads.{k}.weight", own[f"linears.{k}.weight"]))
    for index in range(lm.config.n_layers):
        ours, theirs = f"transformer.layers.{index}.", f"{at}layers.{index}."
        for part, name in (("self_attn", "self_attn"), ("cross_attention", "encoder_attn")):
            if part == "self_attn" or lm.config.cross_attention:
                whole = own[f"{ours}{part}.in_proj_weight"].chunk(3)
                found += [(f"{theirs}{name}.{one}_proj.weight", w) for one, w in zip("qkv", whole, strict=True)]
                found.append((f"{theirs}{name}.out_proj.weight", own[f"{ours}{part}.out_proj.weight"]))
        found += [(f"{theirs}fc{n}.weight", own[f"{ours}linear{n}.weight"]) for n in (1, 2)]
        for part, name in NORMS.items():
            if part != "norm_cross" or lm.config.cross_attention:
                found += [(f"{theirs}{name}.{one}", own[f"{ours}{part}.{one}"]) for one in ("weight", "bias")]
    return [*found, *((f"{at}layer_norm.{one}", own[f"out_norm.{one}"]) for one in ("weight", "bias"))]


class ReferenceSide:
    """transformers' `generate`, with Segue's guidance and sampling; `compiled` with a static cache, or eager.
    [generate]"""

    def __init__(self, shape: Shape, lm: LanguageModel, dtype: torch.dtype, compiled: bool = False) -> None:
        """Raises UnsupportedError if transformers is not installed."""
        self.shape, self.dtype, self.compiled = shape, dtype, compiled
        self.name = "transformers, static cache, compiled" if compiled else "transformers, eager"
        self.model, self.device = build(shape, lm, dtype), lm.out_norm.weight.device
        self.memory = conditions_of(shape, str(self.device)).memory
        self._held_cache: Any = None
        self._help_along()

    def _help_along(self) -> None:
        """Remove the mask of ones, which `generate` makes although nothing is padded; compile if requested.

        A view of the tokens is made contiguous first: otherwise every step is compiled again.
        """
        plain = self.model.forward
        forward = self._compiled(plain) if self.compiled else plain

        @functools.wraps(plain)
        def run(input_ids: Tensor, *rest: Any, **named: Any) -> Any:
            named["attention_mask"] = None
            return forward(input_ids.contiguous(), *rest, **named)

        self.model.forward = run

    def _compiled(self, plain: Any) -> Any:
        """Compile as `generate` does by itself on a GPU; there it includes CUDA graphs."""
        mode = "reduce-overhead" if self.device.type == "cuda" else None
        return torch.compile(plain, dynamic=False, mode=mode)

    @property
    def precision(self) -> str:
        """Precision of all its weights."""
        return str(self.dtype).removeprefix("torch.")

    def logits(self, tokens: Tensor, prefix: Tensor | None, memory: Tensor | None) -> Tensor:
        """Logits [R, K, card] of the last step of tokens [R, K, S], without a cache."""
        rows, n_codebooks, steps = tokens.shape
        vectors = prefix if prefix is not None else memory
        with torch.no_grad():
            out = self.model(
                input_ids=tokens.reshape(rows * n_codebooks, steps),
                encoder_hidden_states=None if vectors is None else vectors.to(self.dtype), use_cache=False,
            )  # fmt: skip
        return out.logits[:, -1].view(rows, n_codebooks, -1).float()

    def _cache(self, filled: int) -> Any:
        """A cache with `filled` positions, and the memory's keys and values."""
        from transformers import DynamicCache, EncoderDecoderCache, StaticCache

        if self._held_cache is not None:
            for layer in self._held_cache.self_attention_cache.layers if self.shape.memory else self._held_cache.layers:
                layer.cumulative_length.fill_(filled)
            return self._held_cache
        lm = self.shape.lm
        most = self.shape.prefix + self.shape.window_frames + lm.max_delay + 1
        own = StaticCache(config=self.model.config, max_cache_len=most) if self.compiled else DynamicCache()
        crossed, numbers = DynamicCache(), torch.Generator(device=self.device).manual_seed(0)
        shape = (2, ROWS, lm.n_heads, filled, lm.head_dim)
        keys, values = torch.randn(shape, generator=numbers, device=self.device, dtype=self.dtype)
        for index in range(lm.n_layers):
            own.update(keys, values, index)
            if self.shape.memory:
                crossed.update(keys[:, :, : self.shape.memory], values[:, :, : self.shape.memory], index)
        cache: Any = own
        if self.shape.memory:
            cache = EncoderDecoderCache(own, crossed)
            cache.is_updated = dict.fromkeys(range(lm.n_layers), True)
        self._held_cache = cache if self.compiled else None
        return cache

    def _cache_name(self) -> str:
        """The name of the cache in `generate`: transformers 5.24 renamed it."""
        taken = inspect.signature(self.model.prepare_inputs_for_generation).parameters
        return "cache" if "cache" in taken else "past_key_values"

    def visit(self, fill_frames: int, n_steps: int = VISIT_STEPS) -> list[float]:
        """Seconds of each of `n_steps` steps from a cache of `fill_frames` frames and the prefix on."""
        lm, watch = self.shape.lm, _Watch(self.device)
        filled = self.shape.prefix + fill_frames  # and one more at the start of the clock
        cache = self._cache(filled)
        first = torch.full((lm.n_codebooks, filled + 1), lm.special, device=self.device)  # only the last one is read
        given: dict[str, Any] = {
            "attention_mask": torch.ones_like(first[:1]), self._cache_name(): cache, "stopping_criteria": [watch],
            "guidance_scale": 3.0, "do_sample": True, "top_k": min(TOP_K, lm.card), "max_new_tokens": n_steps + 1,
            "pad_token_id": lm.special, "decoder_start_token_id": lm.special, "eos_token_id": None,
            "num_return_sequences": 1, "num_beams": 1,
        }  # fmt: skip
        if self.memory is not None:
            given["encoder_hidden_states"] = self.memory.to(self.dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.model.generate(first, **given)
        return watch.seconds()


class _Watch:
    """A stopping criterion that never stops and records the time of each token."""

    def __init__(self, device: torch.device) -> None:
        self.device, self.marks = device, list[Any]()

    def __call__(self, tokens: Tensor, scores: Any, **_: Any) -> Tensor:
        if self.device.type == "cuda":
            mark = torch.cuda.Event(enable_timing=True)
            mark.record()
            self.marks.append(mark)
        else:
            self.marks.append(time.perf_counter())
        return torch.zeros(tokens.shape[0], dtype=torch.bool, device=tokens.device)

    def seconds(self) -> list[float]:
        """Seconds between the tokens."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
            return [begin.elapsed_time(end) / 1000.0 for begin, end in itertools.pairwise(self.marks)]
        return [end - begin for begin, end in itertools.pairwise(self.marks)]
