"""Steps of a language model in native code on a CPU: the whole step is one call that reads each weight once.

Float32 and bfloat16 weights are read from PyTorch's memory; 8-bit and 4-bit ones are copied into the library's layout.
PyTorch does the prefill and writes the same cache. UnsupportedError: no library, or an unsupported shape.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from engine.errors import UnsupportedError
from engine.lm.conditions import Conditions
from engine.lm.executors.basic import BasicExecutor, PassStep
from engine.lm.executors.cache_scales import cache_scales
from engine.lm.executors.known import lie_row_by_row, renew_known
from engine.lm.executors.native import library
from engine.lm.executors.native_weights import KINDS, NativeWeights, pointers
from engine.lm.model import LanguageModel
from engine.lm.state import LMState


@dataclass
class NativeBound:
    """One state's buffers for the library; `run` takes its step alone.  [generate]"""

    executor: NativeExecutor
    weights: NativeWeights
    known: Tensor  # [R, S, D] known inputs: position and frame features of every step
    shape: tuple[int, int]  # R, K
    capacity: int
    given: tuple[library.NativeState, ...]  # of up to `MAX_ROWS` rows each
    kept: tuple[Any, ...]  # the memory that they point to

    @property
    def joins(self) -> bool:
        """Whether its step can be taken together with others."""
        return len(self.given) == 1

    def checked(self, tokens: Tensor, step: int, length: int) -> Tensor:
        """Tokens [R, K] for the library.

        ValueError for tokens, a step or a length that the model or the state does not have.
        """
        card = self.weights.config.card
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

    def run(self, tokens: Tensor, state: LMState) -> Tensor:
        """Tokens [R, K] of the state's next step to logits [R, K * card]; ValueError as `checked`."""
        tokens = self.checked(tokens, state.step, state.length)
        config = self.weights.config
        logits = torch.empty(self.shape[0], config.n_codebooks * config.card)
        first = 0
        for given in self.given:
            rows = slice(first, first + given.rows)
            turn = library.NativeStep(ctypes.pointer(given), state.step, state.length)
            self.weights.take([turn], tokens[rows], logits[rows])
            first += given.rows
        return logits

    def conditions_changed(self, conditions: Conditions, first_row: int) -> None:
        """Update `known` to frame features that changed from a row on."""
        renew_known(self.executor.lm, self.known, conditions, first_row)

    def rebound(self, state: LMState) -> NativeBound:
        """Buffers of a copy of the state; shares the known inputs."""
        return self.executor.bind_known(state, self.known, self.weights)


