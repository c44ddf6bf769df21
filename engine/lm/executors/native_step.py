"""Steps of a language model in native code, for processors: the whole step is one call that reads each weight once.

Float32 and bfloat16 weights are read where PyTorch has them; 8-bit and 4-bit ones are laid out anew. Prefill stays with
PyTorch, and writes the same cache. Where the library or the model's shape does not allow it, UnsupportedError says so.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor, nn

from engine.errors import UnsupportedError
from engine.lm.executors.native import library, tiles
from engine.lm.executors.onnx_step import cache_scales
from engine.lm.state import LMState
from engine.ort.quantised import array_of
from engine.system import huge_pages

if TYPE_CHECKING:
    from engine.lm.layers import DecoderLayer
    from engine.lm.model import LanguageModel

HEAD_BITS = 8  # of the heads where the rest has 4
KINDS = {torch.float32: library.FLOAT32, torch.bfloat16: library.BFLOAT16, torch.int8: library.INT8}


@dataclass
class NativeBound:
    """One state's buffers as the library takes them; `run` moves them on by a step."""

    stepper: NativeStepper
    known: Tensor  # [R, S, D]: position and frame features of every step
    shape: tuple[int, int]  # R, K
    capacity: int
    given: tuple[library.NativeState, ...]  # of up to `MAX_ROWS` rows each
    kept: tuple[Any, ...]  # what they point to

    @property
    def joins(self) -> bool:
        """Whether its step can be taken beside others'.  [generate]"""
        return len(self.given) == 1

    def checked(self, tokens: Tensor, step: int, length: int) -> Tensor:
        """Tokens [R, K] as the library takes them.

        ValueError for tokens, a step or a length that the model or the state does not have.  [generate]
        """
        card = self.stepper.model.config.card
        if tuple(tokens.shape) != self.shape:
            raise ValueError(f"tokens have shape {tuple(tokens.shape)}, this state takes {self.shape}")
        tokens = tokens.to(torch.int64).contiguous()
        lowest, highest = (int(found) for found in tokens.aminmax())
        if lowest < 0 or highest > card:
            raise ValueError(f"tokens go from 0 to {card}, got {lowest} to {highest}")
        if not 0 <= step < self.known.shape[1] or not 0 <= length < self.capacity:
            raise ValueError(
                f"step {step} at {length} positions: this state has {self.known.shape[1]} steps and {self.capacity}"
            )
        return tokens

    def run(self, tokens: Tensor, step: int, length: int) -> Tensor:
        """Tokens [R, K] of one step at a cache of `length` positions; logits [R, K * card].

        ValueError for what `checked` refuses.  [generate]
        """
        tokens = self.checked(tokens, step, length)
        config = self.stepper.model.config
        logits = torch.empty(self.shape[0], config.n_codebooks * config.card)
        first = 0
        for given in self.given:
            rows = slice(first, first + given.rows)
            self.stepper.take([library.NativeStep(ctypes.pointer(given), step, length)], tokens[rows], logits[rows])
            first += given.rows
        return logits


