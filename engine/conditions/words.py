"""Words of a prompt to numbers: lower case, hashed whole and in parts, so that near spellings are near.

An unknown word shares some parts with known ones ("jazzy", "jazz"), or has no meaning for the model; neither is an
error. Hashing is CRC-32: the same on every machine.
"""

import re
import zlib

import torch
from torch import Tensor

MAX_WORDS = 16
MAX_PARTS = 24
BUCKETS = 4096
_WORD = re.compile(r"[a-z0-9]+")
_SKIP = frozenset({"a", "an", "the", "of", "and", "with", "in", "on", "for", "to", "music", "track", "song", "piece",
                   "style", "featuring", "played"})  # fmt: skip


def words_of(text: str) -> list[str]:
    """Up to 16 meaningful words of a prompt, in order.  [any]"""
    return [word for word in _WORD.findall(text.lower()) if word not in _SKIP][:MAX_WORDS]


def parts_of(word: str) -> list[int]:
    """Bucket numbers of the whole word and of its three- and four-letter parts; 0 is kept for padding.  [any]"""
    marked = f"<{word}>"
    parts = [marked] + [marked[i : i + n] for n in (3, 4) for i in range(len(marked) - n + 1)]
    return [1 + zlib.crc32(part.encode()) % (BUCKETS - 1) for part in parts[:MAX_PARTS]]


def encode_texts(texts: list[str | None]) -> Tensor:
    """Prompts to part numbers [B, 16, 24], 0 for no word or part.  [any]"""
    out = torch.zeros(len(texts), MAX_WORDS, MAX_PARTS, dtype=torch.long)
    for row, text in enumerate(texts):
        for column, word in enumerate(words_of(text or "")):
            parts = parts_of(word)
            out[row, column, : len(parts)] = torch.tensor(parts)
    return out