class NativeExecutor(BasicExecutor):
    """Takes the steps of all states together in native code, bit for bit as each alone.  [generate]"""

    def __init__(
        self,
        lm: LanguageModel,
        bits: int | None = None,
        cache_dtype: torch.dtype | None = None,
        prefill_half: bool = False,
    ) -> None:
        """Weights in `bits` 8 or 4 and the cache in 8; None = the model's own, without a copy.

        Raises UnsupportedError: no library, or a shape or type that it does not support.
        """
        super().__init__(lm, torch.int8 if bits else cache_dtype, prefill_half)
        self.bits = bits
        library.load()
        _check(lm, bits, self.cache_dtype)
        self.scales = None if bits is None else cache_scales(lm)
        self._weights = None if bits is None else NativeWeights(lm, bits)
        self._stamp: tuple[object, ...] = ()

    @property
    def precision(self) -> str:
        """Precision of a step's weights."""
        return super().precision if self.bits is None else f"int{self.bits}"

    @property
    def held_bytes(self) -> int:
        """Memory of its own copies of weights."""
        return 0 if self._weights is None else self._weights.held_bytes

    def weights(self) -> NativeWeights:
        """The library's view of the weights: codes are fixed; replaced weights of the model are described again.

        Raises UnsupportedError if the present weights do not suit the library.
        """
        if self.bits is not None and self._weights is not None:
            return self._weights
        stamp = tuple((parameter.data_ptr(), parameter.dtype) for parameter in self.lm.parameters())
        if self._weights is None or stamp != self._stamp:
            _check(self.lm, None, self.cache_dtype)
            self._weights, self._stamp = NativeWeights(self.lm, None), stamp
        return self._weights

    def bind(self, state: LMState, conditions: Conditions, capacity_steps: int) -> NativeBound:
        """A new state's buffers for its steps."""
        lie_row_by_row(state)
        known = self.lm.known_inputs(conditions, capacity_steps, state.rows)
        return self.bind_known(state, known, self.weights())

    def bind_known(self, state: LMState, known: Tensor, weights: NativeWeights) -> NativeBound:
        """The same with known inputs `known` [R, S, D].

        ValueError for buffers in another layout than the library reads.
        """
        config, rows = self.lm.config, state.rows
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
        return NativeBound(self, weights, known, (rows, config.n_codebooks), state.capacity, given, kept)

    def _group(
        self, state: LMState, known: Tensor, memory: list[Tensor], first: int, rows: int
    ) -> tuple[library.NativeState, Any]:
        """`rows` of a state from `first` on for the library, and the other objects that this points to."""
        keys, values = (pointers([each[first:] for each in memory[part::2]]) if memory else None for part in (0, 1))
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
        config = self.lm.config
        shape = (state.rows, config.n_heads, state.cross_kv[0][0].shape[2], config.head_dim)
        every = [tensor.float().contiguous() for pair in state.cross_kv for tensor in pair]
        assert len(state.cross_kv) == config.n_layers
        for tensor in every:
            _check_lies(tensor, shape, torch.float32)
        return every

    @torch.inference_mode()
    def step_states(self, asked: Sequence[PassStep]) -> list[Tensor | Exception]:
        """Logits [R, K, card] of each state's step, or its exception; a state that failed has not moved."""
        if len(asked) == 1:
            return super().step_states(asked)
        made: dict[int, Tensor | Exception] = {}
        joint: dict[int, list[tuple[int, LMState, NativeBound, Tensor]]] = {}
        for place, (state, tokens) in enumerate(asked):
            bound = cast(NativeBound, state.bound)
            try:
                if bound.joins:
                    tokens = bound.checked(tokens, state.step, state.length)
                    joint.setdefault(id(bound.weights), []).append((place, state, bound, tokens))
                else:
                    made[place] = self.step(tokens, state)
            except Exception as error:
                made[place] = error
        for chosen in joint.values():
            try:
                taken = _take_together([(state, bound, tokens) for _, state, bound, tokens in chosen])
            except Exception as error:
                made.update((place, error) for place, *_ in chosen)
                continue
            for (place, state, *_), logits in zip(chosen, taken, strict=True):
                made[place] = self.stepped(state, logits)
        return [made[place] for place in range(len(asked))]


def _take_together(asked: Sequence[tuple[LMState, NativeBound, Tensor]]) -> list[Tensor]:
    """Take one step of several states on the same weights, with tokens from `checked`.

    Logits [R, K * card] of each, bit for bit those of `run`; each weight is read once for up to `MAX_ROWS` rows.
    """
    weights, made = asked[0][1].weights, dict[int, Tensor]()
    for places in _groups([bound for _, bound, _ in asked]):
        chosen = [asked[place] for place in places]
        rows = [bound.shape[0] for _, bound, _ in chosen]
        turns = [
            library.NativeStep(ctypes.pointer(bound.given[0]), state.step, state.length) for state, bound, _ in chosen
        ]
        logits = torch.empty(sum(rows), weights.config.n_codebooks * weights.config.card)
        weights.take(turns, torch.cat([tokens for *_, tokens in chosen]), logits)
        made.update(zip(places, logits.split(rows), strict=True))
    return [made[place] for place in range(len(asked))]


def _check(lm: LanguageModel, bits: int | None, cache: torch.dtype) -> None:
    """UnsupportedError for anything that the library does not support."""
    config, weight = lm.config, cast(Tensor, lm.linears[0].weight)
    if weight.device.type != "cpu" or (bits is None and weight.dtype not in KINDS) or cache not in KINDS:
        raise UnsupportedError(f"no native step for {weight.dtype} on {weight.device}, keys and values in {cache}")
    if lm.out_norm.weight.dtype != torch.float32 or lm.emb[0].weight.dtype != torch.float32:
        raise UnsupportedError("the native step takes LayerNorms and embeddings in float32")
    most = library.MAX_WIDTH_IN_8_BITS if bits else library.MAX_WIDTH
    if config.head_dim > most:
        raise UnsupportedError(f"the native step takes heads of up to {most}, these have {config.head_dim}")
    if bits is None and not all(parameter.is_contiguous() for parameter in lm.parameters()):
        raise UnsupportedError("the native step takes matrices that lie row by row")


def _groups(bounds: Sequence[NativeBound]) -> list[list[int]]:
    """Indexes of the states that step in one call: up to `MAX_ROWS` rows, all with a memory or all without."""
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
    """Check the layout that the library will read, so that it stays inside the memory."""
    if tuple(tensor.shape) != shape or tensor.dtype != dtype or not tensor.is_contiguous():
        raise ValueError(
            f"the native step takes {shape} in {dtype}, row by row; got {tuple(tensor.shape)} in {tensor.dtype}"
        )