class NativeStepper:
    """Makes states whose steps the native library takes, for one model."""

    def __init__(self, model: LanguageModel, bits: int | None = None) -> None:
        """Weights in `bits` 8 or 4 and the cache in 8; None = as they are, and the cache as the model's.

        Raises UnsupportedError: no library, or a shape or type that it does not take.  [generate]
        """
        self._model, self.bits = weakref.ref(model), bits
        self._library = library.load()
        self._kept: list[Any] = []  # what the library's structures point to
        self._room = tiles.Room()
        self.cache_dtype = self._check()
        self.scales = None if bits is None else cache_scales(model)  # [L, 2, H, 1, D/H]
        given = self._describe()
        self._handle = self._library.segue_open(ctypes.byref(given))
        weakref.finalize(self, self._library.segue_close, self._handle)

    @property
    def model(self) -> LanguageModel:
        """Whose steps it takes: known, not kept, for it is itself kept as long as the model is.  [generate]"""
        model = self._model()
        if model is None:
            raise ReferenceError("the model of this native step was let go")
        return model

    def _check(self) -> torch.dtype:
        """The cache's type; UnsupportedError for what the library does not take."""
        config, weight = self.model.config, cast(Tensor, self.model.linears[0].weight)
        cache = torch.int8 if self.bits else self.model.cache_dtype or self.model.out_norm.weight.dtype
        if weight.device.type != "cpu" or (self.bits is None and weight.dtype not in KINDS) or cache not in KINDS:
            raise UnsupportedError(f"no native step for {weight.dtype} on {weight.device}, keys and values in {cache}")
        if self.model.out_norm.weight.dtype != torch.float32 or self.model.emb[0].weight.dtype != torch.float32:
            raise UnsupportedError("the native step takes LayerNorms and embeddings in float32")
        most = library.MAX_WIDTH_IN_8_BITS if self.bits else library.MAX_WIDTH
        if config.head_dim > most:
            raise UnsupportedError(f"the native step takes heads of up to {most}, these have {config.head_dim}")
        return cache

    @property
    def held_bytes(self) -> int:
        """Of the weights that it has laid out for itself.  [any]"""
        return self._room.held_bytes

    def take(self, turns: list[library.NativeStep], tokens: Tensor, logits: Tensor) -> None:
        """One step of windows of up to `MAX_ROWS` rows, all with a memory or all without; everything was checked.

        Reads tokens [rows, K], fills logits [rows, K * card], window after window.  [generate]
        """
        given, threads = (library.NativeStep * len(turns))(*turns), torch.get_num_threads()
        self._library.segue_step(self._handle, given, len(turns), tokens.data_ptr(), threads, logits.data_ptr())

    def take_together(self, asked: Sequence[tuple[NativeBound, Tensor, int, int]]) -> list[Tensor]:
        """One step of several states: of each its tokens as `checked` gives them, the step, the length.

        Logits [R, K * card] of each, to the last bit what `run` gives; each weight is read once for up to `MAX_ROWS`
        rows.  [generate]
        """
        config, made = self.model.config, dict[int, Tensor]()
        for places in _groups([bound for bound, *_ in asked]):
            chosen = [asked[place] for place in places]
            rows = [bound.shape[0] for bound, *_ in chosen]
            turns = [
                library.NativeStep(ctypes.pointer(bound.given[0]), step, length) for bound, _, step, length in chosen
            ]
            logits = torch.empty(sum(rows), config.n_codebooks * config.card)
            self.take(turns, torch.cat([tokens for _, tokens, *_ in chosen]), logits)
            made.update(zip(places, logits.split(rows), strict=True))
        return [made[place] for place in range(len(asked))]

    def bind(self, state: LMState, known: Tensor) -> NativeBound:
        """A state's buffers for its steps; `known` [R, S, D] is added to their inputs.  [generate]"""
        config, rows = self.model.config, state.rows
        shape = (config.n_layers, 2, rows, config.n_heads, state.capacity, config.head_dim)
        _check_lies(state.cache, shape, self.cache_dtype)
        _check_lies(known, (rows, known.shape[1], config.dim), torch.float32)
        memory = self._memory(state)
        if state.scales is not None:
            _check_lies(state.scales, (config.n_layers, 2, config.n_heads, 1, config.head_dim), torch.float32)
        groups = [
            self._group(state, known, memory, first, min(library.MAX_ROWS, rows - first))
            for first in range(0, rows, library.MAX_ROWS)
        ]
        kept = (state.cache, state.scales, memory, groups)
        given = tuple(each for each, _ in groups)
        return NativeBound(self, known, (rows, config.n_codebooks), state.capacity, given, kept)

    def _group(
        self, state: LMState, known: Tensor, memory: list[Tensor], first: int, rows: int
    ) -> tuple[library.NativeState, Any]:
        """`rows` of a state from `first` on as the library takes them, and what else that points to."""
        keys, values = (_pointers([each[first:] for each in memory[part::2]]) if memory else None for part in (0, 1))
        given = library.NativeState(
            rows=rows,
            all_rows=state.rows,
            capacity=state.capacity,
            memory=memory[0].shape[2] if memory else 0,
            cache_kind=KINDS[self.cache_dtype],
            known_steps=known.shape[1],
            cache=state.cache[0, 0, first:].data_ptr(),
            scales=None if state.scales is None else state.scales.data_ptr(),
            memory_keys=keys,
            memory_values=values,
            known=known[first:].data_ptr(),
        )
        return given, (keys, values)

    def _memory(self, state: LMState) -> list[Tensor]:
        """Keys and values to attend to, layer by layer; empty without a memory."""
        if state.cross_kv is None:
            return []
        config = self.model.config
        shape = (state.rows, config.n_heads, state.cross_kv[0][0].shape[2], config.head_dim)
        every = [tensor.float().contiguous() for pair in state.cross_kv for tensor in pair]
        assert len(state.cross_kv) == config.n_layers
        for tensor in every:
            _check_lies(tensor, shape, torch.float32)
        return every

    def _describe(self) -> library.NativeModel:
        """The model as the library takes it."""
        model, config = self.model, self.model.config
        layers = (library.Layer * config.n_layers)(*(self._layer(layer) for layer in model.layers))
        heads = [self._matrix(cast(Tensor, head.weight), HEAD_BITS if self.bits else None) for head in model.linears]
        tables = [cast(Tensor, table.weight) for table in model.emb]
        assert all(table.is_contiguous() for table in tables)
        given = library.NativeModel(
            dim=config.dim,
            heads=config.n_heads,
            layers=config.n_layers,
            codebooks=config.n_codebooks,
            card=config.card,
            ffn=config.ffn_mult * config.dim,
            tables=_pointers(tables),
            layer=layers,
            out_norm=self._norm(model.out_norm),
            logits=(library.NativeMatrix * config.n_codebooks)(*heads),
        )
        self._kept += [*tables, given]
        self._room.settle()
        return given

    def _layer(self, layer: DecoderLayer) -> library.Layer:
        made = library.Layer(norm1=self._norm(layer.norm1), norm2=self._norm(layer.norm2))
        made.qkv = self._matrix(layer.self_attn.in_proj_weight, self.bits)
        made.out = self._matrix(layer.self_attn.out_proj.weight, self.bits)
        made.widen = self._matrix(layer.linear1.weight, self.bits)
        made.narrow = self._matrix(layer.linear2.weight, self.bits)
        crossed = layer.cross_attention
        if crossed is not None and layer.norm_cross is not None:
            made.norm_cross = self._norm(layer.norm_cross)
            made.query = self._matrix(crossed.in_proj_weight[: self.model.config.dim], self.bits)
            made.cross_out = self._matrix(crossed.out_proj.weight, self.bits)
        return made

    def _norm(self, norm: nn.LayerNorm) -> library.Norm:
        weight, bias = norm.weight.contiguous(), norm.bias.contiguous()
        self._kept += [weight, bias]
        return library.Norm(weight.data_ptr(), bias.data_ptr(), norm.eps)

    def _matrix(self, weight: Tensor, bits: int | None) -> library.NativeMatrix:
        """A weight [N, K] as it lies, or laid out in few bits."""
        n, k = weight.shape
        if bits is None:
            if not weight.is_contiguous():
                raise UnsupportedError("the native step takes matrices that lie row by row")
            huge_pages.move([(weight.data_ptr(), weight.nbytes)])
            self._kept.append(weight)
            return library.NativeMatrix(KINDS[weight.dtype], n, k, 0, weight.data_ptr())
        lines = tiles.tiled(array_of(weight), bits, self._room)
        kind = library.INT8 if bits == 8 else library.INT4
        return library.NativeMatrix(kind, n, k, tiles.block_of(k), lines.ctypes.data)


def _groups(bounds: Sequence[NativeBound]) -> list[list[int]]:
    """Places of those that take a step in one call: up to `MAX_ROWS` rows, all with a memory or all without."""
    groups: list[list[int]] = []
    room = {False: 0, True: 0}
    open_groups: dict[bool, list[int]] = {}
    for place, bound in enumerate(bounds):
        crosses = bool(bound.given[0].memory_keys)
        if bound.shape[0] > room[crosses]:
            room[crosses], open_groups[crosses] = library.MAX_ROWS, []
            groups.append(open_groups[crosses])
        open_groups[crosses].append(place)
        room[crosses] -= bound.shape[0]
    return groups


def _check_lies(tensor: Tensor, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    """That it is what the library will read, for memory's sake."""
    if tuple(tensor.shape) != shape or tensor.dtype != dtype or not tensor.is_contiguous():
        raise ValueError(
            f"the native step takes {shape} in {dtype}, row by row; got {tuple(tensor.shape)} in {tensor.dtype}"
        )


def _pointers(tensors: list[Tensor]) -> Any:
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))
