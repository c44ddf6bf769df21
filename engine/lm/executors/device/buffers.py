"""The memory that every step reads and writes, allocated once so that its addresses are fixed in a graph."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from engine.core.config import LMConfig

BUCKET_POSITIONS = 256  # the cache is read in multiples of these
MEMORY_AT_LEAST = 8


@dataclass(frozen=True)
class BufferSizes:
    """Capacity: rows N, cache positions C, steps S, vectors of a cross-attention memory M."""

    rows: int = 0
    positions: int = 0
    steps: int = 0
    memory: int = 0

    def holding(self, other: BufferSizes) -> BufferSizes:
        """The smallest sizes that hold both.  [any]"""
        return BufferSizes(
            max(self.rows, other.rows),
            max(self.positions, bucket_of(other.positions)),
            max(self.steps, other.steps),
            max(self.memory, memory_bucket(other.memory)),
        )


def bucket_of(positions: int) -> int:
    """Positions that a step reads if `positions` are filled: the next multiple of the bucket.  [any]"""
    return -(-positions // BUCKET_POSITIONS) * BUCKET_POSITIONS


def memory_bucket(vectors: int) -> int:
    """Memory vectors that a step reads if the longest memory has `vectors`: a power of two, 0 for none.  [any]"""
    return max(MEMORY_AT_LEAST, 1 << (vectors - 1).bit_length()) if vectors else 0


@dataclass(frozen=True)
class Buffers:
    """All data of N rows; a lane's numbers are in its first row ("head").

    `at` is the step whose column is read next; column `at + 1` is then drawn. Unknown cells of `sequence` are -1; the
    column after the last one is never read.
    """

    sizes: BufferSizes
    cache: Tensor  # [L, 2, N, H, C, D/H]
    memory: Tensor | None  # [L, 2, N, H, M, D/H], keys and values of cross-attention
    known: Tensor  # [N, S, D] known inputs (position and frame features), added to a step's embeddings
    sequence: Tensor  # [N, K, S + 1] int64, delayed
    logits: Tensor  # [N, K, card]
    noise: Tensor  # [N, K, card] uniform numbers of the lanes' own generators
    row: Tensor  # [N] its own number
    position: Tensor  # [C] its own number
    head: Tensor  # [N] first row of the row's lane; `middle` and `null` are the other two of its guidance
    middle: Tensor
    null: Tensor
    at: Tensor  # [N]
    prefix: Tensor  # [N] positions before step 0
    vectors: Tensor  # [N] vectors of the row's memory
    active: Tensor  # [N] bool: heads whose lanes take this step; results of other rows are discarded
    cfg: Tensor  # [N], like the rest
    beta: Tensor
    temperature: Tensor
    top_k: Tensor
    top_p: Tensor
    greedy: Tensor

    @classmethod
    def allocate(
        cls, config: LMConfig, sizes: BufferSizes, device: torch.device, cache: torch.dtype, memory: torch.dtype
    ) -> Buffers:
        """Buffers of zeros; every row is its own lane's head. `cache` and `memory` are their types.  [generate]"""
        n, layers, heads, width = sizes.rows, config.n_layers, config.n_heads, config.head_dim

        def zeros(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
            return torch.zeros(shape, dtype=dtype, device=device)

        def count(size: int) -> Tensor:
            return torch.arange(size, device=device)

        with torch.inference_mode(False):  # the buffers are written in and outside of inference mode
            return cls(
                sizes,
                cache=zeros(layers, 2, n, heads, sizes.positions, width, dtype=cache),
                memory=zeros(layers, 2, n, heads, sizes.memory, width, dtype=memory) if sizes.memory else None,
                known=zeros(n, sizes.steps, config.dim),
                sequence=zeros(n, config.n_codebooks, sizes.steps + 1, dtype=torch.int64),
                logits=zeros(n, config.n_codebooks, config.card),
                noise=zeros(n, config.n_codebooks, config.card),
                row=count(n),
                position=count(sizes.positions),
                head=count(n),
                middle=count(n),
                null=count(n),
                at=zeros(n, dtype=torch.int64),
                prefix=zeros(n, dtype=torch.int64),
                vectors=zeros(n, dtype=torch.int64),
                active=zeros(n, dtype=torch.bool),
                cfg=zeros(n),
                beta=zeros(n),
                temperature=zeros(n) + 1.0,
                top_k=zeros(n, dtype=torch.int64),
                top_p=zeros(n),
                greedy=zeros(n, dtype=torch.bool),
            )
