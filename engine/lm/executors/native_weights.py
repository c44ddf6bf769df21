"""A language model's weights for the native library: PyTorch's own, or copies in 8 or 4 bits."""

from __future__ import annotations

import ctypes
import weakref
from typing import Any, cast

import torch
from torch import Tensor, nn

from engine.errors import UnsupportedError
from engine.lm.executors.native import library, tiles
from engine.lm.layers import DecoderLayer
from engine.lm.model import LanguageModel
from engine.ort.quantised import array_of
from engine.system import huge_pages

HEAD_BITS = 8  # of the heads if the rest has 4
KINDS = {torch.float32: library.FLOAT32, torch.bfloat16: library.BFLOAT16, torch.int8: library.INT8}


class NativeWeights:
    """Weights in `bits` 8 or 4, or unchanged (None); open in the library while this exists.  [generate]"""

    def __init__(self, lm: LanguageModel, bits: int | None) -> None:
        """Raises UnsupportedError: no library, or matrices of a shape that it does not support."""
        self.config, self.bits = lm.config, bits
        self._library = library.load()
        self._references: list[Any] = []  # the memory that the library's structures point to
        self._paged_memory = tiles.PagedMemory()
        given = self._describe(lm)
        self._handle = self._library.segue_open(ctypes.byref(given))
        weakref.finalize(self, self._library.segue_close, self._handle)

    @property
    def held_bytes(self) -> int:
        """Memory of the copies made here.  [any]"""
        return self._paged_memory.held_bytes

    def take(self, turns: list[library.NativeStep], tokens: Tensor, logits: Tensor) -> None:
        """One step of windows of up to `MAX_ROWS` rows, all with a memory or all without; the caller checks everything.

        Reads tokens [rows, K], fills logits [rows, K * card], window after window.  [generate]
        """
        given, threads = (library.NativeStep * len(turns))(*turns), torch.get_num_threads()
        self._library.segue_step(self._handle, given, len(turns), tokens.data_ptr(), threads, logits.data_ptr())

    def _describe(self, model: LanguageModel) -> library.NativeModel:
        """The model's structure for the library."""
        config = self.config
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
            tables=pointers(tables),
            layer=layers,
            out_norm=self._norm(model.out_norm),
            logits=(library.NativeMatrix * config.n_codebooks)(*heads),
        )
        self._references += [*tables, given]
        self._paged_memory.settle()
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
            made.query = self._matrix(crossed.in_proj_weight[: self.config.dim], self.bits)
            made.cross_out = self._matrix(crossed.out_proj.weight, self.bits)
        return made

    def _norm(self, norm: nn.LayerNorm) -> library.Norm:
        weight, bias = norm.weight.contiguous(), norm.bias.contiguous()
        self._references += [weight, bias]
        return library.Norm(weight.data_ptr(), bias.data_ptr(), norm.eps)

    def _matrix(self, weight: Tensor, bits: int | None) -> library.NativeMatrix:
        """A weight [N, K] in place, or a copy in few bits."""
        n, k = weight.shape
        if bits is None:
            if not weight.is_contiguous():
                raise UnsupportedError("the native step takes matrices that lie row by row")
            huge_pages.move([(weight.data_ptr(), weight.nbytes)])
            self._references.append(weight)
            return library.NativeMatrix(KINDS[weight.dtype], n, k, 0, weight.data_ptr())
        lines = tiles.tiled(array_of(weight), bits, self._paged_memory)
        kind = library.INT8 if bits == 8 else library.INT4
        return library.NativeMatrix(kind, n, k, tiles.block_of(k), lines.ctypes.data)


def pointers(tensors: list[Tensor]) -> Any:
    """The tensors' addresses as a C array.  [generate]"""
    return (ctypes.c_void_p * len(tensors))(*(tensor.data_ptr() for tensor in tensors))
